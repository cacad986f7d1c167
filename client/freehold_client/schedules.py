"""Schedules: runs that begin by the clock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from .connection import Connection, pages, segment
from .items import Principal, Wire
from .reading import mapping, text, text_or_none


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """`set_by` is `agent` where it stands among the agent's triggers. `input` is left out of lists.

    What is not `armed` begins no run: AWS has not taken it yet, or its one time has passed.
    """

    schedule_id: str
    agent: str = ""
    schedule: str = ""
    time_zone: str = ""
    input: str = ""
    alias: str | None = None
    session_id: str | None = None
    memory_id: str | None = None
    set_by: str = ""
    armed: bool = True
    created_by: Principal | None = None
    created_at: str = ""
    wire: Wire = field(default_factory=Wire, repr=False, compare=False)

    @classmethod
    def read(cls, wire: Mapping[str, Any]) -> Schedule:
        return cls(
            schedule_id=text(wire, "scheduleId"),
            agent=text(wire, "agent"),
            schedule=text(wire, "schedule"),
            time_zone=text(wire, "timeZone"),
            input=text(wire, "input"),
            alias=text_or_none(wire, "alias"),
            session_id=text_or_none(wire, "sessionId"),
            memory_id=text_or_none(wire, "memoryId"),
            set_by=text(wire, "setBy"),
            armed=wire.get("armed") is not False,
            created_by=Principal.read(mapping(wire, "createdBy")),
            created_at=text(wire, "createdAt"),
            wire=dict(wire),
        )


class Schedules:
    """Adds, lists and removes schedules."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(
        self,
        agent: str,
        schedule: str,
        input: str,  # noqa: A002 - the contract's own word
        *,
        time_zone: str | None = None,
        alias: str | None = None,
        session_id: str | None = None,
        memory_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> Schedule:
        """Begin a run of `agent` whenever `schedule` comes due. `{{scheduledTime}}` in `input` is when that is.

        stack.schedules.add("reporter", "cron(0 8 ? * MON *)", "Report on last week.", time_zone="Europe/Berlin")
        """
        asked = {
            "agent": agent,
            "schedule": schedule,
            "input": input,
            "timeZone": time_zone,
            "alias": alias,
            "sessionId": session_id,
            "memoryId": memory_id,
        }
        body = {name: value for name, value in asked.items() if value is not None}
        key = idempotency_key or str(uuid4())
        _, wire = self._connection.request("POST", "/schedules", body, idempotency_key=key)
        return Schedule.read(wire)

    def list(self) -> Iterator[Schedule]:
        """Without their inputs; pages are read as they are needed."""
        return (Schedule.read(wire) for wire in pages(self._connection, "/schedules", "schedules"))

    def get(self, schedule_id: str) -> Schedule:
        _, wire = self._connection.request("GET", f"/schedules/{segment(schedule_id)}")
        return Schedule.read(wire)

    def remove(self, schedule_id: str) -> None:
        """Raises `Conflict` for one of an agent's triggers, which goes when the agent is applied without it."""
        self._connection.request("DELETE", f"/schedules/{segment(schedule_id)}")
