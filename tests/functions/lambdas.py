"""The functions as Lambda would run them."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from freehold import wiring
from freehold.wiring import arrivals, identity, live, model_hosts, tool_servers, triggers

from .aws import REQUESTS

ROOT = Path(__file__).parents[2]


ENVIRONMENT = {
    "SESSIONS_TABLE": "sessions",
    "AGENTS_TABLE": "agents",
    "CONTENT_BUCKET": "content",
    "RETENTION_DAYS": "90",
    "EVENT_BUS": "freehold",
    "DURABLE_LOOP": "freehold-agent-loop",
    "FAST_LOOP": "freehold-agent-loop-fast",
    "ACCOUNT_ID": "123456789012",
    "PARTITION": "aws",
    "SCHEMA_BUCKETS": "schemas",
    "MCP_FUNCTION": "arn:aws:lambda:us-east-1:123456789012:function:freehold-RunMcpToolFunction:live",
    "MODEL_SOURCE": "rehearsal",
    "MODEL_URL": "",
    "MODEL_NAME": "",
    "MODEL_REGION": "us-east-1",
    "MODEL_KEY_SECRET": "freehold-model-key",
    "PATIENCE_SECONDS": "420",
    "TOOL_SECRETS": "freehold/tools",
    "EVENTS_TABLE": "events",
    "ALLOWED_ORIGINS": "",
    "DEAD_LETTERS": "https://sqs.us-east-1.amazonaws.com/123456789012/freehold-dead-letters",
    "REQUESTS_DEAD_LETTERS": "https://sqs.us-east-1.amazonaws.com/123456789012/freehold-requests-dead-letters.fifo",
    "REPLY_TARGETS": "",
    "API_ROLE_ID": "AROAAPIROLE",
    "STORE_PATIENCE": "little",
    "DEAD_LETTERS_ARN": "arn:aws:sqs:us-east-1:123456789012:freehold-dead-letters",
    "INCOMING_EVENTS_ARN": "arn:aws:sqs:us-east-1:123456789012:freehold-incoming-events",
    "SCHEDULE_GROUP": "freehold",
    "SCHEDULER_ROLE_ARN": "arn:aws:iam::123456789012:role/freehold-SchedulerRole",
    "OIDC_ISSUER": "",
    "OIDC_AUDIENCE": "",
    "OIDC_TENANT": "",
    "OIDC_TENANT_CLAIM": "tenant",
    "OIDC_SUBJECT_CLAIM": "sub",
    "OIDC_SCOPES_CLAIM": "scope",
    "OIDC_SCOPE_PREFIX": "",
}


def function(name: str) -> ModuleType:
    """`functions/<name>/app.py`, imported under a name of its own: each Lambda calls its module `app`."""
    unique = f"deployed_{name}"
    if unique not in sys.modules:
        spec = importlib.util.spec_from_file_location(unique, ROOT / "functions" / name / "app.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[unique] = module
        spec.loader.exec_module(module)
    return sys.modules[unique]


class Context:
    """What Lambda passes beside the event."""

    function_name = "freehold"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:freehold"
    aws_request_id = "4f3c1c2e-0000-4000-8000-000000000000"

    def get_remaining_time_in_millis(self) -> int:
        return 330_000


def invoke(name: str, event: Mapping[str, Any]) -> Any:
    """What the function answers, as JSON brings it to the caller."""
    handler = function(name).lambda_handler
    REQUESTS.running.append(name)
    try:
        return json.loads(json.dumps(handler(json.loads(json.dumps(event)), Context())))
    finally:
        REQUESTS.running.pop()


@contextmanager
def environment(**changes: str) -> Iterator[None]:
    """The functions' environment variables; what wiring keeps is built from these alone."""
    before = dict(os.environ)
    os.environ.update(ENVIRONMENT | changes)
    forget()
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        forget()


def forget() -> None:
    """A new Lambda environment, as it were: nothing is built, nothing read before. Clients alone are kept."""
    for module in (wiring, arrivals, identity, live, model_hosts, tool_servers, triggers):
        for name, made in vars(module).items():
            if hasattr(made, "cache_clear") and name not in ("client", "tool_client"):
                made.cache_clear()
