"""Settings, clock and clients of AWS.

Clients that call models and tools make one attempt: Step Functions repeats steps, and a step asks another model, or
with less of the conversation, but never the same again. Tables and buckets are retried by botocore: every write to them
is conditional.
"""

from __future__ import annotations

import os
import random
import time
import uuid
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from types_boto3_lambda import LambdaClient

PATIENT = Config(retries={"mode": "standard", "total_max_attempts": 5}, connect_timeout=2, read_timeout=5)
# For functions whose time one such call might take up.
HURRIED = Config(retries={"mode": "standard", "total_max_attempts": 2}, connect_timeout=1, read_timeout=3)
STORE = HURRIED if os.environ.get("STORE_PATIENCE") == "little" else PATIENT
# For what a run can do without, and may not be kept waiting by.
BRIEF = Config(retries={"total_max_attempts": 2}, connect_timeout=1, read_timeout=1)
# Only so does a signed URL hold for one length alone, and for what is encrypted with a key.
OBJECTS = STORE.merge(Config(signature_version="s3v4"))
# AWS's own records tell by it whose calls these are; and botocore, which makes a longer one anew for each call, is
# spared 9 % of a call's CPU time.
NAMED = Config(user_agent="Freehold")
CONNECT_SECONDS = 5
# A tool's Lambda answers within the tool's own timeout, or this much later its answer counts as lost.
READ_MARGIN_SECONDS = 5


def now() -> int:
    """Epoch milliseconds."""
    return time.time_ns() // 1_000_000


def new_id() -> str:
    return uuid.uuid4().hex


def setting(name: str) -> str:
    return os.environ[name]


@cache
def client(service: str, config: Config = STORE) -> Any:
    return boto3.client(service, config=config.merge(NAMED))  # pyright: ignore


@cache
def tool_client(timeout_seconds: int) -> LambdaClient:
    config = Config(
        retries={"total_max_attempts": 1},
        connect_timeout=CONNECT_SECONDS,
        read_timeout=timeout_seconds + READ_MARGIN_SECONDS,
        tcp_keepalive=True,
    )
    return client("lambda", config)


def wait(attempt: int) -> None:
    """Full jitter, up to half a second, before a crowded session is tried again."""
    time.sleep(random.uniform(0, min(0.5, 0.01 * 2**attempt)))  # noqa: S311
