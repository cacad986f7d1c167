"""Child processes that end when their parent does, however the parent ended.

The parent holds the writing end of a pipe and never writes. The system closes it when the parent is gone, on
macOS too, which has no parent-death signal.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Generator

# They stay open for as long as this process lives.
_writing_ends: list[int] = []


@contextlib.contextmanager
def lifeline(*, detached: bool) -> Generator[int | None]:
    """The pipe that children started inside are to watch; None for those that are to outlive this process."""
    if detached:
        yield None
        return
    reading, writing = os.pipe()
    _writing_ends.append(writing)
    try:
        yield reading
    finally:
        os.close(reading)


def end_with(pipe: int) -> None:
    """Send SIGTERM to this process when the other end of `pipe` closes."""

    def watch() -> None:
        while os.read(pipe, 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True, name="watch-parent").start()
