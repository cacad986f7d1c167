"""Live events of a run, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .items import Usage, Wire
from .reading import mapping, number, text, text_or_none, whole, whole_or_none
from .run import RunError
from .waits import Awaited


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEvent:
    """`seq` rises from event to event; a stream that is opened with `last_event_id=id` goes on behind this event."""

    id: str
    run_id: str
    seq: int
    at: str
    wire: Wire = field(default_factory=Wire, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(RunEvent):
    session_id: str
    agent: str
    agent_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LapStarted(RunEvent):
    """The model is asked, and has begun to answer."""

    lap: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TextDelta(RunEvent):
    """What follows the text of this lap that came before."""

    lap: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TextReset(RunEvent):
    """Forget the text of this lap: it begins anew, or came to nothing."""

    lap: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolStarted(RunEvent):
    """`arguments` is the model's own text."""

    lap: int
    call: int
    call_id: str
    tool: str
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolFinished(RunEvent):
    """`result_length` is there where `result` was cut: the session's items have all of it."""

    lap: int
    call: int
    call_id: str
    tool: str
    outcome: str
    result: str
    result_length: int | None = None
    duration_ms: int | None = None
    decided_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRequested(RunEvent):
    """Somebody has to decide about a call of the run `asked_by`, or, where it is `decided`, had to."""

    asked_by: str
    awaited: Awaited
    decided: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished(RunEvent):
    """The last event. `cost_usd` is None where a price is unknown."""

    status: str
    stop_reason: str | None
    error: RunError | None
    laps: int
    calls: int
    usage: Usage
    cost_usd: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherEvent(RunEvent):
    """One of a kind that this version does not know."""

    name: str


def read_event(event_id: str, name: str, wire: Mapping[str, Any]) -> RunEvent:
    of_run: Wire = {
        "id": event_id,
        "run_id": text(wire, "runId"),
        "seq": whole(wire, "seq"),
        "at": text(wire, "at"),
        "wire": dict(wire),
    }
    lap = whole(wire, "lap")
    match name:
        case "run.started":
            agent, version = text(wire, "agent"), text(wire, "agentVersion")
            return RunStarted(
                **of_run, session_id=text(wire, "sessionId"), agent=agent, agent_version=version
            )
        case "lap.started":
            return LapStarted(**of_run, lap=lap)
        case "text.delta":
            return TextDelta(**of_run, lap=lap, text=text(wire, "text"))
        case "text.reset":
            return TextReset(**of_run, lap=lap)
        case "tool.started":
            return ToolStarted(**of_run, **_call(wire), arguments=text(wire, "arguments"))
        case "tool.finished":
            return _finished_call(of_run, wire)
        case "approval.requested":
            awaiting = mapping(wire, "awaiting")
            return ApprovalRequested(
                **of_run,
                asked_by=text(awaiting, "runId"),
                awaited=Awaited.read(awaiting),
                decided=wire.get("decided") is True,
            )
        case "run.finished":
            return _finished_run(of_run, wire)
        case _:
            return OtherEvent(**of_run, name=name)


def _call(wire: Mapping[str, Any]) -> dict[str, Any]:
    numbers = {name: whole(wire, name) for name in ("lap", "call")}
    return numbers | {"call_id": text(wire, "callId"), "tool": text(wire, "tool")}


def _finished_call(of_run: Wire, wire: Mapping[str, Any]) -> ToolFinished:
    return ToolFinished(
        **of_run,
        **_call(wire),
        outcome=text(wire, "outcome"),
        result=text(wire, "result"),
        result_length=whole_or_none(wire, "resultLength"),
        duration_ms=whole_or_none(wire, "durationMs"),
        decided_by=text_or_none(wire, "decidedBy"),
    )


def _finished_run(of_run: Wire, wire: Mapping[str, Any]) -> RunFinished:
    error = mapping(wire, "error")
    return RunFinished(
        **of_run,
        status=text(wire, "status"),
        stop_reason=text_or_none(wire, "stopReason"),
        error=RunError(text(error, "type"), text(error, "message")) if error else None,
        laps=whole(wire, "laps"),
        calls=whole(wire, "calls"),
        usage=Usage.read(mapping(wire, "usage")),
        cost_usd=number(wire, "costUsd"),
    )
