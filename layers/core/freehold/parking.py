"""State ParkRun: a run that waits, for people or for another agent, and whoever is told so."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any, Literal

from . import run_event
from .approving import Asked, Decider
from .beginning import BeginCollaborators, start_run
from .collaborating import begin_child, begun_child, decide_if_waiting, record_child
from .decide import decide
from .deciding import current, go_on
from .ending import EndCollaborators, cancel_run, deliver
from .errors import Conflict, Invalid, NotFound, StaleWrite, StoreUnavailable
from .ports import Notices
from .value import Value, replace
from .values.agent import Agent
from .values.decision import Escalation, Pending
from .values.history import History
from .values.run import Run, RunKey
from .waiting import pending

PARK_ATTEMPTS = 20
# After so many it is the queue that fails, not a message.
MOST_FAILURES = 5
NOT_ASKED = "The agent could not be asked: {why}."
FREEHOLD = Decider("freehold")


class ParkCollaborators(Value):
    ends: EndCollaborators
    begins: BeginCollaborators
    notices: Notices


def park_run(key: RunKey, execution: int, using: ParkCollaborators) -> Literal["parked", "again"]:
    """Park the run in one transaction, then tell whoever is to decide. Safe to repeat.

    `again` where there is something to do meanwhile: a decision was quicker, or a limit was reached.
    """
    ends = using.ends
    for _ in range(PARK_ATTEMPTS):
        run = ends.sessions.run(key)
        if run is None or run.execution != execution or run.status not in ("RUNNING", "AWAITING"):
            return "parked"
        if run.status == "AWAITING":
            announce(run, using)
            return "parked"
        if run.has_gone_on:
            # It was parked by an attempt before this one, and a decision has been quick.
            go_on(run, ends.deciding)
            return "parked"
        history, agent = current(key, ends.deciding)
        step = decide(history, agent, now=ends.now(), events=0)
        if step is None or step.step != "wait":
            return "again"
        try:
            parked = _write(history, agent, using)
        except StaleWrite:
            continue
        announce(parked, using)
        return "parked"
    raise StaleWrite(f"run {key.run_id} changed at each of {PARK_ATTEMPTS} attempts to park it")


def _write(history: History, agent: Agent, using: ParkCollaborators) -> Run:
    before, now = history.run, using.ends.now()
    waits_for = agent.approvals.expire_after_seconds
    parked = replace(
        before,
        status="AWAITING",
        rev=before.rev + 1,
        pending=pending(history, agent),
        parked_at=now,
        waits_until=now + waits_for * 1000,
        undelivered=True,
        announced=False,
    )
    session_before = using.ends.sessions.session(before.tenant, before.session_id)
    mine = session_before if session_before and session_before.conversation == before.conversation else None
    session = mine and replace(
        mine,
        rev=mine.rev + 1,
        # It lives until the run has waited long enough, gone on and been answered.
        expires_at=max(
            mine.expires_at,
            now // 1000 + waits_for + before.timeout_seconds + agent.idle_session_ttl_seconds,
        ),
        escalation=_escalation(history, parked, now=now) or mine.escalation,
    )
    using.ends.waits.park(parked, before=before, session=session, session_before=mine)
    return parked


def _escalation(history: History, run: Run, *, now: int) -> Escalation | None:
    handed = next((each for each in run.pending if each.kind == "handback"), None)
    if handed is None or history.last is None:
        return None
    arguments = json.loads(history.last.calls[handed.call].arguments)
    reason, summary = (str(arguments.get(name, "")) for name in ("reason", "summary"))
    return Escalation(run.turn, handed.lap, handed.call, now, reason, summary)


def announce(run: Run, using: ParkCollaborators) -> Run:
    """Tell of a run that waits, and begin the runs of other agents that it waits for. May repeat."""
    ends = using.ends
    if run.status != "AWAITING" or not run.undelivered:
        return run
    people = [each.kind for each in run.pending if each.kind != "agent"]
    if people and not run.announced:
        ends.events.publish(run_event.AWAITING, run_event.of_wait(run) | {"awaits": people})
    for each in run.pending:
        if each.kind == "agent":
            _ask_agent(run, each, using)
        if each.kind == "answer":
            _take_queued(run, each, using)
    # Last, since a queue that an agent names may not be there.
    if "handback" in people:
        _escalate(run, using)
    return _announced(run, using)


def _announced(run: Run, using: ParkCollaborators) -> Run:
    """Write that it was told. What came meanwhile, a message or another stage, has set the flag by its own write."""
    for _ in range(PARK_ATTEMPTS):
        there = using.ends.sessions.run(run.key)
        if there is None or there.status != "AWAITING" or not there.undelivered:
            return there or run
        if (there.pending, there.parked_at) != (run.pending, run.parked_at):
            return announce(there, using)
        unsent = _has_unsent(there, using)
        if unsent and there.announced:
            # Whoever left it is sending it, or the sweeper does.
            return there
        told = replace(there, rev=there.rev + 1, undelivered=unsent, announced=True)
        try:
            using.ends.waits.put(told, before=there)
        except StaleWrite:
            continue
        return told
    raise StaleWrite(f"run {run.key.run_id} changed at each of {PARK_ATTEMPTS} attempts to announce it")


def _take_queued(run: Run, question: Pending, using: ParkCollaborators) -> None:
    """A message that was queued before the question was put is the next one of the session: it answers it."""
    ends = using.ends
    queued = ends.sessions.next_run(run.key)
    # What another agent asks in this session is no user's answer.
    if queued is None or queued.status != "QUEUED" or queued.images or queued.parent is not None:
        return
    asked = Asked(
        question.lap,
        question.call,
        "result",
        question.digest,
        content=queued.input,
        session_attributes=queued.session_attributes or None,
        prompt_session_attributes=queued.prompt_session_attributes or None,
        kind="answer",
        takes=queued,
    )
    decide_if_waiting(run.key, asked, Decider(queued.principal.name), ends.deciding)
    taken = ends.sessions.run(queued.key)
    if taken is not None and taken.ended:
        deliver(taken, ends)


def _ask_agent(run: Run, wanted: Pending, using: ParkCollaborators) -> None:
    ends = using.ends
    history, agent = current(run.key, ends.deciding)
    tool = agent.tool(history.last.calls[wanted.call].name) if history.last else None
    if tool is None:
        return
    try:
        child = begun_child(run, wanted, ends.sessions) or begin_child(
            run, wanted, history, tool, using.begins
        )
    except StaleWrite:
        # Its session is crowded, which passes.
        raise
    except (Conflict, Invalid, NotFound) as error:
        told = NOT_ASKED.format(why=error)
        asked = Asked(wanted.lap, wanted.call, "result", "", content=told, ok=False, kind="agent")
        decide_if_waiting(run.key, asked, FREEHOLD, ends.deciding)
        return
    # Named before it is started, so that whoever cancels the parent finds it.
    parent = record_child(run.key, child, ends.sessions, ends.waits)
    if parent is None or wanted not in parent.pending:
        # It was cancelled, or has gone on, before the child was there to be found. It may be erased by now.
        with suppress(NotFound):
            cancel_run(child.key, ends, by=parent.cancelled_by if parent else None)
    start_run(child, ends.sessions, ends.executions, now=ends.now())


# -- a person has the conversation


def _escalate(run: Run, using: ParkCollaborators) -> None:
    ends = using.ends
    session = ends.sessions.session(run.tenant, run.session_id)
    escalation = session.escalation if session and session.conversation == run.conversation else None
    if escalation is None:
        return
    if not run.announced:
        ends.events.publish(run_event.ESCALATED, run_event.of_wait(run))
        opened = {"kind": "escalation", "reason": escalation.reason, "summary": escalation.summary}
        _send(run, f"{escalation.lap}-{escalation.call}", opened, using)
    try:
        _send_messages(run, using)
    except StoreUnavailable:
        # The rest was told, and is not to be told each time that a message is tried again.
        _announced(run, using)
        raise


def _send_messages(run: Run, using: ParkCollaborators) -> None:
    """What users wrote since a person has the conversation. One that cannot be sent keeps no other from it."""
    failures: list[StoreUnavailable] = []
    for message in using.ends.waits.unsent(run.key):
        try:
            _send(run, message.id, {"kind": "message", "text": message.text, "principal": message.by}, using)
            using.ends.waits.sent(run.key, message)
        except StoreUnavailable as failure:
            failures.append(failure)
        if len(failures) == MOST_FAILURES:
            break
    if failures:
        raise failures[0]


def _has_unsent(run: Run, using: ParkCollaborators) -> bool:
    escalated = any(each.kind == "handback" for each in run.pending)
    return escalated and bool(using.ends.waits.unsent(run.key))


def _send(run: Run, name: str, notice: dict[str, Any], using: ParkCollaborators) -> None:
    target = using.ends.agents.snapshot(run.tenant, run.agent, run.agent_digest).escalation_target
    if target:
        notice_id = f"{run.key.run_id}-{name}"
        using.notices.send(target, run_event.of_wait(run) | notice, group=run.session_id, notice_id=notice_id)
