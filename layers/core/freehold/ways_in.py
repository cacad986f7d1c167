"""By which way a message came, and so whose it is: what it says itself names neither tenant nor principal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol, cast
from urllib.parse import quote

from . import json_document
from .errors import Denied, Invalid
from .ports.arrivals import Access, Triggers
from .triggering import is_granted
from .value import Value, field
from .values.access import AccessEntry, EntryKind
from .values.arrival import Arrival
from .values.content import Image
from .values.run import Principal
from .values.trigger import Trigger

# A principal's id, whose parts AWS does not bound together.
LONGEST_ID = 256
# All that is visible in ASCII, but for the percent sign.
VISIBLE = "".join(map(chr, range(ord("!"), ord("~") + 1))).replace("%", "")
# The source of the product's own events.
FREEHOLD = "freehold"
# Of events of the product's own that lead to one another's runs: agents that wait for each other stop here.
MOST_HOPS = 5


class Asked(Value):
    """What a message says itself of the run that it asks for; all of it was checked."""

    agent: str
    input: str
    session_id: str | None = None
    memory_id: str | None = None
    alias: str | None = None
    images: tuple[Image, ...] = ()
    session_attributes: dict[str, str] = field(default_factory=dict[str, str])
    prompt_session_attributes: dict[str, str] = field(default_factory=dict[str, str])
    when_busy: Literal["reject", "enqueue"] = "enqueue"
    reply_to: str | None = None


class Reader(Protocol):
    """Checks what a message says of a run. Raises `Invalid` with every problem.

    `group` names the session where the message does not.
    """

    def __call__(self, given: object, group: str | None = None) -> Asked: ...


class WayCollaborators(Value):
    """`incoming_events` is the ARN of the one queue whose messages AWS alone writes: what they name is believed.

    `filled` puts what an event has into a trigger's templates.
    """

    access: Access
    triggers: Triggers
    read: Reader
    filled: Callable[[Trigger, Mapping[str, Any]], Trigger]
    incoming_events: str


class Way(Value):
    """By which way a message came, and so as whose. `asked` reads what it asks for; `hops`: see `Run`.

    `answers`: see `Request`.
    """

    tenant: str
    principal: Principal
    trigger: str
    key: str
    request_id: str
    asked: Callable[[], Asked]
    hops: int = 0
    answers: bool = True


class ForNobody(Exception):
    """Nothing is wrong with it, and nobody waits for it: `why` says so for the log."""

    def __init__(self, tenant: str, principal: Principal, why: str) -> None:
        self.tenant, self.principal, self.why = tenant, principal, why
        super().__init__(why)


def way_of(message: Arrival, using: WayCollaborators) -> Way:
    """Raises `Denied` where no access entry leads to a tenant."""
    if message.queue != using.incoming_events:
        return Way(
            tenant=_tenant("queue", message.queue, using.access),
            principal=Principal("sqs", _visible(message.sender)[:LONGEST_ID]),
            trigger="sqs",
            # A queue in order knows its ids group by group.
            key=f"sqs {message.queue} {message.group or ''} {message.deduplication}",
            request_id=message.deduplication,
            asked=lambda: using.read(_json(message.body), message.group),
        )
    given = _object(_json(message.body), "")
    return _trigger_way(given, using) if "trigger" in given else _rule_way(given, using)


def _rule_way(given: Mapping[str, Any], using: WayCollaborators) -> Way:
    arn, event = _text(given, "rule"), _object(given.get("event"), "event")
    name, event_id = arn.rpartition("/")[2], _text(event, "id")
    return Way(
        tenant=_tenant("rule", arn, using.access),
        principal=_of_event(event.get("source"), name),
        trigger="event",
        key=f"event {name} {event_id}",
        request_id=event_id,
        asked=lambda: using.read(event.get("detail")),
    )


def _trigger_way(given: Mapping[str, Any], using: WayCollaborators) -> Way:
    named = _object(given["trigger"], "trigger")
    tenant, trigger_id = _text(named, "tenant"), _text(named, "id")
    trigger, principal = using.triggers.find(tenant, trigger_id), _of_trigger(trigger_id, given)
    if trigger is None:
        # It was taken away, and this is the last that it began.
        raise ForNobody(tenant, principal, "its trigger is gone")
    if "event" not in given:
        at = _text(given, "scheduledTime")
        return Way(
            tenant=tenant,
            principal=principal,
            trigger="schedule",
            key=f"schedule {trigger_id} {at}",
            request_id=at,
            asked=lambda: _filled(trigger, {"scheduledTime": at}, using),
            answers=False,
        )
    event = _object(given["event"], "event")
    event_id, source = _text(event, "id"), event.get("source")
    hops = _hops(trigger, event, principal) if source == FREEHOLD else 0
    if not is_granted(str(source), grants=using.access.sources(tenant)):
        # It was, when the agent was applied.
        raise ForNobody(tenant, principal, "its source is granted no more")
    return Way(
        tenant=tenant,
        principal=principal,
        trigger="event",
        key=f"event {trigger_id} {event_id}",
        request_id=event_id,
        asked=lambda: _filled(trigger, event, using),
        hops=hops,
        answers=False,
    )


def _hops(trigger: Trigger, event: Mapping[str, Any], principal: Principal) -> int:
    """How far an event of the product's own is from what somebody asked for: one more than the run that it tells of."""
    detail, tenant = _object(event.get("detail"), "event.detail"), trigger.tenant
    if detail.get("tenant") != tenant:
        # The stack's bus has what all tenants' runs come to.
        raise ForNobody(tenant, principal, "it tells of another tenant's run")
    if detail.get("agent") == trigger.agent:
        why = f"it tells of a run of {trigger.agent}, which it would begin again for ever"
        raise ForNobody(tenant, principal, why)
    told = detail.get("hops", 0)
    if type(told) is not int or told < 0:
        raise ForNobody(tenant, principal, "its `hops` count no runs")
    hops = told + 1
    if hops > MOST_HOPS:
        raise ForNobody(tenant, principal, f"more than {MOST_HOPS} runs have led to one another by events")
    return hops


def _filled(trigger: Trigger, event: Mapping[str, Any], using: WayCollaborators) -> Asked:
    """What comes of the templates is checked as whatever comes from outside."""
    filled = using.filled(trigger, event)
    given = {
        "agent": filled.agent,
        "input": filled.input,
        "alias": filled.alias,
        "sessionId": filled.session_id,
        "memoryId": filled.memory_id,
    }
    return using.read({name: value for name, value in given.items() if value is not None})


def _tenant(kind: EntryKind, name: str, access: Access) -> str:
    entry = access.find(kind, name)
    if entry is None:
        raise Denied(f"no access entry leads from {kind} {name} to a tenant")
    return entry.tenant


def tenant_of_event(body: str, find: Callable[[EntryKind, str], AccessEntry | None]) -> str | None:
    """Whose a message of `IncomingEvents` is; None where nothing says so."""
    try:
        given = _object(_json(body), "")
        if "trigger" in given:
            return _text(_object(given["trigger"], "trigger"), "tenant")
        entry = find("rule", _text(given, "rule"))
    except Invalid:
        return None
    return entry.tenant if entry else None


def _of_event(source: object, let_in_by: str) -> Principal:
    """Where both are too long, the source is cut, which its sender chose, and not the rule or trigger."""
    by = f"/{_visible(let_in_by)}"
    return Principal("event", _visible(str(source))[: LONGEST_ID - len(by)] + by)


def _of_trigger(trigger_id: str, given: Mapping[str, Any]) -> Principal:
    if "event" not in given:
        return Principal("schedule", trigger_id)
    return _of_event(_object(given["event"], "event").get("source"), trigger_id)


def _visible(name: str) -> str:
    """In visible ASCII, as principals are named everywhere."""
    return quote(name, safe=VISIBLE)


def _json(text: str) -> Any:
    return json_document.read(text, "the message")


def _object(given: object, path: str) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise Invalid("must be a JSON object", path=path)
    return cast("dict[str, Any]", given)


def _text(given: Mapping[str, Any], name: str) -> str:
    found = given.get(name)
    if not isinstance(found, str) or not found:
        raise Invalid("must be a text that is not empty", path=name)
    return found
