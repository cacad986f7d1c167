"""A message to a session: an answer to its agent's question, a word to whoever has it in hand, or the next turn."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from .approving import Asked, Decider
from .beginning import Request, already_begun, begin_run
from .collaborating import waiting_for
from .deciding import decide_call, joined
from .errors import Conflict, FreeholdError, Invalid, NotFound, SessionBusy, StaleWrite
from .parking import ParkCollaborators, announce
from .ports import Sessions
from .value import Value, replace
from .values.decision import Message, Pending
from .values.run import Run, RunKey, Session

RECEIVE_ATTEMPTS = 50


class ReceiveCollaborators(Value):
    parks: ParkCollaborators
    new_id: Callable[[], str]
    # Pauses between attempts at a crowded session.
    wait: Callable[[int], None]


def receive(request: Request, using: ReceiveCollaborators) -> Run:
    """The run that the message begins, or goes on with. Raises as `begin_run`."""
    ends = using.parks.ends
    for attempt in range(RECEIVE_ATTEMPTS):
        parked = _parked(request, using) if request.answers else None
        if parked is None:
            begun = _begin(request, using)
            if begun is not None:
                return begun
            using.wait(attempt)
            continue
        known = already_begun(request, ends.sessions, now=ends.now())
        if known is not None:
            return _in_session(known, request, ends.sessions)
        run, session = _asks_for_it(*parked, ends.sessions)
        if run.key != parked[0].key and not _is_named(request, parked[1], using):
            using.wait(attempt)
            continue
        question = next((each for each in run.pending if each.kind == "answer"), None)
        try:
            if question is not None:
                return _in_session(_answer(request, run, question, using), request, ends.sessions)
            if session.escalation is not None:
                left = _tell(_leave(request, run, session, session.escalation.lap, using), using)
                return _in_session(left, request, ends.sessions)
        except (Conflict, NotFound):
            # It has gone on meanwhile: another message was quicker, or the time is over.
            using.wait(attempt)
            continue
        begun = _begin(request, using)
        if begun is not None:
            return begun
        using.wait(attempt)
    raise StaleWrite(f"session {request.session_id} changed at each of {RECEIVE_ATTEMPTS} attempts")


def _begin(request: Request, using: ReceiveCollaborators) -> Run | None:
    """None where the session waits for this very message by now. A repeat may find what has gone on further down."""
    try:
        return _in_session(begin_run(request, using.parks.begins), request, using.parks.ends.sessions)
    except SessionBusy as busy:
        if not busy.asks_user or request.images or not request.answers:
            raise
        return None


def _parked(request: Request, using: ReceiveCollaborators) -> tuple[Run, Session] | None:
    sessions = using.parks.ends.sessions
    session = sessions.session(request.tenant, request.session_id)
    if session is None or not session.is_live(using.parks.ends.now()) or session.active_turn is None:
        return None
    if session.agent != request.agent:
        return None
    run = sessions.run(RunKey(session.tenant, session.conversation, session.active_turn))
    return (run, session) if run is not None and run.status == "AWAITING" else None


def _asks_for_it(run: Run, session: Session, sessions: Sessions) -> tuple[Run, Session]:
    """Whose question the message answers, or whom it goes to: also where it is an agent's that this one has asked."""
    found = waiting_for("answer", run, sessions) or waiting_for("handback", run, sessions) or run
    there = sessions.session(found.tenant, found.session_id) if found.key != run.key else session
    return (
        (found, there) if there is not None and there.conversation == found.conversation else (run, session)
    )


def _is_named(request: Request, session: Session, using: ReceiveCollaborators) -> bool:
    """Whether the session names the writer of a message that goes further down; what comes of it is told here, too."""
    named = joined(session, request.principal)
    if named == session:
        return True
    try:
        using.parks.ends.waits.join(
            replace(named, rev=named.rev + 1), request.principal, before=session, now=using.parks.ends.now()
        )
    except StaleWrite:
        return False
    return True


def _in_session(run: Run, request: Request, sessions: Sessions) -> Run:
    """The run of the session that was written to, where an agent further down has the message."""
    while run.parent is not None and run.session_id != request.session_id:
        key = RunKey.parse(run.tenant, run.parent.run_id)
        above = sessions.run(key) if key else None
        if above is None:
            return run
        run = above
    return run


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
    decider = Decider(request.principal.name, request.principal, admitted=True)
    return decide_call(run.key, asked, decider, using.parks.ends.deciding)


def _leave(request: Request, run: Run, session: Session, lap: int, using: ReceiveCollaborators) -> Run:
    if request.images:
        raise Invalid("cannot be sent while a person has the conversation; send text", path="images")
    waits, now = using.parks.ends.waits, using.parks.ends.now()
    message = Message(using.new_id(), request.input, request.principal.name, now, lap)
    left, named = replace(run, rev=run.rev + 1, undelivered=True), joined(session, request.principal)
    waits.leave_message(
        message,
        left,
        before=run,
        session=replace(named, rev=named.rev + 1) if named != session else None,
        session_before=session,
        writer=request.principal,
        idempotency=_idempotency(request),
    )
    return left


def _tell(run: Run, using: ReceiveCollaborators) -> Run:
    """Send a message that was left. It is kept, whatever comes of that: the sweeper sends what could not be sent."""
    with suppress(FreeholdError):
        return announce(run, using.parks)
    return run


def _idempotency(request: Request) -> tuple[str, str] | None:
    return (request.idempotency_key, request.digest) if request.idempotency_key else None
