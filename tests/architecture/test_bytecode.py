"""What `make build` adds to a build: bytecode, so that cold starts need not compile what they load."""

from __future__ import annotations

import marshal
import os
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
    package = tmp_path / "a build" / "CoreLayer" / "python" / "freehold"
    shutil.copytree(
        ROOT / "layers" / "core" / "freehold", package, ignore=shutil.ignore_patterns("__pycache__")
    )
    return tmp_path / "a build"


def compiled(build: Path, python: str, version: str = "{}.{}".format(*sys.version_info)) -> str:
    """What `make` says of it, where Lambda has the `version`."""
    given = [f"BUILT={build}", f"LAMBDA_PYTHON={python}", f"LAMBDA_VERSION={version}"]
    # A `make` that runs these tests would hand its own options down.
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))
    }
    done = subprocess.run(
        ["make", "--no-print-directory", "bytecode", *given],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout + done.stderr


def test_every_module_has_bytecode_that_is_taken_as_it_is(build: Path):
    modules = sorted(build.rglob("*.py"))

    said = compiled(build, sys.executable)

    found = [Path(cache_from_source(str(module))).read_bytes() for module in modules]
    assert said == ""
    assert len(found) > 100
    assert {int.from_bytes(code[4:8], "little") for code in found} == {UNCHECKED}
    files = {marshal.loads(code[16:]).co_filename for code in found}
    assert files == {str(module.relative_to(build)) for module in modules}


@pytest.mark.parametrize("python", ["python3.13-that-is-not-here", sys.executable])
def test_a_build_without_the_python_of_lambda_says_that_it_has_none(build: Path, python: str):
    before = sorted(build.rglob("*"))

    said = compiled(build, python, version="3.1")

    assert f"built without bytecode: {python} is no Python 3.1" in said
    assert sorted(build.rglob("*")) == before
