"""Whatever fits `openapi.yaml`, or nearly does, gets an answer that stands in it."""

from __future__ import annotations

import copy
import json
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import from_schema

from freehold import wiring
from freehold.values.access import AccessEntry

from .caller import TENANT
from .calls import DECISION, SCHEDULE
from .deployed import Deployed, remembering, waiting
from .description import document, operations
from .gateway import SIGNED
from .in_memory import MemoryAws, deployed_in_memory
from .queues import INCOMING, REQUESTS
from .serving import served

# How many requests of each kind; more of them find more: SCHEMATHESIS_EXAMPLES=50 takes minutes.
EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "2"))
SEED = int(os.environ.get("SCHEMATHESIS_SEED", "1"))
REPLAY = "POST /runs/{run}/replays"
ROLE = "arn:aws:iam::123456789012:role/support"
# All checks are made but
#   unsupported_method: API Gateway answers a method that a path has not as it answers a path that there is not, 404,
#   positive_data_acceptance: what no schema can say is refused as well. `only_what_no_schema_says`, below, is narrower.
NO = {"enabled": False}
OFF = ("unsupported_method", "positive_data_acceptance")
# Where a body or a parameter that fits its schema may be refused all the same: it has to fit what is there, or may be
# null, which is all that the document says of it then.
NO_SCHEMA_SAYS: Mapping[str, str] = {
    # Which tokens and ids of events were given, and what a time is.
    "GET": r"nextToken|createdAfter|createdBefore|Last-Event-ID",
    "PUT /agents/{agent}": r"(?s:.*)",
    # DRAFT is one that nobody may set.
    "PUT /agents/{agent}/aliases/{alias}": r"routes.*|alias|If-Match|If-None-Match",
    "DELETE /agents/{agent}": r"If-Match",
    "POST /agents/{agent}/runs": r"images.*|memoryId|sessionId|alias|(prompt)?[sS]essionAttributes.*",
    REPLAY: r"model.*",
    "POST /runs/{run}/decisions": r".*",
    "POST /schedules": r"schedule|timeZone|agent|alias|sessionId|memoryId|input",
    "POST /dead-letters/redrive": r"|all|ids|before",
    "POST /keys": r"scopes|expiresInDays",
    "POST /auth/token": r"scopes",
}


# Bodies that are taken, where what is drawn never is.
TAKEN: Mapping[str, Callable[[Mapping[str, str]], Any]] = {
    "PUT /agents/{agent}": lambda there: remembering(there["agent"]),
    "PUT /agents/{agent}/aliases/{alias}": lambda there: {"routes": [{"version": "1"}]},
    "POST /schedules": lambda there: SCHEDULE | {"agent": there["agent"]},
    "POST /runs/{run}/decisions": lambda there: [DECISION | {"argumentsDigest": there["digest"]}],
    REPLAY: lambda there: {"model": "rehearsal"},
}


@schemathesis.check
def only_what_no_schema_says(ctx: Any, response: Any, case: Any) -> None:
    """What the document allows is refused for reasons that it cannot have."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    label = case.operation.label
    if response.status_code == 422:
        assert "Idempotency-Key" in (case.headers or {}), "a 422 without Idempotency-Key"
    elif response.status_code == 400:
        allowed = NO_SCHEMA_SAYS.get(label, NO_SCHEMA_SAYS.get(case.method.upper(), r"(?!)"))
        problems = response.json().get("problems", [{"path": "", "message": response.json()["detail"]}])
        wrong = [each for each in problems if not re.fullmatch(allowed, each["path"])]
        assert wrong == [], f"it fits the document and was refused: {wrong}"


def described() -> dict[str, Any]:
    """The document but for the preflight, whose path stands for any."""
    made = copy.deepcopy(document())
    del made["paths"]["/{proxy+}"]
    return made


@dataclass
class Told:
    """What came of a run of schemathesis."""

    requests: int = 0
    statuses: dict[str, Counter[int]] = field(default_factory=dict)
    failures: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    def add(self, event: Any) -> None:
        kind = type(event).__name__
        if kind in ("NonFatalError", "FatalError"):
            told = getattr(event, "info", None) or event.exception
            self.failures[f"{getattr(event, 'label', kind)}: {told}"] += 1
        elif kind == "ScenarioFinished":
            recorder = event.recorder
            for case_id, made in recorder.interactions.items():
                label = recorder.cases[case_id].value.operation.label
                self.requests += 1
                # Other methods are tried as well.
                if made.response is not None and label.startswith(f"{made.request.method} "):
                    self.statuses.setdefault(label, Counter())[made.response.status_code] += 1
            for node in (each for checks in recorder.checks.values() for each in checks):
                if node.failure_info is not None:
                    failure = node.failure_info.failure
                    name = f"{failure.operation} {node.name}: {failure.title}"
                    self.failures[name] += 1
                    self.examples.setdefault(name, f"{failure.message}\n{node.failure_info.code_sample}")


def test_every_request_gets_an_answer_that_is_described():
    with deployed_in_memory() as (product, aws), served() as address, hooked() as hook:
        wiring.access().grant(AccessEntry("iam", ROLE, TENANT, 0, ("run", "read")))
        hook(with_what_there_is(product, aws))
        key = product.keys().create(tenant=TENANT, name="all", scopes=["admin"], now=int(time.time())).text
        schema = schemathesis.openapi.from_dict(described(), config=configuration(address, key))
        told = Told()
        for event in from_schema(schema).execute():
            told.add(event)

    assert told.failures == {}, json.dumps([told.failures, told.examples], indent=1)
    assert told.statuses.keys() == {operation.name for operation in operations()}
    refused = [label for label, found in told.statuses.items() if min(found) >= 300]
    assert refused == [], f"nothing of it was taken: {[told.statuses[label] for label in refused]}"
    assert told.requests > 1_000


@contextmanager
def hooked() -> Iterator[Callable[[Any], Any]]:
    """schemathesis knows no hooks before calls but those of all schemas."""
    try:
        yield schemathesis.hook("before_call")
    finally:
        schemathesis.hooks.unregister_all()


def configuration(address: str, key: str) -> SchemathesisConfig:
    few = {"generation": {"max-examples": EXAMPLES}}
    return SchemathesisConfig.from_dict(
        {
            "base-url": address,
            "seed": SEED,
            "continue-on-failure": True,
            "headers": {"Authorization": f"Bearer {key}"},
            "operations": [
                {
                    "include-name": "POST /auth/token",
                    "headers": {"Authorization": f"{SIGNED}{ROLE}"},
                    # Without a signature there is no such call, as API Gateway has it.
                    "checks": {"ignored_auth": NO, "missing_required_header": NO},
                },
                {
                    "include-name": "GET /runs/{run}/events",
                    # It looks at single events, which OpenAPI 3.0 has no words for; test_live_events.py does as well.
                    "checks": {"response_schema_conformance": NO},
                },
            ],
            "checks": dict.fromkeys(OFF, NO),
            "phases": {"fuzzing": few, "stateful": few | {"max-steps": 6}},
            "generation": {"database": "none"},
        }
    )


def something_of_each(product: Deployed, aws: MemoryAws, n: int, label: str) -> dict[str, str]:
    """Ids by the names that the document has for them, of what there is then; some differ from call to call."""
    waits = label.endswith(("/decisions", "/uploads", "/hand-back")) or (n % 2 and label != REPLAY)
    admin, name = product.admin, f"helper-{n}"
    admin.call("PUT", f"/agents/{name}", remembering(name))
    admin.call("POST", f"/agents/{name}/versions")
    admin.call("PUT", f"/agents/{name}/aliases/live", {"routes": [{"version": "1"}]})
    ended = product.start(agent=name, sessionId=f"ended-{n}", memoryId="m1")["runId"]
    product.finish(ended, text="Hello.")
    admin.call("PUT", "/agents/waiting", waiting(agentName="waiting"))
    tool = "escalate_to_human" if label.endswith("/hand-back") else "return"
    parked = product.park(tool, agent="waiting", sessionId=f"parked-{n}")
    return {
        "agent": name,
        "version": "1",
        "alias": "live",
        "run": parked["runId"] if waits else ended,
        "session": f"parked-{n}" if waits else f"ended-{n}",
        "memory": "m1",
        "key": admin.call("POST", "/keys", {"name": "k", "scopes": ["run"]}).body["keyId"],
        "schedule": admin.call("POST", "/schedules", SCHEDULE | {"agent": name}).body["scheduleId"],
        "digest": parked["awaiting"][0]["argumentsDigest"],
        "deadLetter": dead_letter(aws, (REQUESTS, INCOMING)[n % 2]),
    }


def dead_letter(aws: MemoryAws, source: str, tenant: str = TENANT) -> str:
    told = {"reason": "it was no JSON", "error": "Invalid", "source": source, "tenant": tenant, "group": "g"}
    attributes = {name: {"DataType": "String", "StringValue": value} for name, value in told.items()}
    url = os.environ["DEAD_LETTERS"]
    return aws.queues.send_message(QueueUrl=url, MessageBody="?", MessageAttributes=attributes)["MessageId"]


def with_what_there_is(product: Deployed, aws: MemoryAws) -> Any:
    """Every other request is about something that there is, and is the first under its Idempotency-Key."""
    turns: Counter[str] = Counter()

    def before_call(context: Any, case: Any, kwargs: Any) -> None:
        label, meta = case.operation.label, case.meta
        if isinstance(case.body, dict) and case.body.get("waitSeconds") in range(1, 26):
            # Nothing ends a run here.
            case.body["waitSeconds"] = 0
        if meta is None or meta.phase.name.name == "STATEFUL" or not meta.generation.mode.is_positive:
            return
        turns[label] += 1
        if turns[label] % 2 == 0:
            return
        there = something_of_each(product, aws, turns.total(), label)
        for name in case.path_parameters or {}:
            case.path_parameters[name] = there[name]
        if "Idempotency-Key" in (case.headers or {}):
            case.headers["Idempotency-Key"] = f"key-{turns.total()}"
        for name in ("If-Match", "If-None-Match"):
            (case.headers or {}).pop(name, None)
        if case.method == "DELETE" and case.query:
            # It names a part of what goes.
            case.query.clear()
        if label in TAKEN:
            case.body = TAKEN[label](there)

    return before_call
