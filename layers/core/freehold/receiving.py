"""A message to a session: an answer to its agent's question, a word to whoever has it in hand, or the next turn."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from .approving import Asked, Decider
from .beginning import Request, already_begun, begin_run
from .deciding import decide_call
from .errors import Conflict, Invalid, NotFound, StaleWrite, StoreUnavailable
from .parking import ParkCollaborators, announce, pass_on
from .values.decision import Message, Pending
from .values.run import Run, RunKey, Session

RECEIVE_ATTEMPTS = 50


@dataclass(frozen=True, slots=True)
class ReceiveCollaborators:
    parks: ParkCollaborators
    new_id: Callable[[], str]
    # Pauses between attempts at a crowded session.
    wait: Callable[[int], None]


def receive(request: Request, using: ReceiveCollaborators) -> Run:
    """The run that the message begins, or goes on with. Raises as `begin_run`."""
    ends = using.parks.ends
    for attempt in range(RECEIVE_ATTEMPTS):
        known = already_begun(request, ends.sessions)
        if known is not None:
            return known
        parked = _parked(request, using)
        if parked is None:
            return begin_run(request, using.parks.begins)
        run, session = parked
        question = next((each for each in run.pending if each.kind == "answer"), None)
        try:
            if question is not None:
                return _answer(request, run, question, using)
            if session.escalation is not None:
                return _leave(request, run, session.escalation.lap, using)
        except (Conflict, NotFound):
            # It has gone on meanwhile: another message was quicker, or the time is over.
            using.wait(attempt)
            continue
        return begin_run(request, using.parks.begins)
    raise StaleWrite(f"session {request.session_id} changed at each of {RECEIVE_ATTEMPTS} attempts")


def _parked(request: Request, using: ReceiveCollaborators) -> tuple[Run, Session] | None:
    sessions = using.parks.ends.sessions
    session = sessions.session(request.tenant, request.session_id)
    if session is None or not session.is_live(using.parks.ends.now()) or session.active_turn is None:
        return None
    if session.agent != request.agent:
        return None
    run = sessions.run(RunKey(session.tenant, session.conversation, session.active_turn))
    return (run, session) if run is not None and run.status == "AWAITING" else None


def _answer(request: Request, run: Run, question: Pending, using: ReceiveCollaborators) -> Run:
    if request.images:
        raise Invalid("cannot be sent in answer to a question; send text", path="images")
    asked = Asked(
        question.lap,
        question.call,
        "result",
        question.digest,
        content=request.input,
        session_attributes=request.session_attributes or None,
        prompt_session_attributes=request.prompt_session_attributes or None,
        kind="answer",
        idempotency=_idempotency(request),
    )
    # Whoever may write to the session may answer.
    return decide_call(run.key, asked, Decider(request.principal.name), using.parks.ends.deciding)


def _leave(request: Request, run: Run, lap: int, using: ReceiveCollaborators) -> Run:
    if request.images:
        raise Invalid("cannot be sent while a person has the conversation; send text", path="images")
    waits, now = using.parks.ends.waits, using.parks.ends.now()
    message = Message(using.new_id(), request.input, request.principal.name, now, lap)
    told = replace(run, rev=run.rev + 1, undelivered=True)
    waits.leave_message(message, told, before=run, idempotency=_idempotency(request))
    # It is kept, whatever becomes of the person's queue: the sweeper sends what could not be sent.
    with suppress(StoreUnavailable):
        return announce(told, using.parks) if run.undelivered else pass_on(told, using.parks)
    return told


def _idempotency(request: Request) -> tuple[str, str] | None:
    return (request.idempotency_key, request.digest) if request.idempotency_key else None
