"""Child processes that outlive, or follow, the one that started them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from freehold_cli.local.failures import StartFailed

_SHOWN_LINES = 20
_POLL_SECONDS = 0.02
_TOLD_EVERY_SECONDS = 10.0
_KILLED_SECONDS = 20.0
# How often a process is looked at that has no command line. One that becomes another program has one again at once.
_LOOKS = 50
_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True, slots=True)
class OwnProcess:
    """A process of ours: its number, and the mark in its command line by which it is known again."""

    pid: int
    mark: str

    def lives(self) -> bool:
        """Whether this very process still runs; another one that got its number does not count."""
        if self.pid in _children:
            return _children[self.pid].poll() is None
        return self.mark in _command_line(self.pid)

    def end(
        self, patience: float, waited: Callable[[float], None] = lambda _: None
    ) -> Literal["gone", "ended", "killed"]:
        """Ask it to end, kill it after `patience` seconds; `waited` is told now and then how long it has taken."""
        if not self.lives():
            return "gone"
        os.kill(self.pid, signal.SIGTERM)
        begun = time.monotonic()
        while (left := begun + patience - time.monotonic()) > 0:
            if _until(lambda: not self.lives(), min(left, _TOLD_EVERY_SECONDS)):
                return "ended"
            waited(time.monotonic() - begun)
        if not self.lives():
            return "ended"
        os.kill(self.pid, signal.SIGKILL)
        _until(lambda: not self.lives(), _KILLED_SECONDS)
        return "killed"


def start(
    module: str,
    arguments: Sequence[str],
    mark: str,
    *,
    environment: Mapping[str, str],
    log: Path,
    end_with: int | None,
) -> OwnProcess:
    """Start `python -m module` in its own session, so that a terminal's Ctrl-C reaches the caller alone."""
    command = [sys.executable, "-m", module, "--instance", mark, *arguments]
    if end_with is not None:
        command += ["--end-with", str(end_with)]
    with log.open("wb") as output:
        child = subprocess.Popen(  # noqa: S603 - our own module
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=() if end_with is None else (end_with,),
        )
    _children[child.pid] = child
    return OwnProcess(child.pid, mark)


def await_answer(process: OwnProcess, answers: Callable[[], bool], log: Path, seconds: float) -> None:
    """Wait until the process answers; StartFailed with the end of its log if it ends or takes too long."""
    in_time = _until(lambda: answers() or not process.lives(), seconds)
    if in_time and process.lives():
        return
    what = "ended while it started" if in_time else f"did not answer within {seconds:.0f} s"
    raise StartFailed(f"{log.stem} {what}; the end of {log}:", _tail(log))


def port_is_free(port: int) -> bool:
    """Whether nobody listens on the port of this machine."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _command_line(pid: int) -> str:
    """Empty for a process that is gone, and for one that has ended and waits for its parent."""
    if Path("/proc/self/cmdline").exists():
        return _known_to_linux(Path(f"/proc/{pid}"))
    found = subprocess.run(  # noqa: S603 - a number is all that varies
        ["/bin/ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return found.stdout


def _known_to_linux(process: Path) -> str:
    for _ in range(_LOOKS):
        try:
            told = (process / "cmdline").read_bytes()
            state = (process / "stat").read_text().rpartition(") ")[2][:1]
        except OSError:
            return ""
        if told or state in "ZX":
            return told.replace(b"\0", b" ").decode(errors="replace")
        time.sleep(_POLL_SECONDS)
    return ""


def _until(condition: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _tail(log: Path) -> list[str]:
    return log.read_text(errors="replace").splitlines()[-_SHOWN_LINES:]
