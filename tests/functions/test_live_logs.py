"""What is logged where a stream breaks, in a process of its own that has Lambda's surroundings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from .broken_streams import CANARY

TESTS = Path(__file__).parents[1]


def test_a_stream_that_breaks_is_told_in_the_log_with_its_run_and_without_a_word_that_was_said():
    settings = {"LAMBDA_TASK_ROOT": "/var/task", "POWERTOOLS_TRACE_DISABLED": "true"}

    ran = subprocess.run(
        [sys.executable, "-m", "functions.broken_streams"],
        cwd=TESTS,
        env={name: value for name, value in os.environ.items() if name != "LOG_CONTENT"} | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )

    assert (ran.returncode, CANARY in ran.stdout) == (0, False), ran.stdout
    early, broke, server = [json.loads(line) for line in ran.stdout.splitlines()]
    about = ("level", "tenant", "run_id", "request_id", "reason")
    assert [early[name] for name in about] == ["WARNING", "acme", "c-1", "r1", "StoreUnavailable"]
    assert [broke[name] for name in about] == ["ERROR", "acme", "c-2", "r2", "KeyError"]
    assert "Traceback" in broke["exception"]
    assert (server["message"], server["exception_name"]) == ("Exception in ASGI application", "KeyError")
