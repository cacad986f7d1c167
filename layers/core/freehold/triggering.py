"""What begins runs by itself: what a run is asked when it does, and which triggers an agent has."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, Protocol, cast

from .errors import Conflict, Invalid, Problem
from .value import Value, replace
from .values.ids import MAX_INPUT
from .values.trigger import Trigger

PLACEHOLDER = re.compile(r"\{\{\s*([^.{}\s]+(?:\.[^.{}\s]+)*)\s*\}\}")
EVENT_FIELDS = (
    *("detail", "detail-type", "source", "id", "time", "account", "region", "resources", "version"),
)
SCHEDULE_FIELDS = ("scheduledTime",)
# Rules and schedules have names of 64 characters.
AGENT_DIGITS, OWN_DIGITS = 8, 16

_RATE = re.compile(r"rate\(([0-9]+) (minute|hour|day)s?\)")
_SECONDS = {"minute": 60, "hour": 3_600, "day": 86_400}


def filled(trigger: Trigger, facts: Mapping[str, Any]) -> Trigger:
    """The trigger with what the facts hold in place of its placeholders. Raises `Invalid` where they lack something.

    `facts` are the event, or `{"scheduledTime": …}` of a schedule. What they hold is put in as it is: nothing in it is
    looked at as a placeholder. Text stays text, all else becomes JSON.
    """
    problems: list[Problem] = []
    session, memory = (
        given and _filled(given, facts, path, problems)
        for path, given in (("sessionId", trigger.session_id), ("memoryId", trigger.memory_id))
    )
    text = _filled(trigger.input, facts, "input", problems)
    if problems:
        raise Invalid(problems)
    return replace(trigger, input=text, session_id=session, memory_id=memory)


def _filled(template: str, facts: Mapping[str, Any], path: str, problems: list[Problem]) -> str:
    room = MAX_INPUT

    @cache
    def held(asked: str) -> str:
        there: Any = facts
        for step in asked.split("."):
            there = _at(there, step)
            if there is _NOTHING:
                problems.append(Problem(path, f"asks for {{{{{asked}}}}}, which the event does not have"))
                return ""
        return there if isinstance(there, str) else json.dumps(there, ensure_ascii=False)

    def value(found: re.Match[str]) -> str:
        # Counted as it grows: a template may name all of an event thousands of times.
        nonlocal room
        text = held(found[1])
        room -= len(text)
        if room < 0:
            raise Invalid(f"has more than {MAX_INPUT} characters once it is filled", path=path)
        return text

    return PLACEHOLDER.sub(value, template)


_NOTHING: Any = object()


def _at(there: Any, step: str) -> Any:
    if isinstance(there, Mapping):
        return cast("Mapping[str, Any]", there).get(step, _NOTHING)
    if isinstance(there, list) and step.isascii() and step.isdigit() and len(step) < 6:
        entries = cast("list[Any]", there)
        return entries[int(step)] if int(step) < len(entries) else _NOTHING
    return _NOTHING


# -- which sources of events a tenant may name


def sources_of(pattern: Mapping[str, Any]) -> list[tuple[str, bool]]:
    """What the pattern names as `source`, each with whether it is only the beginning of one."""
    named: list[Any] = list(pattern["source"])
    return [(one, False) if isinstance(one, str) else (one["prefix"], True) for one in named]


def is_granted(source: str, *, grants: Iterable[str], prefix: bool = False) -> bool:
    """Whether one of the grants, at whose end `*` stands for any text, covers all that is named."""
    return any(
        source.startswith(grant[:-1]) if grant.endswith("*") else source == grant and not prefix
        for grant in grants
    )


# -- which triggers an agent has


class Triggers(Protocol):
    """Where triggers are written down."""

    def of_agent(self, tenant: str, agent: str) -> Iterable[Trigger]: ...

    def put(self, trigger: Trigger) -> None: ...

    def put_again(self, trigger: Trigger) -> bool:
        """Whether it was still there to be written over."""
        ...

    def delete(self, trigger: Trigger) -> Trigger | None:
        """None once it is gone. Where it was armed meanwhile, or disarmed, it stays: as it is there by now."""
        ...


class Alarms(Protocol):
    """What goes off for a trigger. Arming and disarming may be repeated, and upset nothing."""

    def mark(self, trigger: Trigger) -> str:
        """Names what arming it sets: what bears another mark, or none, has to be armed."""
        ...

    def arm(self, trigger: Trigger) -> None:
        """Raises `StoreUnavailable`, `Invalid` where AWS does not take it, and `Conflict` where it takes no more."""
        ...

    def disarm(self, trigger: Trigger) -> None: ...


class TriggerCollaborators(Value):
    triggers: Triggers
    rules: Alarms
    schedules: Alarms
    now: Callable[[], int]

    def alarms(self, trigger: Trigger) -> Alarms:
        return self.rules if trigger.schedule is None else self.schedules

    def is_armed(self, trigger: Trigger) -> bool:
        """Whether it will go off: not where its one time has passed."""
        return not self.is_over(trigger) and trigger.armed == self.alarms(trigger).mark(trigger)

    def is_over(self, trigger: Trigger) -> bool:
        return trigger.once_at is not None and trigger.once_at <= self.now()


def agent_mark(tenant: str, agent: str) -> str:
    """How the ids of an agent's triggers begin."""
    return _digest(tenant, agent)[:AGENT_DIGITS]


def trigger_id(tenant: str, agent: str, *told: object) -> str:
    """The same for the same `told`, so that a repeat finds what is there."""
    return agent_mark(tenant, agent) + _digest(tenant, agent, *told)[:OWN_DIGITS]


def mark_of(*terms: object) -> str:
    return _digest(*terms)[:OWN_DIGITS]


def _digest(*told: object) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def next_of_rate(trigger: Trigger, now: int) -> int | None:
    """When a `rate(…)` comes due next, counted from when it was added; None for whatever else goes off."""
    found = _RATE.fullmatch(trigger.schedule or "")
    if found is None:
        return None
    period = int(found[1]) * _SECONDS[found[2]] * 1000
    return trigger.created_at + ((now - trigger.created_at) // period + 1) * period


def add(trigger: Trigger, using: TriggerCollaborators) -> Trigger | None:
    """The trigger as it is armed, or None where somebody took it away meanwhile.

    The record comes first: what goes off without one begins nothing. What AWS does not take leaves nothing.
    """
    using.triggers.put(trigger)
    if using.is_armed(trigger):
        return trigger
    try:
        return _armed(trigger, using)
    except (Invalid, Conflict):
        remove(trigger, using)
        raise


def remove(trigger: Trigger, using: TriggerCollaborators) -> None:
    """The record last: as long as it is there, a removal that died can be sent again."""
    left: Trigger | None = trigger
    while left is not None:
        using.alarms(left).disarm(left)
        left = using.triggers.delete(left)


def _armed(trigger: Trigger, using: TriggerCollaborators) -> Trigger | None:
    """Says so in the record at the end: a record that does not is armed by the next one to see it."""
    alarms = using.alarms(trigger)
    alarms.arm(trigger)
    armed = replace(trigger, armed=alarms.mark(trigger))
    if using.triggers.put_again(armed):
        return armed
    alarms.disarm(trigger)
    return None


def settle(tenant: str, agent: str, wanted: Iterable[Trigger] | None, using: TriggerCollaborators) -> bool:
    """Leave the agent with the triggers `wanted` of its configuration, or with none at all where that is None.

    What is armed as it should be is left alone, so that nothing misses its time. Whatever is not is armed, triggers
    that were added one by one among it, which mends what an earlier attempt left undone or AWS has lost. A one-time
    schedule whose time has passed is left as it is. Whether there was anything to do.
    """
    there = {each.trigger_id: each for each in using.triggers.of_agent(tenant, agent)}
    kept = {each.trigger_id: _continued(each, there.get(each.trigger_id)) for each in wanted or ()}
    if wanted is not None:
        kept |= {name: each for name, each in there.items() if each.set_by == "api"}
    gone = [trigger for name, trigger in there.items() if name not in kept]
    due = [
        trigger
        for name, trigger in kept.items()
        if not using.is_over(trigger) and not (there.get(name) == trigger and using.is_armed(trigger))
    ]
    for trigger in gone:
        remove(trigger, using)
    for trigger in due:
        if there.get(trigger.trigger_id) == trigger and trigger.set_by == "api":
            # What AWS refuses now was taken once, and is somebody's wish.
            _armed(trigger, using)
        else:
            add(trigger, using)
    return bool(gone or due)


def _continued(trigger: Trigger, before: Trigger | None) -> Trigger:
    """It goes off as it did before, whatever else of it has changed; who wrote it is whoever changed it last."""
    if before is None:
        return trigger
    made = replace(trigger, created_at=before.created_at, armed=before.armed)
    return before if replace(made, created_by=before.created_by) == before else made
