"""A run, as the stack tells of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .items import Principal, Usage, Wire
from .reading import mapping, mappings, number, text, text_or_none, texts, whole
from .waits import Awaited

NO_USAGE = Usage()


@dataclass(frozen=True, slots=True)
class RunError:
    type: str
    message: str


@dataclass(frozen=True, slots=True)
class ParentCall:
    """The call of another agent's run that a run answers."""

    run_id: str
    call_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One turn of a session. Times are ISO 8601 in UTC; `cost_usd` is None where a price is unknown.

    `cancelled_by` is `type:id` of who asked for its end, if anybody did.
    `replays` is the run that this one went through again, if it did. `awaiting` are the calls that it waits for, until
    `waits_until` at most; `children` are the runs of other agents that it has asked.
    """

    run_id: str
    session_id: str
    memory_id: str | None = None
    replays: str | None = None
    agent: str = ""
    agent_version: str = ""
    alias: str = ""
    execution_mode: str = ""
    status: str = ""
    stop_reason: str | None = None
    cancelled_by: str | None = None
    error: RunError | None = None
    input: str = ""
    output: str | None = None
    created_at: str = ""
    started_at: str | None = None
    finished_at: str | None = None
    usage: Usage = NO_USAGE
    cost_usd: float | None = None
    laps: int = 0
    calls: int = 0
    principal: Principal | None = None
    trigger: str = ""
    awaiting: tuple[Awaited, ...] = ()
    waits_until: str | None = None
    children: tuple[str, ...] = ()
    parent: ParentCall | None = None
    warnings: tuple[str, ...] = ()
    wire: Wire = field(default_factory=Wire, repr=False, compare=False)

    @property
    def ended(self) -> bool:
        """Nothing more happens."""
        return self.status not in ("QUEUED", "RUNNING", "AWAITING")

    @classmethod
    def read(cls, wire: Mapping[str, Any]) -> Run:
        error, parent = mapping(wire, "error"), mapping(wire, "parent")
        return cls(
            run_id=text(wire, "runId"),
            session_id=text(wire, "sessionId"),
            memory_id=text_or_none(wire, "memoryId"),
            replays=text_or_none(wire, "replays"),
            agent=text(wire, "agent"),
            agent_version=text(wire, "agentVersion"),
            alias=text(wire, "alias"),
            execution_mode=text(wire, "executionMode"),
            status=text(wire, "status"),
            stop_reason=text_or_none(wire, "stopReason"),
            cancelled_by=text_or_none(wire, "cancelledBy"),
            error=RunError(text(error, "type"), text(error, "message")) if error else None,
            input=text(wire, "input"),
            output=text_or_none(wire, "output"),
            created_at=text(wire, "createdAt"),
            started_at=text_or_none(wire, "startedAt"),
            finished_at=text_or_none(wire, "finishedAt"),
            usage=Usage.read(mapping(wire, "usage")),
            cost_usd=number(wire, "costUsd"),
            laps=whole(wire, "laps"),
            calls=whole(wire, "calls"),
            principal=Principal.read(mapping(wire, "principal")),
            trigger=text(wire, "trigger"),
            awaiting=tuple(Awaited.read(each) for each in mappings(wire, "awaiting")),
            waits_until=text_or_none(wire, "waitsUntil"),
            children=texts(wire, "children"),
            parent=ParentCall(text(parent, "runId"), text(parent, "callId")) if parent else None,
            warnings=texts(wire, "warnings"),
            wire=dict(wire),
        )


@dataclass(frozen=True, slots=True)
class Started:
    """A run that was accepted. `run` is there where it finished within `wait_seconds`."""

    run_id: str
    session_id: str
    status: str
    run: Run | None = None
    wire: Wire = field(default_factory=Wire, repr=False, compare=False)
