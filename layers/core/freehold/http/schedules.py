"""Schedules over HTTP."""

from __future__ import annotations

from .. import wiring
from ..adapters.claims import Claim
from ..errors import Conflict, NotFound
from ..triggering import add, remove
from ..value import replace
from ..values.agent import DRAFT
from ..values.trigger import Trigger
from ..wiring.triggers import triggering, triggers
from . import requests, shapes
from .caller import Caller
from .shapes import Json


def create(caller: Caller, body: str | None, claim: Claim) -> Json:
    """Its id follows from the claim, so that the same request has one at most."""
    from ..configuration.triggers import schedule_of

    tenant = caller.needs("admin").tenant
    schedule = schedule_of(
        requests.document(body), tenant=tenant, by=caller.principal, now=wiring.now(), name=claim.id
    )
    wiring.agents().draft(tenant, schedule.agent)
    if schedule.alias not in (None, DRAFT):
        wiring.agents().alias(tenant, schedule.agent, schedule.alias)
    before = triggers().find(tenant, schedule.trigger_id) if claim.again else None
    if before is not None:
        schedule = replace(schedule, created_at=before.created_at, armed=before.armed)
    added = add(schedule, triggering())
    try:
        wiring.agents().draft(tenant, schedule.agent)
    except NotFound:
        # Whoever deleted it meanwhile may have seen no schedule yet.
        remove(schedule, triggering())
        raise
    if added is None:
        raise Conflict(f"schedule {schedule.trigger_id} was removed meanwhile")
    return shape(added)


def listed(caller: Caller, query: dict[str, str] | None) -> Json:
    tenant = caller.needs("read").tenant
    asked = requests.read_list_query(query)
    found, token = triggers().page(tenant, limit=asked.limit, token=asked.nextToken)
    told = [shape(each) for each in found if each.schedule is not None]
    return shapes.page({"schedules": [without_input(each) for each in told]}, token)


def get(caller: Caller, schedule_id: str) -> Json:
    return shape(_found(caller.needs("read").tenant, schedule_id))


def delete(caller: Caller, schedule_id: str) -> None:
    schedule = _found(caller.needs("admin").tenant, schedule_id)
    if schedule.set_by == "agent":
        raise Conflict(
            f"schedule {schedule_id} is one of the triggers of agent {schedule.agent}: apply it without"
        )
    remove(schedule, triggering())


def shape(schedule: Trigger) -> Json:
    told: Json = {
        "scheduleId": schedule.trigger_id,
        "agent": schedule.agent,
        "schedule": schedule.schedule,
        "timeZone": schedule.time_zone,
        "input": schedule.input,
        "alias": schedule.alias,
        "sessionId": schedule.session_id,
        "memoryId": schedule.memory_id,
        "setBy": schedule.set_by,
        "armed": triggering().is_armed(schedule),
        "createdBy": shapes.principal_shape(schedule.created_by),
        "createdAt": shapes.iso(schedule.created_at),
    }
    return {name: value for name, value in told.items() if value is not None}


def without_input(told: Json) -> Json:
    return {name: value for name, value in told.items() if name != "input"}


def with_input(told: Json, body: str | None) -> Json:
    """An answer that was kept without it, from the body that was sent again."""
    return told | {"input": requests.document(body)["input"]}


def _found(tenant: str, schedule_id: str) -> Trigger:
    found = triggers().find(tenant, schedule_id)
    if found is None or found.schedule is None:
        raise NotFound(f"no schedule {schedule_id}")
    return found
