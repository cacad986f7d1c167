"""Erase what was said: when a session has expired, and when somebody asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from .errors import Conflict, NotFound, SessionBusy, StaleWrite
from .ports import Conversations, Memories, Sessions
from .values.conversation import Erased, Lease
from .values.memory import Summary
from .values.run import Run, RunKey

ATTEMPTS = 20
# Longer than any step, so that what a late one still writes is found.
LATE_MS = 20 * 60_000
# How long a conversation is left alone that cannot be erased yet.
LATER_MS = 15 * 60_000


@dataclass(frozen=True, slots=True)
class ErasingCollaborators:
    sessions: Sessions
    memories: Memories
    conversations: Conversations
    now: Callable[[], int]


@dataclass(frozen=True, slots=True)
class ErasureReport:
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

    Raises `NotFound`, and `SessionBusy` where a run of it has not ended.
    """
    session = using.sessions.session(tenant, session_id)
    if session is None:
        raise NotFound(f"no session {session_id}")
    done = _erase_conversation(tenant, session_id, session.conversation, using)
    if done.busy:
        # Its own, or that of a replay; whatever was erased by then stays so.
        raise SessionBusy(done.busy[0])
    return done.erased


def erase_conversations(
    tenant: str,
    conversations: Iterable[tuple[str, str]],
    using: ErasingCollaborators,
    until: Callable[[], bool],
) -> ErasureReport:
    """Each by the id of its session and its own, one after the other, as long as `until` is False."""
    report = ErasureReport()
    for session_id, conversation in conversations:
        if until():
            return replace(report, complete=False)
        report += _erase_conversation(tenant, session_id, conversation, using)
    return report


def forget(
    tenant: str, agent: str, memory_id: str, using: ErasingCollaborators, *, session_id: str | None = None
) -> Erased:
    """What is remembered, of one session or of all; the sessions themselves stay, and are not remembered again.

    Raises `NotFound` where there is nothing.
    """
    found = [
        summary
        for summary in using.memories.all(tenant, agent, memory_id)
        if session_id in (None, summary.session_id)
    ]
    if not found:
        where = f" of session {session_id}" if session_id else ""
        raise NotFound(f"agent {agent} remembers nothing{where} under {memory_id}")
    return sum((_forget(summary, using) for summary in found), Erased())


def erase_memory(
    tenant: str, agent: str, memory_id: str, using: ErasingCollaborators, until: Callable[[], bool]
) -> ErasureReport:
    """Everything under a memory id: what is remembered, and the sessions that it was remembered from.

    Also conversations whose session id has gone on to another one since. Where there is nothing, nothing is erased.
    """
    report = ErasureReport()
    for summary in using.memories.all(tenant, agent, memory_id):
        if until():
            return replace(report, complete=False)
        done = _erase_conversation(tenant, summary.session_id, summary.conversation, using)
        if not done.busy and not done.erased.summaries:
            # The conversation was gone already, so nothing led from it to its notes.
            done += ErasureReport(_forget(summary, using))
        report += done
    return report


def _erase_conversation(
    tenant: str, session_id: str, conversation: str, using: ErasingCollaborators
) -> ErasureReport:
    """With its replays, which copy what was asked and what tools answered."""
    done = _erase_one(tenant, session_id, conversation, using)
    if done.busy:
        return done
    replays = using.conversations.replays(_erased_lease(tenant, conversation, session_id, using))
    copies = (_erase_one(tenant, lease.session_id, lease.conversation, using) for lease in replays)
    return sum(copies, done)


def _erase_one(tenant: str, session_id: str, conversation: str, using: ErasingCollaborators) -> ErasureReport:
    """With its session, as long as that has not gone on to another conversation."""
    for _ in range(ATTEMPTS):
        session = using.sessions.session(tenant, session_id)
        lease = _erased_lease(tenant, conversation, session_id, using)
        if session is None or session.conversation != conversation:
            return _erase_left_behind(lease, using)
        if session.active_turn is not None:
            busy = RunKey(tenant, conversation, session.active_turn).run_id
            return ErasureReport(busy=(busy,), complete=False)
        try:
            using.conversations.close(session, lease)
        except StaleWrite:
            continue
        last = using.sessions.run(RunKey(tenant, conversation, session.next_turn - 1))
        notes = _forget_session(last, using)
        return ErasureReport(notes + replace(using.conversations.erase(lease), sessions=1))
    raise Conflict(f"session {session_id} changed at each of {ATTEMPTS} attempts to erase it")


def _erase_left_behind(lease: Lease, using: ErasingCollaborators) -> ErasureReport:
    """A conversation that its session no longer points to."""
    runs = using.conversations.runs(lease)
    busy = tuple(run.key.run_id for run in runs if not run.ended)
    if busy:
        return ErasureReport(busy=busy, complete=False)
    if runs:
        using.conversations.extend(lease, due_at=lease.due_at, erased_at=lease.erased_at)
    notes = _forget_session(runs[0] if runs else None, using)
    # Also where no run is left: an erasure may have stopped half way.
    return ErasureReport(notes + using.conversations.erase(lease))


def _erased_lease(tenant: str, conversation: str, session_id: str, using: ErasingCollaborators) -> Lease:
    """Of a conversation that is being erased: should that stop half way, the sweeper goes on with it."""
    now = using.now()
    return Lease(tenant, conversation, session_id, due_at=now + LATE_MS, erased_at=now)


def _forget_session(run: Run | None, using: ErasingCollaborators) -> Erased:
    """By one of its runs, and before those are erased: the sweeper would go on with them, but not with the notes."""
    summary = using.memories.summary(run) if run else None
    return _forget(summary, using) if summary else Erased()


def _forget(summary: Summary, using: ErasingCollaborators) -> Erased:
    return Erased(summaries=1, items=1, objects=using.memories.forget(summary))


# -- when their time has come


def retire(
    shard: int,
    using: ErasingCollaborators,
    until: Callable[[], bool],
    report: Callable[[RunKey, Exception], None],
) -> int:
    """Erase the conversations of sessions that have expired; how many. What fails is handed to `report` and left."""
    retired = 0
    for lease in using.conversations.due(shard, now=using.now()):
        if until():
            break
        try:
            retired += _retire(lease, using)
        except StaleWrite:
            continue
        except Exception as error:
            # Whatever it is, it must not keep the others.
            report(lease.key, error)
    return retired


def _retire(found: Lease, using: ErasingCollaborators) -> bool:
    lease, now = using.conversations.lease(found.tenant, found.conversation), using.now()
    if lease is None or lease.due_at > now:
        return False
    if lease.erased_at is not None:
        using.conversations.erase(lease)
        using.conversations.end(lease)
        return False
    session = using.sessions.session(lease.tenant, lease.session_id)
    if session is not None and session.conversation != lease.conversation:
        session = None
    if session is not None and session.expires_at > now // 1000:
        using.conversations.extend(lease, due_at=session.expires_at * 1000)
        return False
    if any(not run.ended or run.summary_due for run in using.conversations.runs(lease)):
        # The sweeper tends such runs; what they still need is not taken from them.
        using.conversations.extend(lease, due_at=now + LATER_MS)
        return False
    if session is not None:
        lease = _erased_lease(session.tenant, session.conversation, session.session_id, using)
        using.conversations.close(session, lease)
        using.conversations.erase(lease)
    else:
        using.conversations.extend(lease, due_at=now + LATE_MS, erased_at=now)
        using.conversations.erase(lease)
    return True
