"""The run protocol's items in DynamoDB. One method is one access pattern; docs/protocol.md says why each condition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from ..errors import StaleWrite, StoreUnavailable
from ..value import replace
from ..values.conversation import Compaction, Lease
from ..values.memory import Summary
from ..values.run import Discarded, Lap, LateResult, Marker, Result, Run, RunKey, Session
from . import keys
from .items import (
    MARKED,
    NEW,
    NOT_ERASED,
    THERE,
    Items,
    marked,
    unchanged,
    unchanged_session,
    used,
)
from .records import Records, folder
from .session_reads import SessionReads
from .table import Item, OnKey, Put, Table, from_wire, to_wire


class DynamoSessions(SessionReads):
    """`Sessions` over one table and its two indexes, which serve lists only."""

    def __init__(self, table: Table, records: Records) -> None:
        super().__init__(table, records)
        self._items = Items(records)

    # -- beginning and starting

    def begin(
        self,
        session: Session,
        before: Session | None,
        run: Run,
        *,
        summary: Summary | None,
        idempotency: tuple[str, str] | None,
    ) -> Run:
        run = replace(run, images=self._records.stored(run.images, folder=folder(run.key)))
        replayed = RunKey.parse(run.tenant, run.replays) if run.replays else None
        puts: list[Put] = [
            (self._items.session(session), *unchanged_session(before)),
            (self._items.run(run), NEW, None),
        ]
        goes_on = before if before and before.conversation == session.conversation else None
        if not (goes_on and goes_on.principals):
            # It is new, or an earlier release began it.
            puts.append((self._items.lease(_lease(session, replayed)), NOT_ERASED, None))
        puts += self._items.links(session, run.principal, goes_on, at=run.created_at)
        if summary:
            puts.append((self._items.summary(summary), NEW, None))
        if idempotency:
            puts.append(used(run, idempotency, at=run.created_at))
        checks: list[OnKey] = [(keys.run(replayed), THERE, None)] if replayed else []
        try:
            self._table.transact(puts, checks=checks)
        except StaleWrite:
            if goes_on is None:
                self._discard(run.key)
            raise
        return run

    def _discard(self, key: RunKey) -> None:
        """Objects of a conversation that did not begin, which no lease leads to. What stays there ends with time."""
        with suppress(StoreUnavailable):
            if self._table.get(keys.run(key)) is None:
                self._records.discard(folder(key))

    def change(self, session: Session, *, before: Session) -> None:
        puts: list[Put] = [
            (self._items.session(session), *unchanged_session(before)),
            (self._items.lease(_lease(session, None)), NOT_ERASED, None),
        ]
        self._table.transact(puts)

    def start(self, run: Run, *, now: int, lost_starts: int = 0, lost_after: str = "") -> Run:
        started = _changed(
            run, execution=run.execution + 1, started_at=now, lost_starts=lost_starts, lost_after=lost_after
        )
        self._put_run(started, run)
        return started

    # -- steps

    def add_lap(self, key: RunKey, lap: Lap) -> Lap:
        item = self._records.encode(lap, keys.lap(key, lap.lap), folder=folder(key), at=lap.at)
        return self._records.decode(self._table.put_or_get(item), Lap)

    def add_compaction(self, compaction: Compaction | None, run: Run, *, before: Run) -> None:
        puts: list[Put] = [(self._items.run(run), *unchanged(before))]
        if compaction is not None:
            puts.append((self._items.compaction(run.key, compaction), NEW, None))
        self._table.transact(puts)

    def add_discarded(self, reply: Discarded, run: Run, *, before: Run) -> None:
        where = keys.discarded(run.key, reply.lap, reply.id)
        item = self._records.encode(reply, where, folder=folder(run.key), at=reply.at)
        self._table.transact([(item, NEW, None), (self._items.run(run), *unchanged(before))])

    def add_result(self, key: RunKey, result: Result) -> None:
        self._table.put_or_get(self._items.call(key, result))

    def mark(self, key: RunKey, marker: Marker) -> bool:
        there = self._table.put_or_get(self._items.call(key, marker))
        return there.get("marked_by") == marker.marked_by

    def unmark(self, key: RunKey, marker: Marker) -> None:
        try:
            self._table.delete(
                keys.call(key, marker.lap, marker.call),
                condition=MARKED,
                values={":marker": marker.marked_by},
            )
        except StaleWrite:
            return

    def replace_marker(self, key: RunKey, marker: Marker, result: Result) -> bool:
        item = self._items.call(key, result)
        try:
            condition, values = marked(marker)
            self._table.put(item, condition=condition, values=values)
        except StaleWrite:
            # A response that was lost after the write makes the retry fail; what is there then is ours.
            return self._table.get(keys.call(key, result.lap, result.call)) == _stored(item)
        return True

    def add_late_result(self, key: RunKey, late: LateResult) -> None:
        where = keys.late_result(key, late.lap, late.call)
        item = self._records.encode(late, where, folder=folder(key), at=late.at)
        try:
            # By now the whole conversation may have been erased.
            self._table.transact([(item, NEW, None)], checks=[(keys.run(key), THERE, None)])
        except StaleWrite:
            if self._table.get(keys.run(key)) and not self._table.get(where):
                self.add_late_result(key, late)

    # -- ending

    def keep_words(self, run: Run, words: str) -> None:
        self._put_run(_changed(run, model_words=words), run)

    def request_cancel(self, run: Run, *, now: int, by: str | None) -> Run:
        marked = _changed(run, cancel_requested_at=now, cancelled_by=by)
        self._put_run(marked, run)
        return marked

    def finish(
        self,
        run: Run,
        *,
        before: Run,
        results: Sequence[Result],
        markers: Mapping[tuple[int, int], Marker],
        session: Session | None,
        session_before: Session | None,
        activated: Run | None,
        activated_before: Run | None,
    ) -> None:
        puts: list[Put] = [(self._items.run(run), *unchanged(before))]
        if session:
            puts.append((self._items.session(session), *unchanged_session(session_before)))
        if activated and activated_before:
            puts.append((self._items.run(activated), *unchanged(activated_before)))
        for result in results:
            marker = markers.get((result.lap, result.call))
            puts.append((self._items.call(run.key, result), *marked(marker)))
        deletes: list[OnKey] = [(keys.parked(run.key), THERE, None)] if before.status == "AWAITING" else []
        self._table.transact(puts, deletes=deletes)

    def activate(
        self, run: Run, *, before: Run, session: Session | None, session_before: Session | None
    ) -> None:
        puts: list[Put] = [(self._items.run(run), *unchanged(before))]
        if session:
            puts.append((self._items.session(session), *unchanged_session(session_before)))
        self._table.transact(puts)

    def end_queued(self, run: Run, *, before: Run) -> None:
        self._put_run(run, before)

    def announced(self, run: Run) -> Run:
        told = _changed(run, announced=True)
        try:
            self._put_run(told, run)
        except StaleWrite:
            there = self.run(run.key)
            return (
                self.announced(there) if there and there.undelivered and not there.announced else there or run
            )
        return told

    def delivered(self, run: Run) -> None:
        try:
            self._put_run(_changed(run, undelivered=False), run)
        except StaleWrite:
            # Another delivery of the same ending was quicker, or a discarded reply was counted meanwhile.
            there = self.run(run.key)
            if there is not None and there.undelivered:
                self.delivered(there)

    def summarized(self, run: Run) -> None:
        try:
            self._put_run(_changed(run, summary_due=False), run)
        except StaleWrite:
            there = self.run(run.key)
            if there is not None and there.summary_due:
                self.summarized(there)

    def try_summary(self, run: Run, *, now: int) -> Run:
        tried = _changed(run, summary_attempts=run.summary_attempts + 1, summary_tried_at=now)
        self._put_run(tried, run)
        return tried

    def _put_run(self, run: Run, before: Run) -> None:
        condition, values = unchanged(before)
        self._table.put(self._items.run(run), condition=condition, values=values)


def _changed(run: Run, **changes: Any) -> Run:
    return replace(run, rev=run.rev + 1, **changes)


def _lease(session: Session, replayed: RunKey | None) -> Lease:
    return Lease(
        session.tenant,
        session.conversation,
        session.session_id,
        due_at=session.expires_at * 1000,
        replays=replayed.conversation if replayed else None,
        agent=session.agent if session.memory_id is not None else "",
        memory_id=session.memory_id,
    )


def _stored(item: Item) -> Item:
    """The item as a read would return it."""
    return from_wire(to_wire(item))
