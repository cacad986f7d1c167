"""Close a session before it expires: its id begins anew, and what is to be remembered of it is."""

from __future__ import annotations

from .ending import EndCollaborators, cancel_run
from .errors import Conflict, NotFound, SessionBusy, StaleWrite
from .value import replace
from .values.run import RunKey, Session

CLOSE_ATTEMPTS = 20
# An attempt at a summary takes no longer, the state machine's own retries apart.
SETTLE_MS = 130_000


def end_session(
    tenant: str, session_id: str, using: EndCollaborators, *, by: str | None = None
) -> tuple[Session, bool]:
    """The session as it was closed, and whether a summary of it is still being made.

    What was said stays readable until the session would have expired, also where its id begins anew by then. A run that
    is parked is cancelled, `by` whoever asks. Raises `NotFound`, and `SessionBusy` where a run of it has not ended.
    """
    for _ in range(CLOSE_ATTEMPTS):
        before, now = using.sessions.session(tenant, session_id), using.now()
        if before is None or before.expires_at <= now // 1000:
            raise NotFound(f"no session {session_id}")
        if before.active_turn is not None:
            _cancel_parked(RunKey(tenant, before.conversation, before.active_turn), using, by)
            continue
        if before.ended_at is not None:
            return before, False
        ended = replace(before, ended_at=now, rev=before.rev + 1)
        try:
            using.sessions.change(ended, before=before)
        except StaleWrite:
            continue
        return ended, _finish_summary(ended, using)
    raise Conflict(f"session {session_id} changed at each of {CLOSE_ATTEMPTS} attempts to end it")


def _cancel_parked(key: RunKey, using: EndCollaborators, by: str | None) -> None:
    """Raises `SessionBusy` where the run is at work."""
    run = using.sessions.run(key)
    queued = using.sessions.next_run(key)
    if queued is not None and queued.status == "QUEUED":
        # It would begin in the place of the parked one.
        raise SessionBusy(queued.key.run_id)
    if run is not None and run.status == "AWAITING":
        run = cancel_run(key, using, by=by)
    if run is None or not run.ended:
        raise SessionBusy(key.run_id)


def _finish_summary(session: Session, using: EndCollaborators) -> bool:
    """Begin another attempt where the last turn's failed; the sweeper would do so later.

    One that was begun just now is most likely still at work.
    """
    run = using.sessions.run(RunKey(session.tenant, session.conversation, session.next_turn - 1))
    if run is None or not run.ended or not run.summary_due:
        return False
    if using.now() - run.summary_tried_at < SETTLE_MS:
        return True
    try:
        tried = using.sessions.try_summary(run, now=using.now())
    except StaleWrite:
        # Whoever changed the run is at work on the summary.
        return True
    using.executions.summarize(tried)
    return True
