"""Schedules of EventBridge Scheduler."""

from __future__ import annotations

import time
from datetime import datetime
from importlib import import_module
from typing import Any
from zoneinfo import ZoneInfo

from freehold_cli.local.patches.upstream import wrap


def take_a_time_in_its_zone() -> None:
    """A one-time schedule comes due at its time in its zone. MiniStack reads every time as UTC.

    It does read a time with an offset, so that is what it gets.
    """

    def keep(original: Any, name: str, body: dict[str, Any]) -> Any:
        when: str = body.get("ScheduleExpression") or ""
        zone: str = body.get("ScheduleExpressionTimezone") or "UTC"
        if when.startswith("at(") and zone != "UTC":
            at = datetime.fromisoformat(when[3:-1]).replace(tzinfo=ZoneInfo(zone))
            body = body | {"ScheduleExpression": f"at({at.isoformat()})"}
        return original(name, body)

    service = import_module("ministack.services.scheduler")
    for operation in ("_create_schedule", "_update_schedule"):
        wrap(service, operation, keep, reads=('"ScheduleExpression": body["ScheduleExpression"]',))


def keep_the_pace_of_rates() -> None:
    """After a restart a schedule at a rate comes due when it would have anyway.

    MiniStack forgets when it came due last and counts from when it was made, so that it comes due at once.
    """
    service = import_module("ministack.services.scheduler")
    bus = import_module("ministack.services.eventbridge")

    def tick(original: Any) -> None:
        now, last = time.time(), service._schedule_last_fired
        for key, schedule in list(service._schedules._data.items()):
            interval = bus._parse_rate_seconds(schedule["ScheduleExpression"])
            if interval and key not in last:
                begins = service._to_epoch(schedule["StartDate"]) or schedule["CreationDate"]
                last[key] = now - (now - begins) % interval
        original()

    reads = ('_schedule_last_fired[state_key] = sched.get("CreationDate", now)',)
    wrap(service, "_tick_schedules", tick, reads=reads)
