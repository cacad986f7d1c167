"""Ports that are watched: what goes through them is timed, counted and annotated, and handed on unchanged.

A handler wraps them anew for each invocation, so that the domain needs to know nothing of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import (
    OutcomeUnknown,
    ToolFailed,
    ToolThrottled,
    ToolUnavailable,
)
from ..value import Value, asdict
from ..values.decision import EXPIRED

if TYPE_CHECKING:
    from ..ports import HttpTools, McpTools, Sessions, Tools, Waits
    from ..values.agent import Server
    from ..values.conversation import Compaction
    from ..values.decision import Decision, Refusal
    from ..values.history import History
    from ..values.run import Lap, Marker, Result, Run, RunKey, Status
    from ..values.tool import Answer, HttpAnswer, HttpRequest
    from .invocation import Telemetry

    Told = TypeVar("Told")

ENDS: dict[Status, str] = {
    "COMPLETED": "RunsCompleted",
    "FAILED": "RunsFailed",
    "STOPPED": "RunsStopped",
    "CANCELLED": "RunsCancelled",
}


class ObservedTools:
    """`Tools`. These are attempts; what a call came to in the end is counted where its result is written."""

    def __init__(self, tools: Tools, telemetry: Telemetry) -> None:
        self._tools, self._telemetry = tools, telemetry

    def invoke(self, arn: str, event: Mapping[str, Any], *, timeout_seconds: int) -> Any:
        def attempt() -> Any:
            return self._tools.invoke(arn, event, timeout_seconds=timeout_seconds)

        return _attempted(attempt, self._telemetry, event=lambda: as_json(event), answer=as_json)


class ObservedHttpTools:
    """`HttpTools`, watched as `ObservedTools` are. What `tools` makes is made with the first call."""

    def __init__(self, tools: Callable[[], HttpTools], telemetry: Telemetry) -> None:
        self._tools, self._telemetry = tools, telemetry

    def __call__(self) -> ObservedHttpTools:
        return self

    def call(self, server: Server, request: HttpRequest, **more: Any) -> HttpAnswer:
        tools = self._tools()
        return _attempted(
            lambda: tools.call(server, request, **more),
            self._telemetry,
            event=lambda: as_json(request),
            answer=as_json,
        )


class ObservedMcpTools:
    """`McpTools`, likewise."""

    def __init__(self, tools: Callable[[], McpTools], telemetry: Telemetry) -> None:
        self._tools, self._telemetry = tools, telemetry

    def __call__(self) -> ObservedMcpTools:
        return self

    def call(self, server: Server, name: str, pin: str, arguments: Mapping[str, Any], **more: Any) -> Answer:
        tools = self._tools()
        return _attempted(
            lambda: tools.call(server, name, pin, arguments, **more),
            self._telemetry,
            event=lambda: as_json({"name": name, "arguments": arguments}),
            answer=as_json,
        )


def _attempted(
    attempt: Callable[[], Told],
    telemetry: Telemetry,
    *,
    event: Callable[[], str],
    answer: Callable[[Told], str],
) -> Told:
    """What one attempt at a tool answers, timed, counted by what came of it, and logged where that is asked for."""
    telemetry.content("tool event", event=event)
    began = perf_counter()
    try:
        with telemetry.segment("tool call", tool=telemetry.facts.get("tool", "")):
            told = attempt()
    except ToolThrottled:
        telemetry.count("ToolThrottles")
        raise
    except (ToolUnavailable, OutcomeUnknown):
        telemetry.count("ToolUnavailable")
        raise
    except ToolFailed:
        telemetry.count("ToolLatency", milliseconds_since(began))
        raise
    telemetry.count("ToolLatency", milliseconds_since(began))
    telemetry.content("tool answer", answer=lambda: answer(told))
    return told


class ObservedSessions:
    """`Sessions`. Reads tell who is at work, writes what came of it: each is counted once it is written.

    `statuses` are those of the runs that were read by themselves, as they were when first read.
    """

    def __init__(self, sessions: Sessions, telemetry: Telemetry) -> None:
        self._sessions, self._telemetry = sessions, telemetry
        self.statuses: dict[RunKey, Status] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sessions, name)

    def run(self, key: RunKey) -> Run | None:
        run = self._sessions.run(key)
        if run is not None:
            self.statuses.setdefault(key, run.status)
        return run

    def history(self, key: RunKey, compaction: Compaction | None = None) -> History | None:
        history = self._sessions.history(key, compaction)
        if history is not None:
            self._telemetry.note(agent=history.run.agent)
        return history

    def call(self, key: RunKey, lap: int, call: int) -> tuple[Run | None, Lap | None, Marker | Result | None]:
        run, written, outcome = self._sessions.call(key, lap, call)
        if run is not None and written is not None:
            self._telemetry.note(agent=run.agent, tool=written.calls[call].name)
        return run, written, outcome

    def add_result(self, key: RunKey, result: Result) -> None:
        self._sessions.add_result(key, result)
        self._count_result(result)

    def replace_marker(self, key: RunKey, marker: Marker, result: Result) -> bool:
        replaced = self._sessions.replace_marker(key, marker, result)
        if replaced:
            self._count_result(result)
        return replaced

    def finish(self, run: Run, *, results: Sequence[Result], **more: Any) -> None:
        self._sessions.finish(run, results=results, **more)
        for result in results:
            self._count_result(result)
        self._count_end(run)

    def end_queued(self, run: Run, *, before: Run) -> None:
        self._sessions.end_queued(run, before=before)
        self._count_end(run)

    def _count_result(self, result: Result) -> None:
        if result.outcome == "error":
            self._telemetry.count("ToolErrors")
        elif result.outcome == "unknown":
            self._telemetry.count("ToolOutcomesUnknown")

    def _count_end(self, run: Run) -> None:
        _count_end(run, self._telemetry)


class ObservedWaits:
    """`Waits`. What is decided is counted once it is written; another agent's answer is the end of its run already."""

    def __init__(self, waits: Waits, telemetry: Telemetry) -> None:
        self._waits, self._telemetry = waits, telemetry

    def __getattr__(self, name: str) -> Any:
        return getattr(self._waits, name)

    def park(self, run: Run, **more: Any) -> None:
        self._waits.park(run, **more)
        self._telemetry.count("RunsParked")

    def decide(
        self, decision: Decision, run: Run, *, result: Result | None, taken: Run | None = None, **more: Any
    ) -> None:
        self._waits.decide(decision, run, result=result, taken=taken, **more)
        if decision.by == EXPIRED:
            self._telemetry.count("DecisionsExpired")
        elif decision.wait != "agent":
            self._telemetry.count("DecisionsMade")
        # One that stays unknown was counted when it became so.
        if result is not None and result.outcome == "error":
            self._telemetry.count("ToolErrors")
        if taken is not None:
            _count_end(taken, self._telemetry)

    def refuse(self, key: RunKey, refusal: Refusal) -> None:
        self._waits.refuse(key, refusal)
        self._telemetry.count("DecisionsRefused")
        told = {"run_id": key.run_id, "tenant": key.tenant, "call": refusal.call, "principal": refusal.by}
        self._telemetry.logger.warning("decision refused", extra=told | {"reason": refusal.reason})


def _count_end(run: Run, telemetry: Telemetry) -> None:
    telemetry.count(ENDS[run.status])
    if run.finished_at is not None:
        telemetry.count("RunLatency", run.finished_at - run.created_at)


def as_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=_plain)


def _plain(value: object) -> object:
    return asdict(value) if isinstance(value, Value) else str(value)


def milliseconds_since(began: float) -> float:
    return round((perf_counter() - began) * 1000, 1)
