"""What `make build` adds to a build: bytecode, so that cold starts need not compile what they load."""

from __future__ import annotations

import marshal
import shutil
import subprocess
import sys
from importlib.util import cache_from_source
from pathlib import Path

import pytest

from .source import ROOT

# Of a .pyc: hashed, and never held against the source.
UNCHECKED = 0b01


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """A layer as `sam build` leaves it."""
    package = tmp_path / "build" / "CoreLayer" / "python" / "freehold"
    shutil.copytree(
        ROOT / "layers" / "core" / "freehold", package, ignore=shutil.ignore_patterns("__pycache__")
    )
    return tmp_path / "build"


def compiled(build: Path, python: str) -> str:
    """What `make` says of it."""
    command = ["make", "--no-print-directory", "bytecode", f"BUILT={build}", f"LAMBDA_PYTHON={python}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout + done.stderr


def test_every_module_has_bytecode_that_is_taken_as_it_is(build: Path):
    modules = sorted(build.rglob("*.py"))

    said = compiled(build, sys.executable)

    found = [Path(cache_from_source(str(module))).read_bytes() for module in modules]
    assert said == ""
    assert len(found) > 100
    assert {int.from_bytes(code[4:8], "little") for code in found} == {UNCHECKED}
    files = {marshal.loads(code[16:]).co_filename for code in found}
    assert files == {f"./{module.relative_to(build)}" for module in modules}


def test_a_build_without_the_python_of_lambda_says_that_it_has_none(build: Path):
    before = sorted(build.rglob("*"))

    said = compiled(build, "python3.13-that-is-not-here")

    assert "built without bytecode: python3.13-that-is-not-here" in said
    assert sorted(build.rglob("*")) == before
