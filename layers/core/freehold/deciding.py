"""Decide about a call that a run waits for: once, by whom it is for, about the arguments that were shown."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable

from .approving import Asked, Decider, check, heard_before
from .beginning import MOST_NAMED, continue_run
from .errors import Conflict, Denied, FreeholdError, NotFound, StaleWrite
from .ports import Agents, Executions, Sessions, Waits
from .reading import read
from .value import Value, replace
from .values.agent import Agent
from .values.decision import Decision, Pending, Refusal, Verdict
from .values.history import History
from .values.run import Principal, Result, Run, RunKey, Session
from .waiting import call_id, digest, pending
from .wording import told

DECIDE_ATTEMPTS = 50


class DecideCollaborators(Value):
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
            if asked.idempotency:
                using.waits.repeat(run, asked.idempotency, now=using.now())
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
    wanted: Pending | None = None
    try:
        run, wanted = _wanted(run, asked, made, using)
        _check(run, wanted, asked, by, using)
    except (Conflict, Denied, NotFound) as error:
        if by.is_checked:
            waits = wanted is not None or bool(made)
            refuse(key, call_id(key, asked.lap, asked.call), asked.verdict, by, error, using, waits=waits)
        raise
    return run, wanted


def go_on(run: Run, using: DecideCollaborators) -> Run:
    """Start the execution that a run needs which waits no longer; the sweeper does where this dies."""
    if run.has_gone_on:
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
    principal = by.principal
    if principal is None or not by.is_checked:
        return
    agent = using.agents.snapshot(run.tenant, run.agent, run.agent_digest)
    name = call_id(run.key, asked.lap, asked.call)
    if run.status == "AWAITING" and using.now() >= run.waits_until:
        raise Conflict(f"call {name} waits no longer: its time is over")

    def wrote() -> bool:
        return using.sessions.is_linked(run.key, principal)

    def heard() -> Iterable[str]:
        return heard_before(run, asked.lap, using.sessions, using.waits)

    check(name, wanted, asked.verdict, asked.digest, by, run=run, agent=agent, wrote=wrote, heard=heard)


def refuse(
    key: RunKey,
    call: str,
    verdict: Verdict,
    by: Decider,
    error: FreeholdError,
    using: DecideCollaborators,
    *,
    waits: bool = False,
) -> None:
    """Write down that a decision about `call`, as it was named, was not taken. `waits`: there is such a call."""
    # Whoever may not decide must not fill a table: the same again adds nothing, nor does another name that names none.
    same = json.dumps([call if waits else "", by.name, type(error).__name__])
    refusal_id = hashlib.sha256(same.encode()).hexdigest()[:16]
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
    writer = by.principal if asked.comment or asked.verdict == "result" else None
    back = wanted.kind == "handback" and not any(each.kind == "handback" for each in decided.pending)
    there = using.sessions.session(run.tenant, run.session_id) if writer or back else None
    before = there if there and there.conversation == run.conversation else None
    # A message is one of the session's; who decides is a user of it already, or an approver, who becomes none.
    joins = not by.is_checked
    session = before and joined(
        replace(before, escalation=None) if back else before, writer if joins else None
    )
    changed = session is not None and session != before
    using.waits.decide(
        decision,
        decided,
        before=run,
        result=_result(run, wanted, asked, by, using, now=now),
        session=replace(session, rev=session.rev + 1) if session and changed else None,
        session_before=before,
        writer=writer,
        joins=joins,
        idempotency=asked.idempotency,
        taken=asked.takes and _taken(asked.takes, now=now),
        taken_before=asked.takes,
    )
    return decided


def joined(session: Session, writer: Principal | None) -> Session:
    """The session, which names the writer as long as it has room."""
    names = session.principals
    # One that names nobody was begun by an earlier release, and has yet to be given its lease by its next message.
    if writer is None or not names or writer.name in names or len(names) >= MOST_NAMED:
        return session
    return replace(session, principals=(*names, writer.name))


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
        told = not upcoming
        return replace(
            run,
            rev=run.rev + 1,
            pending=left,
            undelivered=run.undelivered or not told,
            announced=run.announced and told,
        )
    waited = now - (run.parked_at or now)
    return replace(
        run,
        status="RUNNING",
        rev=run.rev + 1,
        pending=(),
        parked_at=None,
        waits_until=0,
        undelivered=False,
        announced=False,
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
    outcome, content = told(run, wanted, asked, by, using.waits)
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
