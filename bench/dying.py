"""Processes that kill themselves at a given place, and where they leave word of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any, Literal

from bench.effects import write_line

LOG = "deaths"
When = Literal["before", "after"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where everything listens, and where it is written down."""

    folder: Path
    dynamodb: str
    tools: str
    mcp: str

    def lines(self, name: str) -> list[str]:
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []


@contextmanager
def place(folder: Path) -> Generator[Place]:
    """Tools and tables in a process of their own: one that is forked must have no threads."""
    effects = Path(__file__).parent / "effects.py"
    command = [sys.executable, str(effects), str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield Place(folder, **json.loads(process.stdout.readline()))
        process.stdin.close()


class Deadly:
    """Kills its process before or after a method of what it stands for."""

    def __init__(self, of: Any, method: str, when: When, die: Callable[[], None]) -> None:
        self._of, self._method, self._when, self._die = of, method, when, die

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._of, name)
        if name != self._method:
            return found

        def call(*args: Any, **given: Any) -> Any:
            if self._when == "before":
                self._die()
            answer = found(*args, **given)
            self._die()
            return answer

        return call


def die(there: Place, line: str) -> None:
    write_line(there.folder / LOG, line)
    os.kill(os.getpid(), signal.SIGKILL)


def die_once_written(there: Place, name: str, die: Callable[[], None]) -> None:
    """Beside the call, as soon as its server has written one more line into that file."""
    before = len(there.lines(name))

    def watch() -> None:
        while len(there.lines(name)) == before:
            time.sleep(0.001)
        die()

    Thread(target=watch, daemon=True).start()


def dies(there: Place, line: str, act: Callable[[], object]) -> bool:
    """Whether a process of its own, which does `act`, wrote that line and was killed."""
    with warnings.catch_warnings():
        # Newer Pythons warn where there are threads; those of a test's process hold nothing that is needed here.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        # Nothing of the parent's is cleaned up here, whatever happens.
        try:
            act()
        except Exception:
            traceback.print_exc()
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    by_kill = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    return by_kill and there.lines(LOG)[-1:] == [line]
