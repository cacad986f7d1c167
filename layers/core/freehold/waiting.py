"""Which calls of a run's last lap can be made, and what the others wait for: judged from what is written."""

from __future__ import annotations

import hashlib
import json

from .values.agent import Agent, Tool, Wait
from .values.decision import Pending
from .values.history import History
from .values.run import Lap, Run, RunKey

# They hold a call up until somebody agrees; what else a call waits for brings its result.
GUARDS: tuple[Wait, ...] = ("confirmation", "approval")


def call_id(key: RunKey, lap: int, call: int) -> str:
    """The same on every replay, and within what the strictest provider accepts."""
    return f"t{key.turn}-l{lap}-c{call}"


def digest(key: RunKey, lap: Lap, call: int, kind: Wait) -> str:
    """Names a call, its arguments and what it waits for: a decision about anything else has another one."""
    made = lap.calls[call]
    named = [key.run_id, call_id(key, lap.lap, call), made.name, made.arguments, kind]
    return hashlib.sha256(json.dumps(named, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


def waits(history: History, agent: Agent, call: int) -> tuple[Wait, ...]:
    """What a call of the last lap still waits for, one after the other. A replay waits for nobody."""
    last = history.last
    tool = agent.tool(last.calls[call].name) if last else None
    if last is None or tool is None or history.run.replays is not None:
        return ()
    agreed = {
        decision.wait
        for decision in history.decisions
        if (decision.lap, decision.call, decision.verdict) == (last.lap, call, "approve")
    }
    return tuple(kind for kind in tool.waits if kind not in agreed)


def ready(history: History, agent: Agent) -> tuple[int, ...]:
    """Calls of the last lap that have no result yet and wait for nobody."""
    return tuple(i for i in history.unanswered if not waits(history, agent, i))


def pending(history: History, agent: Agent) -> tuple[Pending, ...]:
    """What has to be decided before the run goes on: of each call, what comes next."""
    last = history.last
    if last is None:
        return ()
    held: dict[int, Wait] = {i: kinds[0] for i in history.unanswered if (kinds := waits(history, agent, i))}
    if agent.on_unknown_outcome == "ask" and history.run.replays is None:
        held.update((i, "outcome") for i in last.open_calls if _is_unknown(history, last, i))
    return tuple(
        Pending(last.lap, i, kind, digest(history.run.key, last, i, kind)) for i, kind in sorted(held.items())
    )


def _is_unknown(history: History, last: Lap, call: int) -> bool:
    """Whether nobody knows what came of the call, and nobody has been asked."""
    result = history.results.get((last.lap, call))
    return result is not None and result.outcome == "unknown" and result.decided_by is None


def guarded(history: History, agent: Agent) -> bool:
    """Whether what was decided about the last lap has to be read to tell which of its calls can be made."""
    last = history.last
    if last is None or history.run.replays is not None:
        return False
    tools = (agent.tool(last.calls[i].name) for i in history.unanswered)
    return any(tool is not None and tool.guards for tool in tools)


def may_be_made(tool: Tool, run: Run, agreed: set[Wait]) -> bool:
    """Whether RunTool makes a call of `tool` to whose guards `agreed` have agreed."""
    return run.replays is not None or all(kind in agreed for kind in tool.waits)
