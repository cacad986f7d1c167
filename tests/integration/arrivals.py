"""Where messages arrive in a world, and messages, events and triggers as they come there."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from driven import QuickWorld
from freehold.arriving import ArriveCollaborators, Outcome, arrive
from freehold.errors import StoreUnavailable
from freehold.http.messages import read
from freehold.receiving import ReceiveCollaborators
from freehold.triggering import filled
from freehold.values.access import AccessEntry, EntryKind
from freehold.values.arrival import Arrival
from freehold.values.run import Principal, Run
from freehold.values.trigger import Trigger
from freehold.ways_in import WayCollaborators
from world import TENANT

HERE = "us-east-1:123456789012"
QUEUE = f"arn:aws:sqs:{HERE}:orders.fifo"
INCOMING = f"arn:aws:sqs:{HERE}:incoming-events"
RULE = f"arn:aws:events:{HERE}:rule/bus/run-requested"
ANSWERS = f"arn:aws:sqs:{HERE}:answers"


@dataclass
class FakeDeadLetters:
    letters: list[tuple[Arrival, str, str, str | None]] = field(default_factory=list)
    error: StoreUnavailable | None = None

    def put(self, message: Arrival, *, reason: str, error: str, tenant: str | None) -> None:
        if self.error:
            raise self.error
        self.letters.append((message, reason, error, tenant))


@dataclass
class FakeAccess:
    entries: dict[tuple[EntryKind, str], str]

    def find(self, kind: EntryKind, name: str) -> AccessEntry | None:
        tenant = self.entries.get((kind, name))
        return AccessEntry(kind, name, tenant, 0) if tenant else None

    def sources(self, tenant: str) -> list[str]:
        return [name for (of, name), whose in self.entries.items() if (of, whose) == ("source", tenant)]


@dataclass
class FakeTriggers:
    triggers: list[Trigger] = field(default_factory=list)

    def find(self, tenant: str, trigger_id: str) -> Trigger | None:
        found = (each for each in self.triggers if (each.tenant, each.trigger_id) == (tenant, trigger_id))
        return next(found, None)


class Door:
    """Where messages arrive in a world. What comes by `QUEUE` and `RULE` is of its tenant."""

    def __init__(self, world: QuickWorld) -> None:
        self.world, self.dead = world, FakeDeadLetters()
        entries: dict[tuple[EntryKind, str], str] = {("queue", QUEUE): TENANT, ("rule", RULE): TENANT}
        self.access = FakeAccess(entries | {("source", "*"): TENANT})
        self.triggers = FakeTriggers()

    def using(self) -> ArriveCollaborators:
        world = self.world
        ways = WayCollaborators(self.access, self.triggers, read, filled, INCOMING)
        receives = ReceiveCollaborators(world.parking(), world.new_id, lambda attempt: None)
        return ArriveCollaborators(ways, receives, self.dead, frozenset((ANSWERS,)))

    def take(self, message: Arrival) -> Outcome:
        return arrive(message, self.using())

    def run_of(self, message: Arrival) -> Run:
        outcome = self.take(message)
        assert outcome.run is not None, self.dead.letters
        return self.world.run(outcome.run)


def message(body: Any = None, **changes: Any) -> Arrival:
    given = {"agent": "helper", "input": "hi"} | body if isinstance(body, dict) else body
    text = given if isinstance(given, str) else json.dumps(given or {"agent": "helper", "input": "hi"})
    plain = {"queue": QUEUE, "id": "m1", "sender": "AROA1:ann", "deduplication": "d1", "group": "s1"}
    return Arrival(**({**plain, "body": text} | changes))


def incoming(body: Any, **changes: Any) -> Arrival:
    told = {"queue": INCOMING, "id": "m1", "sender": "AIDA", "deduplication": "m1", "body": json.dumps(body)}
    return Arrival(**(told | changes))


def event(**changes: Any) -> dict[str, Any]:
    detail = {"agent": "helper", "input": "hi"}
    return {"id": "e1", "source": "shop", "detail-type": "Agent Run Requested", "detail": detail} | changes


def trigger(**changes: Any) -> Trigger:
    given: dict[str, Any] = {
        "tenant": TENANT,
        "trigger_id": "t1",
        "agent": "helper",
        "input": "Order {{detail.orderId}} came.",
        "set_by": "agent",
        "created_by": Principal("key", "k1"),
        "created_at": 0,
    }
    return Trigger(**(given | changes))


def refusals(door: Door) -> list[tuple[str, str, str | None]]:
    return [(error, reason, tenant) for _, reason, error, tenant in door.dead.letters]
