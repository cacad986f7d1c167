"""The run protocol's items in DynamoDB. One method is one access pattern; docs/protocol.md says why each condition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..errors import StaleWrite
from ..values.content import Image
from ..values.run import (
    ENDED,
    Discarded,
    History,
    Lap,
    LateResult,
    Marker,
    Result,
    Run,
    RunKey,
    Session,
)
from . import keys
from .records import Record, Records, folder
from .table import Item, Table, from_wire, to_wire

NEW = "attribute_not_exists(pk)"
MARKED = "marked_by = :marker"
IDEMPOTENCY_SECONDS = 86_400
LAST_ITEMS = 100

Put = tuple[Mapping[str, Any], str, Mapping[str, Any] | None]


class DynamoSessions:
    """`Sessions` over one table and its two indexes, which serve lists only."""

    def __init__(self, table: Table, records: Records) -> None:
        self._table, self._records = table, records

    # -- reading

    def session(self, tenant: str, session_id: str) -> Session | None:
        item = self._table.get(keys.session(tenant, session_id))
        return self._records.decode(item, Session) if item else None

    def run(self, key: RunKey) -> Run | None:
        item = self._table.get(keys.run(key))
        return self._records.decode(item, Run) if item else None

    def lap(self, key: RunKey, number: int) -> Lap | None:
        item = self._table.get(keys.lap(key, number))
        return self._records.decode(item, Lap) if item else None

    def history(self, key: RunKey) -> History | None:
        found = self._histories(self._table.query(keys.conversation(key), prefix=keys.turn(key.turn)))
        return found[0] if found else None

    def past(self, key: RunKey) -> Sequence[History]:
        return self._histories(self._table.query(keys.conversation(key), before=keys.turn(key.turn)))

    def call(self, key: RunKey, lap: int, call: int) -> tuple[Run | None, Lap | None, Marker | Result | None]:
        wanted = (keys.run(key), keys.lap(key, lap), keys.call(key, lap, call))
        run, written, made = self._table.get_all(wanted)
        state = self._records.read(made) if made else None
        return (
            self._records.decode(run, Run) if run else None,
            self._records.decode(written, Lap) if written else None,
            state if isinstance(state, Marker | Result) else None,
        )

    def image(self, image: Image) -> Image:
        return self._records.loaded(image)

    def next_run(self, key: RunKey) -> Run | None:
        # "~" sorts after everything under this turn, and later turns that wait have nothing under them.
        after = self._table.query(keys.conversation(key), after=f"{keys.turn(key.turn)}~")
        runs = (self._records.decode(item, Run) for item in after if item["kind"] == "run")
        return next((run for run in runs if not run.ended), None)

    def has_open_turn_before(self, key: RunKey) -> bool:
        earlier = self._table.query(keys.conversation(key), before=keys.turn(key.turn))
        return any(item["kind"] == "run" and item["status"] not in ENDED for item in earlier)

    def idempotent_run(self, tenant: str, key: str) -> tuple[str, str] | None:
        item = self._table.get(keys.idempotency(tenant, key))
        return (item["run_id"], item["request_digest"]) if item else None

    def newest_item(self, key: RunKey) -> tuple[str, int]:
        items = self._table.newest(keys.conversation(key), keys.turn(key.turn), limit=LAST_ITEMS)
        newest = max(items, key=_at, default={"sk": keys.turn(key.turn)})
        return f"{newest['sk']}@{_at(newest)}", _at(newest)

    # -- beginning and starting

    def begin(
        self, session: Session, before: Session | None, run: Run, *, idempotency: tuple[str, str] | None
    ) -> Run:
        run = replace(run, images=self._records.stored(run.images, folder=folder(run.key)))
        puts: list[Put] = [
            (self._session_item(session), *_unchanged_session(before)),
            (self._run_item(run), NEW, None),
        ]
        if idempotency:
            key, digest = idempotency
            used = keys.idempotency(run.tenant, key) | {"run_id": run.key.run_id, "request_digest": digest}
            expires = {"expires_at": run.created_at // 1000 + IDEMPOTENCY_SECONDS}
            puts.append((used | expires | {"schema": 1, "kind": "idempotency"}, NEW, None))
        self._table.transact(puts)
        return run

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

    def add_discarded(self, reply: Discarded, run: Run, *, before: Run) -> None:
        where = keys.discarded(run.key, reply.lap, reply.id)
        item = self._records.encode(reply, where, folder=folder(run.key), at=reply.at)
        self._table.transact([(item, NEW, None), (self._run_item(run), *_unchanged(before))])

    def add_result(self, key: RunKey, result: Result) -> None:
        self._table.put_or_get(self._call_item(key, result))

    def mark(self, key: RunKey, marker: Marker) -> bool:
        there = self._table.put_or_get(self._call_item(key, marker))
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
        item = self._call_item(key, result)
        try:
            condition, values = _marked(marker)
            self._table.put(item, condition=condition, values=values)
        except StaleWrite:
            # A response that was lost after the write makes the retry fail; what is there then is ours.
            return self._table.get(keys.call(key, result.lap, result.call)) == _stored(item)
        return True

    def add_late_result(self, key: RunKey, late: LateResult) -> None:
        where = keys.late_result(key, late.lap, late.call)
        self._table.put_or_get(self._records.encode(late, where, folder=folder(key), at=late.at))

    # -- ending

    def keep_words(self, run: Run, words: str) -> None:
        self._put_run(_changed(run, model_words=words), run)

    def request_cancel(self, run: Run, *, now: int) -> Run:
        marked = _changed(run, cancel_requested_at=now)
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
        puts: list[Put] = [(self._run_item(run), *_unchanged(before))]
        if session:
            puts.append((self._session_item(session), *_unchanged_session(session_before)))
        if activated and activated_before:
            puts.append((self._run_item(activated), *_unchanged(activated_before)))
        for result in results:
            marker = markers.get((result.lap, result.call))
            puts.append((self._call_item(run.key, result), *_marked(marker)))
        self._table.transact(puts)

    def activate(
        self, run: Run, *, before: Run, session: Session | None, session_before: Session | None
    ) -> None:
        puts: list[Put] = [(self._run_item(run), *_unchanged(before))]
        if session:
            puts.append((self._session_item(session), *_unchanged_session(session_before)))
        self._table.transact(puts)

    def end_queued(self, run: Run, *, before: Run) -> None:
        self._put_run(run, before)

    def delivered(self, run: Run) -> None:
        try:
            self._put_run(_changed(run, undelivered=False), run)
        except StaleWrite:
            # Another delivery of the same ending was quicker, or a discarded reply was counted meanwhile.
            there = self.run(run.key)
            if there is not None and there.undelivered:
                self.delivered(there)

    def open_runs(self, shard: int) -> Sequence[RunKey]:
        items = self._table.query_index("OpenRuns", "open_shard", f"OPEN#{shard}")
        return [keys.run_of(item["pk"], item["sk"]) for item in items]

    # -- items

    def _histories(self, items: Iterable[Item]) -> list[History]:
        turns: list[History] = []
        for item in items:
            record = self._records.read(item)
            if isinstance(record, Run):
                turns.append(History(record))
            elif turns and turns[-1].run.turn == keys.turn_of(item["sk"]):
                # TTL removes items in no order: what has lost its run belongs to no other.
                _file(record, turns)
        return turns

    def _run_item(self, run: Run) -> Item:
        item = self._records.encode(run, keys.run(run.key), folder=folder(run.key), at=run.created_at)
        # ULIDs sort by time, so equal milliseconds still have one order.
        item |= {"runs_of": keys.runs_of(run.tenant), "listed_at": f"{run.created_at:015d}#{run.key.run_id}"}
        if not run.ended or run.undelivered:
            item["open_shard"] = keys.open_shard(run.key)
        return item

    def _session_item(self, session: Session) -> Item:
        key = RunKey(session.tenant, session.conversation, 0)
        where = keys.session(session.tenant, session.session_id)
        return self._records.encode(session, where, folder=folder(key), at=session.created_at)

    def _call_item(self, key: RunKey, record: Marker | Result) -> Item:
        return self._records.encode(
            record, keys.call(key, record.lap, record.call), folder=folder(key), at=record.at
        )

    def _put_run(self, run: Run, before: Run) -> None:
        condition, values = _unchanged(before)
        self._table.put(self._run_item(run), condition=condition, values=values)


def _changed(run: Run, **changes: Any) -> Run:
    return replace(run, rev=run.rev + 1, **changes)


def _unchanged(run: Run) -> tuple[str, dict[str, Any]]:
    """Every write raises `rev`, so an equal one means that nothing else changed either."""
    return "rev = :rev", {":rev": run.rev}


def _unchanged_session(before: Session | None) -> tuple[str, dict[str, Any] | None]:
    if before is None:
        return NEW, None
    # A session that was removed and made anew starts at another conversation, whatever its rev.
    values = {":rev": before.rev, ":conversation": before.conversation}
    return "rev = :rev AND conversation = :conversation", values


def _marked(marker: Marker | None) -> tuple[str, dict[str, Any] | None]:
    return (MARKED, {":marker": marker.marked_by}) if marker else (NEW, None)


def _at(item: Item) -> int:
    return item.get("at", item.get("created_at", 0))


def _stored(item: Item) -> Item:
    """The item as a read would return it."""
    return from_wire(to_wire(item))


def _file(record: Record, turns: list[History]) -> None:
    """Put a record under the turn that it follows. Laps that came after the run's end do not count."""
    turn = turns[-1]
    last = turn.run.last_lap
    if isinstance(record, Session | Run) or (last is not None and record.lap > last):
        return
    match record:
        case Lap():
            turns[-1] = replace(turn, laps=(*turn.laps, record))
        case Discarded():
            turns[-1] = replace(turn, discarded=(*turn.discarded, record))
        case Marker():
            turn.markers[record.lap, record.call] = record
        case Result():
            turn.results[record.lap, record.call] = record
        case LateResult():
            turn.late[record.lap, record.call] = record
