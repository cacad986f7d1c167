"""What begins runs by itself, as people write it: in an agent's `triggers`, or as a schedule by itself."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from pydantic import Field, model_validator

from freehold.configuration.event_patterns import pattern_problems, pattern_warnings
from freehold.configuration.part import Json, Name, Part, refused
from freehold.configuration.paths import at, choices, show
from freehold.configuration.reading import plain_data_problems
from freehold.configuration.schedules import once_at, schedule_fault, zone_fault
from freehold.configuration.validation import parse
from freehold.errors import Invalid, Problem
from freehold.triggering import EVENT_FIELDS, PLACEHOLDER, SCHEDULE_FIELDS, trigger_id
from freehold.values.ids import ID, ID_IN_WORDS, MAX_INPUT
from freehold.values.trigger import Trigger

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from freehold.values.run import Principal

MOST_TRIGGERS = 20
UTC = "UTC"

Input = Annotated[str, Field(min_length=1, max_length=MAX_INPUT)]
Template = Annotated[str, Field(min_length=1, max_length=1_000)]


class TriggerPart(Part):
    event_pattern: Json | None = None
    schedule: str | None = None
    time_zone: str | None = None
    input: Input
    alias: Name | None = None
    session_id: Template | None = None
    memory_id: Template | None = None

    @model_validator(mode="after")
    def _is_one_kind(self) -> TriggerPart:
        if (self.event_pattern is None) == (self.schedule is None):
            raise refused("must have exactly one of eventPattern and schedule")
        if self.time_zone is not None and self.schedule is None:
            raise refused("has a timeZone, which goes with a schedule alone")
        return self


class ScheduleRequest(Part):
    """`POST /schedules`."""

    agent: Name
    schedule: str
    time_zone: str | None = None
    input: Input
    alias: Name | None = None
    session_id: Template | None = None
    memory_id: Template | None = None


def trigger_problems(given: TriggerPart | ScheduleRequest, path: str) -> Iterator[Problem]:
    """What no field shows by itself."""
    pattern = given.event_pattern if isinstance(given, TriggerPart) else None
    if pattern is not None:
        yield from pattern_problems(pattern, at(path, "eventPattern"))
    if given.schedule is not None and (fault := schedule_fault(given.schedule)):
        yield Problem(at(path, "schedule"), fault)
    if given.time_zone is not None and (fault := zone_fault(given.time_zone)):
        yield Problem(at(path, "timeZone"), fault)
    fields = SCHEDULE_FIELDS if pattern is None else EVENT_FIELDS
    templates = {"input": given.input, "sessionId": given.session_id, "memoryId": given.memory_id}
    for name, template in templates.items():
        if template is not None:
            yield from _placeholder_problems(template, fields, at(path, name))
            if name != "input" and not re.fullmatch(ID, PLACEHOLDER.sub("x", template)):
                yield Problem(at(path, name), f"{ID_IN_WORDS}; found {show(template)}")


def trigger_warnings(triggers: Iterable[TriggerPart], path: str) -> Iterator[str]:
    """Of triggers that hold."""
    for index, each in enumerate(triggers):
        if each.event_pattern is not None:
            yield from pattern_warnings(each.event_pattern, at(path, index, "eventPattern"))


def _placeholder_problems(template: str, fields: tuple[str, ...], path: str) -> Iterator[Problem]:
    for found in PLACEHOLDER.finditer(template):
        if found[1].partition(".")[0] not in fields or (fields == SCHEDULE_FIELDS and "." in found[1]):
            yield Problem(path, f"has {found[0]}; a placeholder begins with {choices(fields)}")
    if "{{" in PLACEHOLDER.sub("", template):
        yield Problem(path, "has {{ without a placeholder such as {{" + fields[0] + "}}; write { once")


def schedule_of(given: object, *, tenant: str, by: Principal, now: int, name: str) -> Trigger:
    """The schedule that is asked for, whose id follows from `name`. Raises `Invalid` with every problem."""
    if not isinstance(given, dict):
        raise Invalid(f"is {show(given)}; a schedule is an object")
    problems = plain_data_problems(cast("object", given))
    if problems:
        raise Invalid(problems)
    asked = parse(ScheduleRequest, cast("object", given), "", problems)
    if asked:
        problems += trigger_problems(asked, "")
    if problems or asked is None:
        raise Invalid(problems)
    made = _made(asked, asked.agent, tenant, by, now, trigger_id(tenant, asked.agent, "api", name), "api")
    if made.once_at is not None and made.once_at <= now:
        raise Invalid(f"is {show(asked.schedule)} in {made.time_zone}, which has passed", path="schedule")
    return made


def triggers_of(source: Mapping[str, Any], *, tenant: str, by: Principal, now: int) -> list[Trigger]:
    """The triggers of a configuration that holds. Their ids follow from when they go off.

    So a trigger whose input alone changes stays the same one: it neither misses an event nor answers it twice.
    """
    agent, made, times = source["agentName"], list[Trigger](), dict[str, int]()
    for each in source.get("triggers") or ():
        given = TriggerPart.model_validate(each)
        when = json.dumps([given.event_pattern, given.schedule, given.time_zone or UTC], sort_keys=True)
        times[when] = times.get(when, 0) + 1
        named = trigger_id(tenant, agent, "agent", when, times[when])
        made.append(_made(given, agent, tenant, by, now, named, "agent"))
    return made


def _made(
    given: TriggerPart | ScheduleRequest,
    agent: str,
    tenant: str,
    by: Principal,
    now: int,
    named: str,
    set_by: Literal["agent", "api"],
) -> Trigger:
    zone = given.time_zone or UTC
    return Trigger(
        tenant=tenant,
        trigger_id=named,
        agent=agent,
        input=given.input,
        set_by=set_by,
        created_by=by,
        created_at=now,
        schedule=given.schedule,
        time_zone=zone,
        event_pattern=given.event_pattern if isinstance(given, TriggerPart) else None,
        alias=given.alias,
        session_id=given.session_id,
        memory_id=given.memory_id,
        once_at=None if given.schedule is None else once_at(given.schedule, zone),
    )
