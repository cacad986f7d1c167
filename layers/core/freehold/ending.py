"""End a run, and hand its session to the next turn."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from . import run_event
from .beginning import activated, start_run
from .errors import Conflict, NotFound, StaleWrite, StoreUnavailable
from .ports import Agents, Events, Executions, Sessions, Waits
from .ports.arrivals import Replies
from .value import Value, replace
from .values.history import History
from .values.run import UNKNOWN, Result, Run, RunError, RunKey, Session, Status

if TYPE_CHECKING:
    from .deciding import DecideCollaborators

FINISH_ATTEMPTS = 20
LONGEST_MESSAGE = 2000
HIDDEN = "A table or bucket did not answer. The log has the details."
MODEL_FAILURES = ("ContextTooLong", "ModelRejected", "ModelThrottled", "ModelUnavailable")
NOT_RUN = "This call was not made: the run ended first ({reason})."


class Ending(Value):
    """How a run ends. `reason` names the limit or the act that stopped it, `error` what failed it, `by` who asked."""

    status: Status
    reason: str | None = None
    error: RunError | None = None
    by: str | None = None

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> Ending:
        """From `{outcome: {status, reason}}` or, where a state gave up, `{error: {type, cause}}`."""
        if "error" in event:
            kind, cause = event["error"]["type"], event["error"]["cause"]
            # What AWS said of a table or a key is for the log, not for whoever reads the run.
            return cls(
                "FAILED", error=RunError(kind, HIDDEN if kind == "StoreUnavailable" else _message(cause))
            )
        return cls(event["outcome"]["status"], event["outcome"]["reason"])


def _message(cause: str) -> str:
    """The sentence in a Lambda error; the stack trace beside it belongs in the logs."""
    try:
        told: Any = json.loads(cause)
        message = told["errorMessage"]
    except (ValueError, TypeError, KeyError):
        message = cause
    return str(message)[:LONGEST_MESSAGE]


class EndCollaborators(Value):
    sessions: Sessions
    waits: Waits
    agents: Agents
    executions: Executions
    events: Events
    now: Callable[[], int]
    replies: Replies

    @property
    def deciding(self) -> DecideCollaborators:
        from .deciding import DecideCollaborators

        return DecideCollaborators(self.sessions, self.waits, self.agents, self.executions, self.now)


def finish_run(key: RunKey, execution: int, ending: Ending, using: EndCollaborators) -> Run | None:
    """End the run in one transaction, then deliver. Safe to repeat; an older execution changes nothing."""
    for _ in range(FINISH_ATTEMPTS):
        history = using.sessions.history(key)
        if history is None:
            return None
        run = history.run
        if run.ended:
            return deliver(run, using)
        # One that has parked its run has no more to say: whoever decided starts the next one.
        is_current = execution == run.execution and not run.has_gone_on
        if run.status != "RUNNING" or not is_current:
            return run
        try:
            ended = _write(history, ending, using)
        except StaleWrite:
            continue
        return deliver(ended, using)
    raise StaleWrite(f"run {key.run_id} changed at each of {FINISH_ATTEMPTS} attempts to end it")


def _write(history: History, ending: Ending, using: EndCollaborators) -> Run:
    before, last, now = history.run, history.last, using.now()
    remembered = before.memory_id is not None and (last is not None or ending.status != "CANCELLED")
    ended = replace(
        before,
        status=ending.status,
        rev=before.rev + 1,
        finished_at=now,
        last_lap=last.lap if last else 0,
        stop_reason=ending.reason,
        cancelled_by=ending.by or before.cancelled_by,
        error=_quoting(before, ending.error),
        totals=history.totals,
        undelivered=True,
        announced=False,
        pending=(),
        parked_at=None,
        waits_until=0,
        summary_due=remembered,
        summary_attempts=1 if remembered else 0,
        summary_tried_at=now if remembered else 0,
    )
    # The session first: a message that queues after this read changes it, so that this transaction fails.
    session_before = using.sessions.session(before.tenant, before.session_id)
    waiting = using.sessions.next_run(before.key)
    waiting = waiting if waiting is not None and waiting.status == "QUEUED" else None
    attributes = history.session_attributes
    upcoming = activated(waiting, session_attributes=attributes, now=now) if waiting else None
    session = _released(session_before, before, upcoming, attributes, using)
    using.sessions.finish(
        ended,
        before=before,
        results=_open_results(history, ending, now=now),
        markers=history.markers,
        session=session,
        session_before=session_before if session else None,
        activated=upcoming,
        activated_before=waiting if upcoming else None,
    )
    return ended


def _quoting(run: Run, error: RunError | None) -> RunError | None:
    """A model's failure with what its provider said, which no state and no log carries."""
    if error is None or error.type not in MODEL_FAILURES or run.model_words in error.message:
        return error
    return replace(error, message=f"{error.message}: {run.model_words}"[:LONGEST_MESSAGE])


def _released(
    session: Session | None,
    run: Run,
    upcoming: Run | None,
    attributes: dict[str, str],
    using: EndCollaborators,
) -> Session | None:
    """The session as it stands after this run; None where it is gone or holds another conversation by now."""
    if session is None or session.conversation != run.conversation or session.active_turn != run.turn:
        return None
    idle = using.agents.snapshot(run.tenant, run.agent, run.agent_digest).idle_session_ttl_seconds
    busy = upcoming.timeout_seconds if upcoming else 0
    return replace(
        session,
        rev=session.rev + 1,
        active_turn=upcoming.turn if upcoming else None,
        expires_at=using.now() // 1000 + idle + busy,
        session_attributes=upcoming.session_attributes if upcoming else attributes,
        # Its call is closed with the run, so nobody has it in hand any more.
        escalation=None,
    )


def _open_results(history: History, ending: Ending, *, now: int) -> tuple[Result, ...]:
    """A result for every call that has none, so that the conversation's next request is accepted."""
    if history.last is None:
        return ()
    last, told = history.last, NOT_RUN.format(reason=ending.reason or ending.status)
    return tuple(
        Result(last.lap, i, last.calls[i].name, "unknown", UNKNOWN, now)
        if (last.lap, i) in history.markers
        else Result(last.lap, i, last.calls[i].name, "cancelled", told, now)
        for i in history.unanswered
    )


def deliver(run: Run, using: EndCollaborators) -> Run:
    """Tell whoever has to know of the end, start the next turn and have the run summed up, until all is done.

    May repeat: events are at least once. An answer that cannot be sent is left to the sweeper, and keeps nothing else.
    """
    if not run.undelivered:
        return run
    if not run.announced:
        _announce(run, using)
    if run.reply_to is not None:
        try:
            _reply(run, using)
        except StoreUnavailable:
            return run if run.announced else using.sessions.announced(run)
    using.sessions.delivered(run)
    return replace(run, undelivered=False)


def _announce(run: Run, using: EndCollaborators) -> None:
    """All but the answer: to the bus, the next turn, the agent that waits for it, and those that it asked itself."""
    using.events.publish(run_event.ENDS[run.status], run_event.of_end(run))
    upcoming = using.sessions.next_run(run.key)
    if upcoming is not None and upcoming.status == "RUNNING":
        start_run(upcoming, using.sessions, using.executions, now=using.now())
    if run.parent is not None:
        # Few runs answer another one, so the others need not load it.
        from .collaborating import answer_parent

        answer_parent(run, _output(run, using) or "", using.deciding)
    for child in run.children:
        key = RunKey.parse(run.tenant, child)
        if key is not None:
            # It may be erased by now, and one that has ended stays as it is.
            with suppress(NotFound):
                cancel_run(key, using, by=run.cancelled_by)
    if run.summary_due:
        using.executions.summarize(run)


def _reply(run: Run, using: EndCollaborators) -> None:
    # Few runs have one to send.
    from .answering import send_reply

    send_reply(run, _output(run, using), using.replies)


def _output(run: Run, using: EndCollaborators) -> str | None:
    lap = using.sessions.lap(run.key, run.last_lap) if run.last_lap else None
    return lap.text if lap else None


def cancel_run(key: RunKey, using: EndCollaborators, *, by: str | None = None) -> Run:
    """Cancel a run: a queued one at once, a running one before its next model or tool call.

    A parked one ends at once, too. Cancelling a run that has ended, or twice, changes nothing. Raises `NotFound`.
    `by` is `type:id` of whoever asked for it; None where Freehold cancels what nobody waits for any more.
    """
    for _ in range(FINISH_ATTEMPTS):
        run = using.sessions.run(key)
        if run is None:
            raise NotFound(f"no run {key.run_id}")
        if run.ended or run.cancel_requested_at is not None:
            return run
        try:
            if run.status == "QUEUED":
                return _cancel_queued(run, using, by)
            if run.status == "AWAITING":
                return _cancel_parked(run, using, by)
            return using.sessions.request_cancel(run, now=using.now(), by=by)
        except StaleWrite:
            continue
    raise Conflict(f"run {key.run_id} changed at each of {FINISH_ATTEMPTS} attempts to cancel it")


def _cancel_parked(run: Run, using: EndCollaborators, by: str | None) -> Run:
    history = using.sessions.history(run.key)
    if history is None or history.run.rev != run.rev:
        raise StaleWrite(f"run {run.key.run_id} changed while it was cancelled")
    return deliver(_write(history, Ending("CANCELLED", "cancelRequested", by=by), using), using)


def _cancel_queued(run: Run, using: EndCollaborators, by: str | None) -> Run:
    ended = replace(
        run,
        status="CANCELLED",
        rev=run.rev + 1,
        finished_at=using.now(),
        last_lap=0,
        stop_reason="cancelRequested",
        cancelled_by=by,
        totals=History(run).totals,
        undelivered=True,
    )
    using.sessions.end_queued(ended, before=run)
    return deliver(ended, using)
