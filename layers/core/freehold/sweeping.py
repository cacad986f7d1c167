"""Pick up what fell between two steps: lost executions, undelivered endings, forgotten queues."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from hashlib import sha256
from itertools import zip_longest

from .approving import Asked, Decider
from .beginning import activated, continue_run, start_run
from .deciding import decide_call
from .ending import EndCollaborators, Ending, cancel_run, deliver, finish_run
from .erasing import ErasingCollaborators, retire
from .errors import Conflict, FreeholdError, NotFound, StaleWrite, StoreUnavailable, SummaryUnusable
from .parking import ParkCollaborators, announce
from .ports import SHARDS, Sessions, Waits
from .value import Value, astuple, replace
from .values.decision import EXPIRED
from .values.run import Run, RunError, RunKey

Report = Callable[[RunKey, Exception], None]

# More than a sweep has time for. The next one begins at another shard.
MOST_OPEN = 10_000
MAX_LOST_STARTS = 3
# Younger than this, a run's own FinishRun or Start is most likely still at work.
SETTLE_MS = 30_000
# What cannot be announced or answered is tried each minute for so long, and then twice in so many minutes …
OFTEN_TRIED_MS, MINUTES_BETWEEN_TRIES = 10 * 60_000, 15
# … and an answer so long at most, if the run is there: a wait has an end of its own.
GIVEN_UP_MS = 3 * 86_400_000
# A summary has this long by itself before the sweeper begins another attempt.
FIRST_SUMMARY_PAUSE_MS, LONGEST_SUMMARY_PAUSE_MS = 5 * 60_000, 6 * 3_600_000
# The last one about three days after the run's end.
MAX_SUMMARY_ATTEMPTS = 18


class Swept(Value):
    """How many runs needed what."""

    seen: int = 0
    restarted: int = 0
    lost: int = 0
    cancelled: int = 0
    delivered: int = 0
    activated: int = 0
    failed: int = 0
    summarized: int = 0
    retired: int = 0
    awaiting: int = 0
    expired: int = 0

    def __add__(self, other: Swept) -> Swept:
        return Swept(*map(sum, zip(astuple(self), astuple(other), strict=True)))


def sweep(
    using: ParkCollaborators,
    erasing: ErasingCollaborators,
    *,
    patience_ms: int,
    report: Report,
    until: Callable[[], bool],
) -> Swept:
    """Look at waits whose time is over, open runs and conversations that may have ended, as long as `until` is False.

    `patience_ms` is the longest step's timeout plus a margin. Where there is more than a sweep has time for, none of
    the three keeps the others from their turn, and no tenant another. A run that cannot be tended is handed to
    `report` and left for the next minute. Raises at the end, once all else was looked at, what kept a list from being
    read.
    """
    ends, now = using.ends, using.ends.now()
    unread: list[FreeholdError] = []
    listed = _listed(ends.waits, unread)
    minute = now // 60_000
    looks = (
        _expire([key for key, due_at in listed if due_at <= now], ends, minute, report),
        _tend_open(using, minute, patience_ms, report, unread),
        _retire_due(erasing, minute, report),
    )
    total = _shared(looks, ends.now, until, unread)
    if unread:
        raise unread[0]
    return Swept(awaiting=len(listed)) + total


def _listed(waits: Waits, unread: list[FreeholdError]) -> Sequence[tuple[RunKey, int]]:
    try:
        return waits.listed()
    except FreeholdError as error:
        unread.append(error)
        return ()


def _shared(
    looks: Sequence[Iterator[Swept]],
    now: Callable[[], int],
    until: Callable[[], bool],
    unread: list[FreeholdError],
) -> Swept:
    """All looks that there is time for, the next one always of the kind that has had the least of it.

    To list them is part of the first one.
    """
    total = Swept()
    had: dict[Iterator[Swept], tuple[int, int]] = dict.fromkeys(looks, (0, 0))
    while had and not until():
        least, began = min(had, key=had.__getitem__), now()
        try:
            swept = next(least, None)
        except FreeholdError as error:
            unread.append(error)
            swept = None
        if swept is None:
            del had[least]
            continue
        total += swept
        spent, number = had[least]
        had[least] = (spent + now() - began, number + 1)
    return total


def _in_turn(found: Iterable[RunKey], minute: int) -> Iterator[RunKey]:
    """One of each tenant after the other, and each minute in another order: nobody is last for ever."""
    of_tenant: dict[str, list[RunKey]] = {}
    for key in sorted(found, key=lambda key: sha256(f"{minute}#{key.run_id}".encode()).digest()):
        of_tenant.setdefault(key.tenant, []).append(key)
    for abreast in zip_longest(*of_tenant.values()):
        yield from (key for key in abreast if key is not None)


def _tend_open(
    using: ParkCollaborators, minute: int, patience_ms: int, report: Report, unread: list[FreeholdError]
) -> Iterator[Swept]:
    for key in _in_turn(_open_runs(using.ends.sessions, minute, unread), minute):
        yield _guarded(key, lambda key=key: _tend(key, using, patience_ms=patience_ms), report)


def _open_runs(sessions: Sessions, minute: int, unread: list[FreeholdError]) -> list[RunKey]:
    found = list[RunKey]()
    for shard in range(minute, minute + SHARDS):
        if len(found) >= MOST_OPEN:
            break
        try:
            found += sessions.open_runs(shard % SHARDS)
        except FreeholdError as error:
            unread.append(error)
    return found


def _retire_due(erasing: ErasingCollaborators, minute: int, report: Report) -> Iterator[Swept]:
    due = {lease.key: lease for lease in erasing.conversations.due(minute % SHARDS, now=erasing.now())}
    for key in _in_turn(due, minute):
        yield Swept(retired=retire(due[key], erasing, report))


def _guarded(key: RunKey, tend: Callable[[], Swept], report: Report) -> Swept:
    try:
        return tend()
    except StaleWrite:
        # Somebody is at work on this run, which is all that the sweeper wanted.
        return Swept(seen=1)
    except Exception as error:
        # Whatever it is, it is this run's alone.
        report(key, error)
        return Swept(seen=1, failed=1)


def _expire(due: Sequence[RunKey], using: EndCollaborators, minute: int, report: Report) -> Iterator[Swept]:
    """Decide in place of those who have not, for runs that have waited long enough."""
    for key in _in_turn(due, minute):
        yield _guarded(key, lambda key=key: _deny(key, using), report)


def _deny(key: RunKey, using: EndCollaborators) -> Swept:
    run = using.sessions.run(key)
    if run is None or run.status != "AWAITING" or using.now() < run.waits_until:
        return Swept()
    for wanted in run.pending:
        asked = Asked(wanted.lap, wanted.call, "deny", wanted.digest, kind=wanted.kind)
        # Whoever decided meanwhile was in time.
        with suppress(Conflict, NotFound):
            decide_call(key, asked, Decider(EXPIRED), using.deciding)
    for child in run.children:
        child_key = RunKey.parse(key.tenant, child)
        if child_key is not None:
            with suppress(NotFound):
                cancel_run(child_key, using)
    return Swept(seen=1, expired=1)


def _tend(key: RunKey, parks: ParkCollaborators, *, patience_ms: int) -> Swept:
    using = parks.ends
    run, now = using.sessions.run(key), using.now()
    if run is None:
        return Swept()
    if run.status == "AWAITING":
        if run.undelivered and _is_to_be_tried(now - (run.parked_at or 0)):
            announce(run, parks)
            return Swept(seen=1, delivered=1)
        return Swept(seen=1)
    if run.ended:
        if run.undelivered and _is_to_be_delivered(run, now=now):
            return _deliver(run, using, now=now)
        if run.summary_due and (run.announced or not run.undelivered):
            return _tend_summary(run, using, now=now)
        return Swept(seen=1)
    if run.status == "QUEUED":
        return _tend_queued(run, using, now=now)
    return _tend_running(run, using, now=now, patience_ms=patience_ms)


def _is_to_be_tried(waited: int) -> bool:
    """Each minute at first, and then ever more rarely: a queue that an agent or a message names may not be there."""
    if waited < OFTEN_TRIED_MS:
        return waited >= SETTLE_MS
    # In two minutes of them, so that a sweeper that comes a little early or late does so once at least.
    return waited // 60_000 % MINUTES_BETWEEN_TRIES < 2


def _is_to_be_delivered(run: Run, *, now: int) -> bool:
    ended = now - (run.finished_at or 0)
    return _is_to_be_tried(ended) if run.announced else ended >= SETTLE_MS


def _deliver(run: Run, using: EndCollaborators, *, now: int) -> Swept:
    if not deliver(run, using).undelivered:
        return Swept(seen=1, delivered=1)
    told = f"the answer could not be sent to {run.reply_to}"
    if now - (run.finished_at or 0) >= GIVEN_UP_MS:
        using.sessions.delivered(run)
        told += ", and is given up"
    raise StoreUnavailable(told)


def _tend_summary(run: Run, using: EndCollaborators, *, now: int) -> Swept:
    """Try again what FinishRun's own execution did not get done, ever more rarely, and at last no more.

    What is given up is not lost as long as the session goes on: its next run's notes begin where these end.
    """
    pause = min(FIRST_SUMMARY_PAUSE_MS * 2 ** (run.summary_attempts - 1), LONGEST_SUMMARY_PAUSE_MS)
    if now - run.summary_tried_at < pause:
        return Swept(seen=1)
    if run.summary_attempts >= MAX_SUMMARY_ATTEMPTS:
        using.sessions.summarized(run)
        raise SummaryUnusable(f"no summary after {run.summary_attempts} attempts; given up")
    using.executions.summarize(using.sessions.try_summary(run, now=now))
    return Swept(seen=1, summarized=1)


def _tend_running(run: Run, using: EndCollaborators, *, now: int, patience_ms: int) -> Swept:
    newest, at = using.sessions.newest_item(run.key)
    idle = now - max(at, run.started_at or run.created_at, run.resumed_at)
    if idle < SETTLE_MS:
        return Swept(seen=1)
    if run.has_gone_on:
        continue_run(run.key, run.execution, using.sessions, using.executions, now=now)
        return Swept(seen=1, restarted=1)
    state = using.executions.state(run) if run.execution else "unknown"
    if state == "aborted":
        finish_run(run.key, run.execution, Ending("CANCELLED", "executionStopped"), using)
        return Swept(seen=1, cancelled=1)
    if idle < patience_ms and state != "dead":
        return Swept(seen=1)
    starts = run.lost_starts + 1 if run.lost_after == newest else 1
    if starts > MAX_LOST_STARTS:
        error = RunError("ExecutionLost", f"{MAX_LOST_STARTS} executions ended without getting any further")
        finish_run(run.key, run.execution, Ending("FAILED", error=error), using)
        return Swept(seen=1, lost=1)
    started = using.sessions.start(run, now=now, lost_starts=starts, lost_after=newest)
    using.executions.start(started)
    return Swept(seen=1, restarted=1)


def _tend_queued(run: Run, using: EndCollaborators, *, now: int) -> Swept:
    """A queued run whose conversation has no active turn: its turn has come, whatever lost it."""
    session = using.sessions.session(run.tenant, run.session_id)
    mine = session if session and session.conversation == run.conversation else None
    # The session first: where it answers, as it does as long as somebody lets a run wait, nothing else is read.
    if (mine and mine.active_turn is not None) or using.sessions.has_open_turn_before(run.key):
        return Swept(seen=1)
    attributes = mine.session_attributes if mine else {}
    ready = activated(run, session_attributes=attributes, now=now)
    released = replace(mine, rev=mine.rev + 1, active_turn=run.turn) if mine else None
    using.sessions.activate(ready, before=run, session=released, session_before=mine)
    start_run(ready, using.sessions, using.executions, now=now)
    return Swept(seen=1, activated=1)
