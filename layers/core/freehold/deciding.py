"""Decide about a call that a run waits for: once, by whom it is for, about the arguments that were shown."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from .approving import Asked, Decider, check
from .beginning import continue_run
from .errors import Conflict, Denied, FreeholdError, NotFound, StaleWrite
from .ports import Agents, Executions, Sessions, Waits
from .reading import read
from .values.agent import Agent, Wait
from .values.decision import EXPIRED, Decision, Pending, Refusal, Verdict
from .values.history import History
from .values.run import UNKNOWN, CallOutcome, Result, Run, RunKey
from .waiting import call_id, digest, pending

DECIDE_ATTEMPTS = 50
# What the model is told where there is no result.
DENIED: dict[Wait, str] = {
    "confirmation": "The user did not confirm this call, so it was not made.",
    "approval": "This call was not approved, so it was not made.",
    "result": "This call was declined by whoever was to make it, so it was not made.",
    "answer": "The user does not want to answer.",
    "outcome": UNKNOWN,
}
TOO_LATE: dict[Wait, str] = {
    "confirmation": "Nobody confirmed this call in time, so it was not made.",
    "approval": "Nobody approved this call in time, so it was not made.",
    "result": "Nobody sent a result of this call in time. It may or may not have been made.",
    "answer": "The user has not answered in time.",
    "handback": "No person has handed the conversation back in time. The user may still wait for help.",
    "agent": "The other agent has not answered in time.",
    "outcome": UNKNOWN,
}


@dataclass(frozen=True, slots=True)
class DecideCollaborators:
    sessions: Sessions
    waits: Waits
    agents: Agents
    executions: Executions
    now: Callable[[], int]


def check_call(key: RunKey, asked: Asked, by: Decider, using: DecideCollaborators) -> None:
    """Raise what `decide_call` would, and write the same refusal, but no decision."""
    _judged(key, asked, by, using)


def decide_call(key: RunKey, asked: Asked, by: Decider, using: DecideCollaborators) -> Run:
    """Write the decision, and let the run go on where it waits for nothing else. A repeat changes nothing.

    Raises `NotFound`, `Denied` or `Conflict`; what a person was refused is written down.
    """
    for _ in range(DECIDE_ATTEMPTS):
        run, wanted = _judged(key, asked, by, using)
        if wanted is None:
            return go_on(run, using)
        try:
            decided = _write(run, wanted, asked, by, using)
        except StaleWrite:
            continue
        return go_on(decided, using)
    raise StaleWrite(f"run {key.run_id} changed at each of {DECIDE_ATTEMPTS} attempts to decide about it")


def _judged(key: RunKey, asked: Asked, by: Decider, using: DecideCollaborators) -> tuple[Run, Pending | None]:
    """What the decision is to be about; None where it was taken already, as it is asked for now."""
    run = using.sessions.run(key)
    if run is None:
        raise NotFound(f"no run {key.run_id}")
    made = [each for each in using.sessions.decisions(key, asked.lap) if each.call == asked.call]
    if any((each.request, each.by) == (asked.request, by.name) for each in made):
        return run, None
    try:
        run, wanted = _wanted(run, asked, made, using)
        _check(run, wanted, asked, by, using)
    except (Conflict, Denied, NotFound) as error:
        if by.principal is not None:
            refuse(key, call_id(key, asked.lap, asked.call), asked.verdict, by, error, using)
        raise
    return run, wanted


def go_on(run: Run, using: DecideCollaborators) -> Run:
    """Start the execution that a run needs which waits no longer; the sweeper does where this dies."""
    if run.status == "RUNNING" and run.execution == run.resumed_from:
        continue_run(run.key, run.execution, using.sessions, using.executions, now=using.now())
        return using.sessions.run(run.key) or run
    return run


def _wanted(run: Run, asked: Asked, made: list[Decision], using: DecideCollaborators) -> tuple[Run, Pending]:
    """What the call waits for, of a run that is parked or about to be, and the run as that was read."""
    name = call_id(run.key, asked.lap, asked.call)
    if run.ended:
        raise Conflict(f"run {run.key.run_id} has ended; it waits for nothing")
    waiting = run.pending
    if run.status == "RUNNING":
        history, agent = current(run.key, using)
        run, waiting = history.run, pending(history, agent)
    found = next((each for each in waiting if (each.lap, each.call) == (asked.lap, asked.call)), None)
    if found is not None and asked.kind in (None, found.kind):
        return run, found
    if made:
        raise Conflict(f"call {name} was decided already: {made[-1].verdict} by {made[-1].by}")
    raise NotFound(f"run {run.key.run_id} waits for no decision about a call {name}")


def current(key: RunKey, using: DecideCollaborators) -> tuple[History, Agent]:
    """The run with what was decided about its last lap. Raises `NotFound`."""
    reading = read(key, using.sessions)
    if reading is None:
        raise NotFound(f"no run {key.run_id}")
    history, run = reading.current, reading.run
    decisions = using.sessions.decisions(key, history.last.lap) if history.last else ()
    agent = using.agents.snapshot(run.tenant, run.agent, run.agent_digest)
    return replace(history, decisions=tuple(decisions)), agent


def _check(run: Run, wanted: Pending, asked: Asked, by: Decider, using: DecideCollaborators) -> None:
    """Raises `Denied` or `Conflict`. Freehold itself decides about everything."""
    if by.principal is None:
        return
    agent = using.agents.snapshot(run.tenant, run.agent, run.agent_digest)
    session = using.sessions.session(run.tenant, run.session_id)
    users = session.principals if session and session.conversation == run.conversation else ()
    name = call_id(run.key, asked.lap, asked.call)
    if run.status == "AWAITING" and using.now() >= run.waits_until:
        raise Conflict(f"call {name} waits no longer: its time is over")
    check(name, wanted, asked.verdict, asked.digest, by, run=run, agent=agent, users=users)


def refuse(
    key: RunKey, call: str, verdict: Verdict, by: Decider, error: FreeholdError, using: DecideCollaborators
) -> None:
    """Write down that a decision about `call`, as it was named, was not taken."""
    # The same attempt again adds nothing, and whoever may not decide must not fill a table.
    told = json.dumps([call, verdict, by.name, type(error).__name__])
    refusal_id = hashlib.sha256(told.encode()).hexdigest()[:16]
    using.waits.refuse(key, Refusal(refusal_id, call, verdict, by.name, using.now(), str(error)))


# -- what comes of it


def _write(run: Run, wanted: Pending, asked: Asked, by: Decider, using: DecideCollaborators) -> Run:
    now = using.now()
    decision = Decision(
        asked.lap,
        asked.call,
        wanted.kind,
        asked.verdict,
        by.name,
        now,
        wanted.digest,
        asked.request,
        asked.comment,
    )
    decided = _decided(run, wanted, asked, using, now=now)
    session_before = session = None
    if wanted.kind == "handback" and not any(each.kind == "handback" for each in decided.pending):
        session_before = using.sessions.session(run.tenant, run.session_id)
        if session_before and session_before.conversation == run.conversation and session_before.escalation:
            session = replace(session_before, rev=session_before.rev + 1, escalation=None)
    using.waits.decide(
        decision,
        decided,
        before=run,
        result=_result(run, wanted, asked, by, using, now=now),
        session=session,
        session_before=session_before if session else None,
        idempotency=asked.idempotency,
        taken=asked.takes and _taken(asked.takes, now=now),
        taken_before=asked.takes,
    )
    return decided


def _taken(queued: Run, *, now: int) -> Run:
    return replace(
        queued,
        status="CANCELLED",
        rev=queued.rev + 1,
        finished_at=now,
        last_lap=0,
        stop_reason="answeredQuestion",
        totals=History(queued).totals,
        undelivered=True,
    )


def _decided(run: Run, wanted: Pending, asked: Asked, using: DecideCollaborators, *, now: int) -> Run:
    """The run after it: what else the call waits for is next, and without anything left it goes on."""
    if run.status != "AWAITING":
        # InvokeModel finds the decision; this makes it look again.
        return replace(run, rev=run.rev + 1)
    upcoming = _upcoming(run, wanted, using) if asked.verdict == "approve" else ()
    left = (*(each for each in run.pending if each != wanted), *upcoming)
    if left:
        return replace(run, rev=run.rev + 1, pending=left, undelivered=run.undelivered or bool(upcoming))
    waited = now - (run.parked_at or now)
    return replace(
        run,
        status="RUNNING",
        rev=run.rev + 1,
        pending=(),
        parked_at=None,
        waits_until=0,
        undelivered=False,
        resumed_at=now,
        resumed_from=run.execution,
        deadline_at=None if run.deadline_at is None else run.deadline_at + waited,
    )


def _upcoming(run: Run, wanted: Pending, using: DecideCollaborators) -> tuple[Pending, ...]:
    lap = using.sessions.lap(run.key, wanted.lap)
    agent = using.agents.snapshot(run.tenant, run.agent, run.agent_digest)
    tool = agent.tool(lap.calls[wanted.call].name) if lap else None
    kinds = tool.waits if tool else ()
    after = kinds[kinds.index(wanted.kind) + 1 :] if wanted.kind in kinds else ()
    if lap is None:
        return ()
    return tuple(
        replace(wanted, kind=kind, digest=digest(run.key, lap, wanted.call, kind)) for kind in after[:1]
    )


def _result(
    run: Run, wanted: Pending, asked: Asked, by: Decider, using: DecideCollaborators, *, now: int
) -> Result | None:
    if asked.verdict == "approve":
        return None
    lap = using.sessions.lap(run.key, wanted.lap)
    tool = lap.calls[wanted.call].name if lap else ""
    outcome, content = _told(run, wanted, asked, by, using)
    return Result(
        lap=wanted.lap,
        call=wanted.call,
        tool=tool,
        outcome=outcome,
        content=content,
        at=now,
        duration_ms=now - (run.parked_at or now),
        session_attributes=asked.session_attributes,
        prompt_session_attributes=asked.prompt_session_attributes,
        decided_by=by.name,
    )


def _told(
    run: Run, wanted: Pending, asked: Asked, by: Decider, using: DecideCollaborators
) -> tuple[CallOutcome, str]:
    if asked.verdict == "result":
        handed = wanted.kind == "handback"
        content = handed_back(run, wanted.lap, asked.content, using) if handed else asked.content
        return "success" if asked.ok else "error", content
    texts = TOO_LATE if by.name == EXPIRED else DENIED
    comment = f" Comment: {asked.comment}" if asked.comment else ""
    outcomes: dict[Wait, CallOutcome] = {"outcome": "unknown", "agent": "error", "handback": "error"}
    return outcomes.get(wanted.kind, "denied"), texts.get(wanted.kind, TOO_LATE[wanted.kind]) + comment


def handed_back(run: Run, lap: int, note: str, using: DecideCollaborators) -> str:
    """What the agent is told of the time in which a person had the conversation, since `lap`."""
    wrote = [message.text for message in using.waits.messages(run.key) if message.lap == lap]
    told: dict[str, Any] = {"handedBackWith": note}
    return json.dumps(told | ({"userWroteMeanwhile": wrote} if wrote else {}), ensure_ascii=False)
