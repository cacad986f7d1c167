"""Whatever a caller sends, the answer is theirs to mend: no body makes an error of ours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .deployed import Deployed, agent, deployed, waiting

EXAMPLE = Path(__file__).parents[2] / "examples" / "customer-support"
TEXTS = st.text(st.characters(codec=None), max_size=20) | st.sampled_from(
    ["", " ", "DRAFT", "\x00", "\ud800", "#"]
)
NUMBERS = st.integers() | st.integers(10**18, 10**40) | st.floats(allow_nan=False)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
FUZZ = settings(max_examples=70, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
OPENAPI: dict[str, Any] = yaml.safe_load((EXAMPLE / "orders-api.yaml").read_text())


@pytest.fixture(scope="module")
def product() -> Iterator[Deployed]:
    with deployed() as made:
        made.admin.call("PUT", "/agents/helper", agent())
        made.admin.call("POST", "/agents/helper/versions")
        made.admin.call("PUT", "/agents/waiting", waiting(agentName="waiting"))
        parked = made.park("return", "approve", agent="waiting")
        PARKED.update(run=parked["runId"], digest=parked["awaiting"][0]["argumentsDigest"])
        yield made


def full_agent() -> dict[str, Any]:
    functions = [
        {"name": "pay", "description": "Pay", "parameters": {"sum": {"type": "number", "required": True}}},
        {
            "name": "look",
            "inputSchema": {"type": "object", "properties": {"a": {"enum": [1, "b"]}}},
            "timeoutSeconds": 5,
        },
    ]
    return agent(
        description="d",
        tags={"a": "b"},
        inferenceConfiguration={
            "temperature": 0.5,
            "topP": 0.9,
            "maximumLength": 100,
            "stopSequences": ["x"],
        },
        limits={"maxLaps": 5, "maxTokens": 1000, "timeoutSeconds": 60, "maxConcurrentTools": 2},
        idleSessionTTLInSeconds=600,
        executionMode="durable",
        memoryConfiguration={"enabledMemoryTypes": ["SESSION_SUMMARY"], "storageDays": 30},
        actionGroups=[agent()["actionGroups"][0] | {"functionSchema": {"functions": functions}}],
    )


# The run that waits, and the digest of its first call.
PARKED: dict[str, str] = {}
DECISIONS = [
    {
        "callId": "t1-l1-c0",
        "decision": "result",
        "argumentsDigest": "{digest}",
        "result": {"body": {"a": [1]}, "state": "failure", "sessionAttributes": {"a": "b"}},
    },
    {"callId": "t1-l1-c1", "decision": "approve", "argumentsDigest": "0" * 64, "comment": "c"},
]
CALLS: dict[str, tuple[str, str, Any]] = {
    "decisions": ("POST", "/runs/{run}/decisions", DECISIONS),
    "upload": ("POST", "/runs/{run}/uploads", {"bytes": 5}),
    "hand-back": ("POST", "/sessions/s1/hand-back", {"note": "n"}),
    "agent": ("PUT", "/agents/helper", full_agent()),
    "alias": ("PUT", "/agents/helper/aliases/live", {"routes": [{"version": 1, "weight": 100}]}),
    "erasure": ("POST", "/erasures", {"agent": "helper", "memoryId": "m1"}),
    "run": (
        "POST",
        "/agents/helper/runs",
        {
            "input": "hi",
            "sessionAttributes": {"a": "b"},
            "promptSessionAttributes": {},
            "memoryId": "m1",
            "whenBusy": "enqueue",
        },
    ),
    "key": ("POST", "/keys", {"name": "k", "scopes": ["run", "read"], "expiresInDays": 3}),
}


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something can be put in the place of something else."""
    yield path
    entries = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, inner in entries:
        yield from places(inner, (*path, key))


def replaced(value: Any, path: tuple[Any, ...], other: Any) -> Any:
    if not path:
        return other
    changed = deepcopy(value)
    here = changed
    for key in path[:-1]:
        here = here[key]
    here[path[-1]] = other
    return changed


def is_the_callers(product: Deployed, method: str, path: str, body: object) -> bool:
    text = body if isinstance(body, str) else json.dumps(body)
    for name, value in PARKED.items():
        path, text = path.replace(f"{{{name}}}", value), text.replace(f"{{{name}}}", value)
    answer = product.admin.call(method, path, text)
    answer.text.encode()
    return answer.status in (200, 201, 202, 400, 403, 404, 409)


@pytest.mark.parametrize("name", CALLS)
@FUZZ
@given(data=st.data())
def test_a_body_with_one_part_replaced_is_stored_or_refused(
    product: Deployed, name: str, data: st.DataObject
):
    method, path, body = CALLS[name]
    place = data.draw(st.sampled_from(list(places(body))))

    assert is_the_callers(product, method, path, replaced(body, place, data.draw(JSON)))


@pytest.mark.parametrize("name", CALLS)
@settings(FUZZ, max_examples=40)
@given(body=JSON)
def test_any_json_is_answered(product: Deployed, name: str, body: Any):
    method, path, _ = CALLS[name]

    assert is_the_callers(product, method, path, body)


@pytest.mark.parametrize("name", CALLS)
@settings(FUZZ, max_examples=40)
@given(text=st.text(st.characters(codec="utf-8"), max_size=60))
def test_any_text_is_answered(product: Deployed, name: str, text: str):
    method, path, _ = CALLS[name]

    assert is_the_callers(product, method, path, text)


@settings(FUZZ, max_examples=60)
@given(data=st.data())
def test_an_openapi_document_with_one_part_replaced_is_stored_or_refused(
    product: Deployed, data: st.DataObject
):
    place = data.draw(st.sampled_from(list(places(OPENAPI))))
    payload = json.dumps(replaced(OPENAPI, place, data.draw(JSON)), ensure_ascii=True)
    group = {
        "actionGroupName": "orders",
        "apiSchema": {"payload": payload},
        "actionGroupExecutor": agent()["actionGroups"][0]["actionGroupExecutor"],
    }

    assert is_the_callers(product, "PUT", "/agents/helper", agent(actionGroups=[group]))


@settings(FUZZ, max_examples=150)
@given(
    method=st.sampled_from(["GET", "DELETE", "POST", "PUT"]),
    parts=st.lists(
        st.sampled_from(
            [
                "agents",
                "helper",
                "versions",
                "runs",
                "sessions",
                "items",
                "keys",
                "aliases",
                "1",
                "live",
                "memories",
                "end",
                "approvals",
                "decisions",
                "uploads",
                "hand-back",
            ]
        )
        | st.text(st.characters(codec="utf-8"), max_size=12),
        max_size=5,
    ),
    query=st.none()
    | st.dictionaries(st.sampled_from(["limit", "nextToken", "status", "x"]), st.text(max_size=8)),
)
def test_any_path_is_answered(product: Deployed, method: str, parts: list[str], query: dict[str, str] | None):
    if parts[:2] == ["agents", "helper"] and method == "DELETE":
        parts = parts[:1]
    answer = product.admin.call(method, "/" + "/".join(parts), query=query)

    assert answer.status < 500, answer.text
    assert answer.headers["x-request-id"]
