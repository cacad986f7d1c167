"""Turning the folders that a template names into archives, each named by what is in it."""

from __future__ import annotations

import hashlib
import io
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from freehold_cli.local.failures import TemplateInvalid

_LEFT_OUT = {"__pycache__", "node_modules"}
_FIRST_DAY = (1980, 1, 1, 0, 0, 0)
_SHOWN_LINES = 15
_OF_MAKE = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}


@dataclass(frozen=True, slots=True)
class Archive:
    """A zip file and the digest of what is in it."""

    path: Path
    digest: str


def archive(folders: Sequence[Path], build: Path, *, below: str = "") -> Archive:
    """Zip the files of `folders` under `below`; equal files give equal bytes. A later folder's file wins.

    An archive of the same content that an earlier call left in `build` is used again.
    """
    files = {below + name: path for folder in folders for name, path in _files(folder)}
    digest = _digest(files)
    target = build / "archives" / f"{digest}.zip"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_suffix(f".{id(files)}.partial")
        partial.write_bytes(_zipped(files))
        partial.replace(target)
    return Archive(target, digest)


def requirements_of(folder: Path) -> Path | None:
    """The folder's `requirements.txt`, if it asks for anything."""
    path = folder / "requirements.txt"
    if not path.is_file():
        return None
    lines = (line.split("#")[0].strip() for line in path.read_text().splitlines())
    return path if any(lines) else None


def installed(requirements: Path, build: Path) -> Path:
    """A folder with these requirements, installed for the Python that runs this: it runs the functions too.

    Pins with hashes are held to them. The folder is kept for the same file content and the same Python.
    """
    content = requirements.read_bytes()
    name = f"{_interpreter()}-{hashlib.sha256(content).hexdigest()[:16]}"

    def fill(target: Path) -> None:
        _pip_install(requirements, target, pinned=b"--hash=" in content)

    return _kept(build / "dependencies" / name, fill)


def made(folder: Path, resource: str, build: Path) -> Path:
    """What the folder's Makefile makes for `resource`, as `sam build` runs it but for the Python that runs this.

    The result is kept for the same files and the same Python.
    """
    if not (folder / "Makefile").is_file():
        raise TemplateInvalid(f"{folder}: {resource} is built by a Makefile, and there is none")
    digest = _digest(dict(_files(folder)))
    return _kept(
        build / "made" / f"{resource}-{_interpreter()}-{digest}",
        lambda target: _make(folder, resource, target),
    )


def _interpreter() -> str:
    return f"{sys.implementation.cache_tag}-{platform.system()}-{platform.machine()}"


def _kept(target: Path, fill: Callable[[Path], None]) -> Path:
    """`target`, whole or not at all: filled the first time, used again ever after."""
    if not target.is_dir():
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(dir=target.parent, prefix="partial-"))
        try:
            fill(partial)
            partial.rename(target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return target


def _pip_install(requirements: Path, target: Path, *, pinned: bool) -> None:
    command = [*(sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--no-input")]
    command += ["--disable-pip-version-check", *(("--no-deps", "--require-hashes") if pinned else ())]
    command += ["--target", str(target), "--requirement", str(requirements)]
    _run(command, f"{requirements}: pip could not install it")


def _make(folder: Path, resource: str, target: Path) -> None:
    """In a copy of the folder. An empty WHEELS means those of PYTHON itself."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="partial-") as copy:
        shutil.copytree(folder, copy, ignore=shutil.ignore_patterns(*_LEFT_OUT, ".*"), dirs_exist_ok=True)
        given = {"ARTIFACTS_DIR": target, "PYTHON": sys.executable, "WHEELS": ""}
        command = ["make", "--silent", "--directory", copy, f"build-{resource}"]
        command += [f"{name}={value}" for name, value in given.items()]
        _run(command, f"{folder / 'Makefile'}: `make build-{resource}` failed")


def _run(command: Sequence[str], failure: str) -> None:
    # A `make` that started this one would hand its own options down.
    environment = {name: value for name, value in os.environ.items() if name not in _OF_MAKE}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        said = "\n  ".join(done.stderr.strip().splitlines()[-_SHOWN_LINES:])
        raise TemplateInvalid(f"{failure}\n  {said}")


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.iterdir()):
        if path.name in _LEFT_OUT or path.name.startswith("."):
            continue
        if path.is_dir():
            yield from ((f"{path.name}/{name}", file) for name, file in _files(path))
        elif path.is_file():
            yield path.name, path


def _digest(files: dict[str, Path]) -> str:
    total = hashlib.sha256()
    for name in sorted(files):
        total.update(f"{name}\0{_mode(files[name])}\0".encode())
        total.update(hashlib.sha256(files[name].read_bytes()).digest())
    return total.hexdigest()[:32]


def _mode(path: Path) -> int:
    return 0o755 if path.stat().st_mode & 0o100 else 0o644


def _zipped(files: dict[str, Path]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as zipped:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _FIRST_DAY)
            entry.external_attr = _mode(files[name]) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            zipped.writestr(entry, files[name].read_bytes())
    return buffer.getvalue()
