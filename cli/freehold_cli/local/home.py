"""The folder that holds everything a local stack writes."""

from __future__ import annotations

import contextlib
import fcntl
import json
import shutil
import time
from collections.abc import Generator
from pathlib import Path

from freehold_cli.local import processes
from freehold_cli.local.failures import PortTaken

FIRST_PORT = 8080
_PORTS_TRIED = 20
_FOLDERS = ("build", "logs", "outputs", "state")


class Home:
    """Readable by its owner alone. Files that others read while they are written are replaced whole."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()

    @property
    def build(self) -> Path:
        """What was packaged, installed and extracted; it can be deleted and is then made again."""
        return self.path / "build"

    @property
    def state(self) -> Path:
        """What the local AWS has saved."""
        return self.path / "state"

    def outputs(self, stack_name: str) -> Path:
        """The file with a deployed stack's outputs."""
        return self.path / "outputs" / f"{stack_name}.json"

    def log(self, name: str) -> Path:
        """The log of one of the processes."""
        return self.path / "logs" / f"{name}.log"

    def exists(self) -> bool:
        """Whether a stack has ever been started here."""
        return self.path.is_dir()

    def make(self) -> None:
        """Make the folders, private to this user."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.chmod(0o700)
        for name in _FOLDERS:
            (self.path / name).mkdir(mode=0o700, exist_ok=True)

    def empty_temporary(self) -> Path:
        """The folder for temporary files, without what an earlier stack left there."""
        folder = self.path / "tmp"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        return folder

    @contextlib.contextmanager
    def locked(self) -> Generator[None]:
        """Two commands at once in one home would start two stacks on one state."""
        with (self.path / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def known_port(self) -> int | None:
        """The port of this home's AWS, if it ever had one."""
        return _number_in(self.path / "aws-port")

    def choose_port(self) -> int:
        """The port that this home's AWS had before, since queue addresses in the saved state contain it."""
        port = self.known_port()
        if port is None or not processes.port_is_free(port):
            port = processes.free_port()
            (self.path / "aws-port").write_text(str(port))
        return port

    def choose_front_port(self, asked: int | None) -> int:
        """What is asked for, the front door's last one, or the first that is free. Raises `PortTaken`."""
        last = FIRST_PORT + _PORTS_TRIED - 1
        had = _number_in(self.path / "port")
        wanted = (asked,) if asked else (*((had,) if had else ()), *range(FIRST_PORT, last + 1))
        port = next(filter(processes.port_is_free, wanted), None)
        if port is not None:
            (self.path / "port").write_text(str(port))
            return port
        if asked:
            raise PortTaken(f"another program listens on 127.0.0.1:{asked}; end it or choose another port")
        raise PortTaken(
            f"the ports {FIRST_PORT} to {last} of 127.0.0.1 are all taken; choose one that is free"
        )

    def kept(self) -> str:
        """How recent the state is that the local AWS saved, in words."""
        files = [each.stat().st_mtime for each in self.state.rglob("*.json") if each.is_file()]
        if not files:
            return "nothing of it was kept"
        last = time.strftime("%H:%M:%S", time.localtime(max(files)))
        return f"what it had saved by {last} was kept, and what came after it is lost"

    def write(self, path: Path, content: object) -> None:
        """Replace a JSON file as a whole."""
        unfinished = path.with_name(path.name + ".partial")
        unfinished.write_text(json.dumps(content, indent=2, sort_keys=True))
        unfinished.chmod(0o600)
        unfinished.replace(path)


def _number_in(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return None


def deployed_at(outputs: Path) -> int:
    """When the stack's outputs were written (epoch ns); 0 where they never were."""
    try:
        return outputs.stat().st_mtime_ns
    except OSError:
        return 0
