"""State InvokeModel: take a run one lap further."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from . import compacting
from .asking import Answer, ask
from .conversation import Conversation, estimate, gathered
from .decide import (
    EVENTS_PER_COMPACTION,
    EVENTS_PER_LAP,
    MAX_CALLS_PER_LAP,
    MODEL_TIMEOUT_SECONDS,
    STOP,
    Step,
    decide,
    is_late_to_compact,
)
from .errors import FreeholdError, ModelRejected, ModelThrottled, ModelUnavailable, StaleWrite
from .ports import Agents, LiveTexts, Memories, Models, Sessions
from .reading import Reading, read
from .state import run_of
from .telling import Audience
from .value import Value, replace
from .values.agent import Agent, Tool
from .values.history import History
from .values.model import ToolUse
from .values.run import Call, Discarded, Lap, Result, Run, RunKey
from .values.text import well_formed
from .waiting import guarded

Clock = Callable[[], int]
ArgumentCheck = Callable[[Tool, str], str | None]

GIVEN_UP = "The tool gave no result, although it was tried several times."
# What is kept of the Lambda's own time for writing the lap.
TIMEOUT_MARGIN_SECONDS = 5
DISCARD_ATTEMPTS = 20


class Invocation(Value):
    """What the state machine passes to InvokeModel: which run, and what happened since the last lap.

    `failed` are calls of the last lap that the Map gave up on; `attempt` counts the retries of this state; `events`
    those that this execution has caused; `remaining_ms` is what is left of this Lambda invocation. `compact`: whether
    the conversation's oldest part may be compacted first; no longer where that has failed. `summary`: the execution was
    begun to sum up a run that has ended.
    """

    key: RunKey
    execution: int
    failed: tuple[int, ...] = ()
    attempt: int = 0
    events: int = 0
    remaining_ms: int = MODEL_TIMEOUT_SECONDS * 1000 + 10_000
    compact: bool = True
    summary: bool = False

    @classmethod
    def of(cls, event: Mapping[str, Any], remaining_ms: int) -> Invocation:
        """From `{run, failed, attempt, events, compact}`, as the state machine sends it.

        Executions that the release before this one began know no `compact` and no state for it.
        """
        (key, execution), failed = run_of(event), tuple(event["failed"])
        compact, summary = event.get("compact", False), "summary" in event["run"]
        return cls(key, execution, failed, event["attempt"], event["events"], remaining_ms, compact, summary)


class Collaborators(Value):
    """All that `take_turn` needs from outside. `check` says what is wrong with a call's arguments, or None."""

    sessions: Sessions
    memories: Memories
    agents: Agents
    models: Models
    live: LiveTexts
    check: ArgumentCheck
    now: Clock
    new_id: Callable[[], str]


def take_turn(invocation: Invocation, using: Collaborators) -> Step:
    """Decide what comes next; ask the model where that is not yet written. Safe to repeat and to overlap."""
    step = _next_step(invocation, using)
    return step if step is STOP else replace(step, compact=invocation.compact)


def _next_step(invocation: Invocation, using: Collaborators) -> Step:
    reading = read(invocation.key, using.sessions)
    if reading is None or not _is_current(reading.run, invocation):
        summed = reading is not None and invocation.summary and reading.run.ended and reading.run.summary_due
        return Step("summarize") if summed else STOP
    run = reading.run
    if not reading.current.laps and _is_orphaned(run, using.sessions):
        return Step("finish", status="CANCELLED", reason="cancelRequested")
    agent = using.agents.snapshot(run.tenant, run.agent, run.agent_digest)
    reading = _with_decisions(_give_up(reading, invocation, using), agent, using.sessions)
    history = reading.current
    step = decide(history, agent, now=using.now(), events=invocation.events)
    if step is not None:
        return step
    conversation = gathered(reading, agent, sessions=using.sessions, memories=using.memories, now=using.now())
    if invocation.compact and compacting.is_due(conversation, using.models.choose(agent.model)[1]):
        lap = history.last.lap if history.last else 0
        if is_late_to_compact(run, now=using.now()):
            return Step("continue", lap)
        return Step("compact", lap, events=invocation.events + EVENTS_PER_COMPACTION)
    lap = _add_lap(conversation, invocation, using)
    after = replace(history, laps=(*history.laps, lap))
    step = decide(after, agent, now=using.now(), events=invocation.events)
    # Every call was refused: there is nothing to run, and the model is told so in the next lap.
    return step or Step("tools", lap.lap, events=invocation.events + EVENTS_PER_LAP)


def _is_current(run: Run, invocation: Invocation) -> bool:
    return run.status == "RUNNING" and run.execution == invocation.execution


def _is_orphaned(run: Run, sessions: Sessions) -> bool:
    """Whether the call of another agent's run that this one answers waits for it no longer."""
    key = RunKey.parse(run.tenant, run.parent.run_id) if run.parent else None
    if key is None or run.parent is None:
        return False
    parent, call = sessions.run(key), (run.parent.lap, run.parent.call)
    return parent is None or all((each.lap, each.call) != call for each in parent.pending)


def _give_up(reading: Reading, invocation: Invocation, using: Collaborators) -> Reading:
    """Write a failed result for each call that the Map gave up on. A marked call is left to RunTool."""
    history = reading.current
    last = history.last
    if last is None or not invocation.failed:
        return reading
    unmarked = [
        i for i in invocation.failed if i in history.unanswered and (last.lap, i) not in history.markers
    ]
    for i in unmarked:
        result = Result(last.lap, i, last.calls[i].name, "error", GIVEN_UP, using.now())
        using.sessions.add_result(invocation.key, result)
    return (read(invocation.key, using.sessions) or reading) if unmarked else reading


def _with_decisions(reading: Reading, agent: Agent, sessions: Sessions) -> Reading:
    history = reading.current
    if history.last is None or not guarded(history, agent):
        return reading
    decisions = tuple(sessions.decisions(history.run.key, history.last.lap))
    return replace(reading, current=replace(history, decisions=decisions))


def _add_lap(conversation: Conversation, invocation: Invocation, using: Collaborators) -> Lap:
    history = conversation.current
    began = using.now()
    until = began + invocation.remaining_ms - TIMEOUT_MARGIN_SECONDS * 1000
    if history.run.deadline_at is not None:
        until = min(until, history.run.deadline_at)
    audience = Audience(invocation.key, _next_lap(history), using.live, using.now, using.new_id)
    try:
        answer = ask(conversation, using.models, now=using.now, until=until, audience=audience)
    except (ModelRejected, ModelThrottled, ModelUnavailable) as error:
        _keep_words(history.run, error, using)
        raise
    lap = _lap(history, conversation.agent, answer, invocation, using, began)
    written = using.sessions.add_lap(invocation.key, lap)
    if written.id != lap.id:
        _discard(lap, invocation.key, using)
    return written


def _keep_words(run: Run, error: FreeholdError, using: Collaborators) -> None:
    """The state carries no content, so what the provider said goes to the run itself, where its end finds it."""
    if error.words != run.model_words:
        # Whoever wrote the run first has ended, cancelled or taken it over.
        with suppress(StaleWrite):
            using.sessions.keep_words(run, error.words)


def _discard(lap: Lap, key: RunKey, using: Collaborators) -> None:
    """Keep a reply that lost the race for its lap. It was billed, so it counts, also where the run has ended."""
    lost = Discarded(lap.lap, lap.id, lap.at, lap.model, lap.usage, lap.cost_usd)
    for _ in range(DISCARD_ATTEMPTS):
        history = using.sessions.history(key)
        if history is None:
            return
        run = history.run
        # `rev` rises in any case: an ending that has summed up the replies by now must do so again.
        totals = replace(history, discarded=(*history.discarded, lost)).totals if run.ended else run.totals
        try:
            using.sessions.add_discarded(lost, replace(run, rev=run.rev + 1, totals=totals), before=run)
        except StaleWrite:
            continue
        return
    raise StaleWrite(f"run {key.run_id} changed at each of {DISCARD_ATTEMPTS} attempts to count a reply")


def _lap(
    history: History,
    agent: Agent,
    answer: Answer,
    invocation: Invocation,
    using: Collaborators,
    began: int,
) -> Lap:
    at, entry, reply = using.now(), answer.entry, answer.reply
    calls = tuple(judged(use, agent, using.check) for use in reply.calls[:MAX_CALLS_PER_LAP])
    return Lap(
        lap=_next_lap(history),
        id=answer.attempt,
        at=at,
        model=reply.model,
        text=well_formed(reply.text),
        calls=calls,
        usage=reply.usage,
        cost_usd=entry.price.cost(reply.usage) if entry.price else None,
        duration_ms=at - began,
        stop=reply.stop,
        attempt=invocation.attempt,
        reasoning=reply.reasoning,
        reasoning_by=entry.maker if reply.reasoning else None,
        session_attributes=history.session_attributes,
        prompt_session_attributes=history.prompt_session_attributes,
        fallback=answer.fallback,
        estimate=estimate(answer.request),
    )


def _next_lap(history: History) -> int:
    return history.last.lap + 1 if history.last else 1


def judged(use: ToolUse, agent: Agent, check: ArgumentCheck) -> Call:
    """Judge a call once, where it is written down: what is refused here never reaches a tool."""
    tool = agent.tool(use.name)
    arguments = well_formed(use.arguments).strip() or "{}"
    if tool is None:
        # A provider refuses a history with a name it would not have offered, so the name is made one.
        name = re.sub(r"[^a-zA-Z0-9_-]", "_", use.name)[:64] or "unnamed"
        return Call(name, arguments, _unknown(use.name, agent))
    if not tool.enabled:
        return Call(use.name, arguments, f"The tool {use.name} is disabled. Do without it.")
    return Call(use.name, arguments, check(tool, arguments))


def _unknown(name: str, agent: Agent) -> str:
    # Few models ever make up a name.
    from difflib import get_close_matches

    offered = [tool.name for tool in agent.tools if tool.enabled]
    close = get_close_matches(name, offered, n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    return f"There is no tool named {well_formed(name[:64])}.{hint} Tools: {', '.join(offered) or 'none'}."
