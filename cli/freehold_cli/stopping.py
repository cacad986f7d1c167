"""Ending on request: Ctrl-C and SIGTERM unwind the command, and what it started is stopped to the end."""

from __future__ import annotations

import signal
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

TERMINATED = 143


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP came."""


def _terminate(_: int, __: FrameType | None) -> NoReturn:
    raise Terminated


@contextmanager
def unwinding() -> Generator[None]:
    """Within it SIGTERM and a closed terminal unwind the stack as Ctrl-C does, so that `finally` runs."""
    kept = {number: signal.signal(number, _terminate) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


@contextmanager
def undisturbed() -> Generator[None]:
    """Within it a second Ctrl-C or SIGTERM does nothing: half-stopped is worse than a moment's wait."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    kept = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
