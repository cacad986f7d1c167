"""Schedules of EventBridge Scheduler."""

from __future__ import annotations

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
