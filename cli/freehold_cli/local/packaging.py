"""Turning the folders that a template names into archives, each named by what is in it."""

from __future__ import annotations

import hashlib
import io
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from freehold_cli.local.failures import TemplateInvalid

_LEFT_OUT = {"__pycache__", "node_modules"}
_FIRST_DAY = (1980, 1, 1, 0, 0, 0)
_SHOWN_LINES = 15


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
    interpreter = f"{sys.implementation.cache_tag}-{platform.system()}-{platform.machine()}"
    name = hashlib.sha256(content).hexdigest()[:16]
    target = build / "dependencies" / f"{interpreter}-{name}"
    if not target.is_dir():
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(dir=target.parent, prefix="partial-"))
        try:
            _pip_install(requirements, partial, pinned=b"--hash=" in content)
            partial.rename(target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return target


def _pip_install(requirements: Path, target: Path, *, pinned: bool) -> None:
    hold = ["--no-deps", "--require-hashes"] if pinned else []
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-compile",
        "--disable-pip-version-check",
    ]
    command += ["--no-input", *hold, "--target", str(target), "--requirement", str(requirements)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own pip
    if done.returncode:
        said = "\n  ".join(done.stderr.strip().splitlines()[-_SHOWN_LINES:])
        raise TemplateInvalid(f"{requirements}: pip could not install it\n  {said}")


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
