"""What comes next in a run, judged from what is written and nothing else."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, Literal

from .value import Value
from .values.agent import Agent
from .values.history import History
from .values.run import Call, Run, Status
from .waiting import pending, ready

MODEL_TIMEOUT_SECONDS = 110
MAX_CALLS_PER_LAP = 90

# A Standard execution ends at 25,000 events. A lap with m tools costs about 11 + 7m; the 5,000 in hand
# are the retries of the largest lap.
EVENTS_PER_LAP, EVENTS_PER_CALL, EVENTS_SAFE = 11, 7, 20_000
# Of CompactHistory, and of the InvokeModel and the choice that lead to it.
EVENTS_PER_COMPACTION = 20
# Of ParkRun, where it comes back, and of the InvokeModel and the choices beside it.
EVENTS_PER_PARK = 25
EXPRESS_SECONDS, EXPRESS_MARGIN_SECONDS = 300, 10
# A compaction that takes longer is done without; the state makes two attempts.
COMPACTION_SECONDS, COMPACTION_ATTEMPTS = 45, 2


class Step(Value):
    """InvokeModel's answer to the state machine: ids and counters, never content.

    `compact` says whether this execution may still compact; `summarize` is for a run that has ended; `wait` for one
    that is to be parked. `mcp` are those of the `calls` that another function makes.
    """

    step: Literal["tools", "wait", "compact", "finish", "continue", "summarize", "stop"]
    lap: int = 0
    calls: tuple[int, ...] = ()
    mcp: tuple[int, ...] = ()
    concurrency: int = 1
    events: int = 0
    status: Status | None = None
    reason: str | None = None
    compact: bool = True

    def to_state(self) -> dict[str, Any]:
        """The state machine's payload: a few hundred bytes, whatever the conversation holds."""
        return {
            "step": self.step,
            "lap": self.lap,
            "calls": list(self.calls),
            "mcp": list(self.mcp),
            "concurrency": self.concurrency,
            "events": self.events,
            "compact": self.compact,
            "outcome": {"status": self.status, "reason": self.reason},
        }


STOP = Step("stop")


def decide(history: History, agent: Agent, *, now: int, events: int) -> Step | None:
    """The next step, or None where the model has to be asked.

    `events` counts the events that this execution has caused so far. An answer that is written wins over a limit
    that was passed meanwhile; a limit wins over tools that were asked for, because their results would reach nobody.
    """
    run, last = history.run, history.last
    lap = last.lap if last else 0
    if last and not last.calls:
        status, reason = _answered(last.stop)
        return Step("finish", lap, status=status, reason=reason)
    if run.cancel_requested_at is not None:
        return Step("finish", lap, status="CANCELLED", reason="cancelRequested")
    reason = _limit_reached(history, agent, now=now)
    if reason:
        return Step("finish", lap, status="STOPPED", reason=reason)
    if _execution_is_worn(history, agent, now=now, events=events):
        return Step("continue", lap)
    calls = ready(history, agent)
    if last and calls:
        caused = events + EVENTS_PER_LAP + EVENTS_PER_CALL * len(calls)
        mcp = tuple(i for i in calls if (tool := agent.tool(last.calls[i].name)) and tool.mcp)
        return Step("tools", lap, calls, mcp, agent.limits.max_concurrent_tools, caused)
    return Step("wait", lap, events=events + EVENTS_PER_PARK) if pending(history, agent) else None


def _answered(stop: str) -> tuple[Status, str | None]:
    reasons = {"length": "maximumLength", "filtered": "contentFiltered"}
    return ("STOPPED", reasons[stop]) if stop in reasons else ("COMPLETED", None)


def _limit_reached(history: History, agent: Agent, *, now: int) -> str | None:
    limits, totals = agent.limits, history.totals
    if history.run.deadline_at is not None and now >= history.run.deadline_at:
        return "timeoutSeconds"
    if totals.laps >= limits.max_laps:
        return "maxLaps"
    if limits.max_tokens is not None and totals.usage.total >= limits.max_tokens:
        return "maxTokens"
    if (
        limits.max_cost_usd is not None
        and totals.cost_usd is not None
        and totals.cost_usd >= limits.max_cost_usd
    ):
        return "maxCostUsd"
    if _repeats(history) >= limits.same_call_repeats:
        return "sameCallRepeats"
    return None


def _repeats(history: History) -> int:
    """How often the run has asked for the most repeated call of its last lap, as long as that waits for an answer.

    A refused call counts too: a model that repeats it has not understood why.
    """
    if history.last is None or not (history.unanswered or history.refused_only):
        return 0
    asked = Counter(_same(call) for lap in history.laps for call in lap.calls)
    return max(asked[_same(call)] for call in history.last.calls)


def _same(call: Call) -> tuple[str, str]:
    if call.refused is not None:
        return call.name, call.arguments
    return call.name, json.dumps(json.loads(call.arguments), sort_keys=True)


def _execution_is_worn(history: History, agent: Agent, *, now: int, events: int) -> bool:
    """Whether the next lap, at worst, would not fit into what is left of this execution."""
    run = history.run
    if run.mode == "durable":
        return events + EVENTS_PER_LAP + EVENTS_PER_CALL * MAX_CALLS_PER_LAP > EVENTS_SAFE
    slowest = max((tool.timeout_seconds for tool in agent.tools if tool.enabled), default=0)
    needed = MODEL_TIMEOUT_SECONDS + slowest + EXPRESS_MARGIN_SECONDS
    left = EXPRESS_SECONDS - (now - (run.started_at or now)) / 1000
    return left < needed


def is_late_to_compact(run: Run, *, now: int) -> bool:
    """Whether a compaction at its slowest would outlast this execution."""
    age = (now - (run.started_at or now)) / 1000
    needed = COMPACTION_ATTEMPTS * (COMPACTION_SECONDS + EXPRESS_MARGIN_SECONDS) + MODEL_TIMEOUT_SECONDS
    return run.mode == "fast" and EXPRESS_SECONDS - age < needed
