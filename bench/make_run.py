"""How long the second `make run` takes, with a state folder of its own."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from pathlib import Path

from product_stack import ROOT, share_build

PATIENCE_SECONDS = 120
# The stack that is timed is neither the user's own nor steered by this make.
NOT_PASSED_ON = ("FREEHOLD_", "MAKE", "MFLAGS")


def second_make_run() -> str:
    """Seconds from command to answer, or how it failed. The first has built what a checkout builds once."""
    with tempfile.TemporaryDirectory(prefix="freehold-bench-") as folder:
        home = Path(folder) / "home"
        share_build(home)
        passed_on = {name: value for name, value in os.environ.items() if not name.startswith(NOT_PASSED_ON)}
        environment = passed_on | {"FREEHOLD_HOME": str(home)}
        _make_run(environment)
        return _make_run(environment)


def _make_run(environment: dict[str, str]) -> str:
    command = ["make", "--directory", str(ROOT), "run"]
    began = time.monotonic()
    try:
        ended = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"had not ended after {PATIENCE_SECONDS} s"
    return f"ended with {ended.returncode}" if ended.returncode else f"{time.monotonic() - began:.1f} s"
