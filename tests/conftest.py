"""No test reaches beyond 127.0.0.1, and none finds the credentials of whoever runs it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings
from pytest_socket import socket_allow_hosts

ROOT = Path(__file__).parent.parent

# They steer a suite, not the product.
KEPT = {"FREEHOLD_CHAOS_SEED"}

for name in {name for name in os.environ if name.startswith(("AWS_", "FREEHOLD_"))} - KEPT:
    del os.environ[name]
os.environ.update(
    AWS_ACCESS_KEY_ID="test",
    AWS_SECRET_ACCESS_KEY="test",
    AWS_DEFAULT_REGION="us-east-1",
    AWS_REGION="us-east-1",
    AWS_EC2_METADATA_DISABLED="true",
    AWS_CONFIG_FILE=os.devnull,
    AWS_SHARED_CREDENTIALS_FILE=os.devnull,
    POWERTOOLS_TRACE_DISABLED="true",
    POWERTOOLS_METRICS_NAMESPACE="test",
)
# The machines that run this are slow at times and shared; the same examples each time make a red run mean something.
settings.register_profile("suite", deadline=None, derandomize=True)
settings.load_profile("suite")
# Tests share their own fakes by name: `from world import World`.
sys.path[:0] = [str(ROOT / "tests" / suite) for suite in (".", "integration", "stack")]


@pytest.fixture(autouse=True)
def _only_this_machine() -> None:
    socket_allow_hosts(["127.0.0.1", "localhost", "::1"], allow_unix_socket=True)
