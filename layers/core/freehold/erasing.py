"""Erase what was said: when a session has expired, and when somebody asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from .errors import Conflict, NotFound, SessionBusy, StaleWrite
from .ports import Conversations, Memories, Sessions
from .value import Value, replace
from .values.conversation import Erased, Lease, Named
from .values.run import Principal, Run, RunKey, Session

ATTEMPTS = 20
# Longer than any step, so that what a late one still writes is found.
LATE_MS = 20 * 60_000
# How long a conversation is left alone that cannot be erased yet.
LATER_MS = 15 * 60_000


class ErasingCollaborators(Value):
    """`cancel` ends a run that is parked, at once."""

    sessions: Sessions
    memories: Memories
    conversations: Conversations
    cancel: Callable[[RunKey], Run]
    now: Callable[[], int]


class ErasureReport(Value):
    """`busy` are runs that have not ended, whose sessions were left. `complete` is False where anything is left."""

    erased: Erased = Erased()
    busy: tuple[str, ...] = ()
    complete: bool = True

    def __add__(self, other: ErasureReport) -> ErasureReport:
        return ErasureReport(
            self.erased + other.erased, (*self.busy, *other.busy), self.complete and other.complete
        )


# -- on request


def erase_session(tenant: str, session_id: str, using: ErasingCollaborators) -> Erased:
    """The session with all that was said in it and what is remembered of it.

    What is left of conversations that it pointed to before goes with it. Raises `NotFound`, and `SessionBusy` where a
    run has not ended.
    """
    session = using.sessions.session(tenant, session_id)
    if session is None:
        raise NotFound(f"no session {session_id}")
    before = (using.conversations.lease(tenant, each) for each in session.earlier)
    erased = Erased()
    # Its own last: until then, whoever asks again finds the others.
    for named in (*_not_erased([lease for lease in before if lease], using), session):
        done = _erase_conversation(named, using)
        if done.busy:
            # Its own, or that of a replay; whatever was erased by then stays so.
            raise SessionBusy(done.busy[0])
        erased += done.erased
    return erased


def forget(
    tenant: str,
    agent: str,
    memory_id: str,
    using: ErasingCollaborators,
    until: Callable[[], bool] = lambda: False,
    *,
    session_id: str | None = None,
) -> ErasureReport:
    """What is remembered, of one session or of all; the sessions themselves stay, and are not remembered again.

    Stops once `until` is True. Raises `NotFound` where there is nothing.
    """
    report = None
    for summary in using.memories.all(tenant, agent, memory_id):
        if session_id not in (None, summary.session_id):
            continue
        report = report or ErasureReport()
        if until():
            return replace(report, complete=False)
        report += ErasureReport(using.memories.forget(summary))
    if report is None:
        where = f" of session {session_id}" if session_id else ""
        raise NotFound(f"agent {agent} remembers nothing{where} under {memory_id}")
    return report


def erase_memory(
    tenant: str, agent: str, memory_id: str, using: ErasingCollaborators, until: Callable[[], bool]
) -> ErasureReport:
    """Everything under a memory id: what is remembered, and the sessions that it was remembered from.

    Also where it was forgotten before, and conversations whose session id has gone on to another one since. Where
    there is nothing, nothing is erased. Stops once `until` is True, as `erase_principal` does.
    """

    def found() -> Iterator[Sequence[Named]]:
        for leases in using.conversations.remembered(tenant, agent, memory_id):
            yield _not_erased(leases, using)
        # What is left are notes that have outlived their conversation.
        for summary in using.memories.all(tenant, agent, memory_id):
            yield (summary,)

    return _erase_each(found(), using, until)


def erase_principal(
    tenant: str, principal: Principal, using: ErasingCollaborators, until: Callable[[], bool]
) -> ErasureReport:
    """Every session that the principal wrote to, with what is remembered of it, also where that has expired."""
    return _erase_each(using.conversations.links(tenant, principal), using, until)


def _erase_each(
    found: Iterable[Sequence[Named]], using: ErasingCollaborators, until: Callable[[], bool]
) -> ErasureReport:
    """One conversation after the other, each once, page by page."""
    report, seen = ErasureReport(), set[str]()
    for page in found:
        if until():
            return replace(report, complete=False)
        for named in page:
            if named.conversation in seen:
                continue
            if until():
                return replace(report, complete=False)
            seen.add(named.conversation)
            report += _erase_conversation(named, using)
    return report


def _erase_conversation(named: Named, using: ErasingCollaborators) -> ErasureReport:
    """With its replays, which copy what was asked and what tools answered, and what other agents were asked in it.

    They go first: one that is busy leaves the original, by which it is found again.
    """
    lease, now = using.conversations.lease(named.tenant, named.conversation), using.now()
    if lease is None and not isinstance(named, Session):
        # The conversation is gone, and only what is remembered of it may be left.
        return ErasureReport(using.memories.forget(named))
    there = lease or Lease(named.tenant, named.conversation, named.session_id, now)
    busy = _busy_runs(there, _session_of(there, using), using)
    if busy:
        return ErasureReport(busy=busy, complete=False)
    done = _erase_replays(there, using) + _erase_asked(there, using)
    return done if done.busy else done + _erase_one(there, using)


def _erase_asked(lease: Lease, using: ErasingCollaborators) -> ErasureReport:
    """What other agents were asked in the conversation: each has one of its own for that."""
    names = {name for run in using.conversations.runs(lease) for name in run.children}
    keys = (RunKey.parse(lease.tenant, name) for name in sorted(names))
    asked = dict.fromkeys(key.conversation for key in keys if key)
    leases = (using.conversations.lease(lease.tenant, conversation) for conversation in asked)
    found = _not_erased([each for each in leases if each], using)
    return sum((_erase_conversation(each, using) for each in found), ErasureReport())


def _erase_replays(lease: Lease, using: ErasingCollaborators) -> ErasureReport:
    """All but those that are busy."""
    replays = _not_erased(using.conversations.replays(lease), using)
    return sum((_erase_one(replay, using) for replay in replays), ErasureReport())


def _not_erased(leases: Sequence[Lease], using: ErasingCollaborators) -> list[Lease]:
    """Those of conversations that are there, also where an erasure stopped half way."""
    return [lease for lease in leases if lease.erased_at is None or using.conversations.anything_left(lease)]


def _erase_one(lease: Lease, using: ErasingCollaborators) -> ErasureReport:
    """With its session, as long as that has not gone on to another conversation."""
    for _ in range(ATTEMPTS):
        session, now = _session_of(lease, using), using.now()
        busy = _busy_runs(lease, session, using)
        if busy:
            return ErasureReport(busy=busy, complete=False)
        # Should the rest not come to its end, the sweeper goes on with it.
        asked = replace(lease, due_at=now + LATE_MS, erased_at=now, on_request=True)
        try:
            notes = using.conversations.close(asked, session)
        except StaleWrite:
            continue
        erased = replace(using.conversations.erase(asked), sessions=1 if session else 0)
        return ErasureReport(notes + erased)
    raise Conflict(f"session {lease.session_id} changed at each of {ATTEMPTS} attempts to erase it")


def _session_of(lease: Lease, using: ErasingCollaborators) -> Session | None:
    """None where it is gone or points to another conversation by now."""
    session = using.sessions.session(lease.tenant, lease.session_id)
    return session if session is not None and session.conversation == lease.conversation else None


def _busy_runs(lease: Lease, session: Session | None, using: ErasingCollaborators) -> tuple[str, ...]:
    if session is None:
        found = [run.key for run in using.conversations.runs(lease) if not run.ended]
    elif session.active_turn is None:
        found = []
    else:
        found = [RunKey(lease.tenant, lease.conversation, session.active_turn)]
    return tuple(key.run_id for key in found if not _has_ended(key, using))


def _has_ended(key: RunKey, using: ErasingCollaborators) -> bool:
    """A run that is parked is at no work, so it keeps nothing from being erased: it is cancelled."""
    run = using.sessions.run(key)
    if run is not None and run.status == "AWAITING":
        # What is queued behind it first, or it would begin in its place.
        while (queued := using.sessions.next_run(key)) and queued.status == "QUEUED":
            using.cancel(queued.key)
        run = using.cancel(key)
    return run is not None and run.ended


# -- when their time has come


def retire(found: Lease, using: ErasingCollaborators, report: Callable[[RunKey, Exception], None]) -> bool:
    """Erase the conversation if its session has expired; whether it was. What fails is handed to `report` and left."""
    try:
        return _retire(found, using)
    except StaleWrite:
        return False
    except Exception as error:
        # Whatever it is, it must not keep the others.
        report(found.key, error)
        return False


def _retire(found: Lease, using: ErasingCollaborators) -> bool:
    lease, now = using.conversations.lease(found.tenant, found.conversation), using.now()
    if lease is None or lease.due_at > now:
        return False
    if lease.erased_at is not None:
        _erase_again(lease, using)
        return False
    session = _session_of(lease, using)
    if session is not None and session.expires_at > now // 1000:
        using.conversations.extend(lease, due_at=session.expires_at * 1000)
        return False
    runs = using.conversations.runs(lease)
    if any(not run.ended or run.summary_due or _is_asked_still(run, using) for run in runs):
        # The sweeper tends such runs; what they still need is not taken from them.
        using.conversations.extend(lease, due_at=now + LATER_MS)
        return False
    if _erase_replays(lease, using).busy:
        # They read the turns before their run here.
        using.conversations.extend(lease, due_at=now + LATER_MS)
        return False
    lease = replace(lease, due_at=now + LATE_MS, erased_at=now)
    using.conversations.close(lease, session)
    using.conversations.erase(lease)
    return True


def _is_asked_still(run: Run, using: ErasingCollaborators) -> bool:
    """Whether one that it answers, however far up, has not ended: who told this one something may not approve there."""
    above = RunKey.parse(run.tenant, run.parent.run_id) if run.parent else None
    asking = using.sessions.run(above) if above else None
    return asking is not None and (not asking.ended or _is_asked_still(asking, using))


def _erase_again(lease: Lease, using: ErasingCollaborators) -> None:
    """What late steps wrote, and replays that the index did not show at the time."""
    replays = _erase_replays(lease, using)
    using.conversations.erase(lease)
    if replays.busy:
        later = using.now() + LATER_MS
        using.conversations.extend(lease, due_at=later, erased_at=lease.erased_at)
    else:
        using.conversations.end(lease)
