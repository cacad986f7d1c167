"""What steps read of sessions, runs and conversations. One method is one access pattern; every read is consistent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from ..value import replace
from ..values.content import Image
from ..values.conversation import Compaction, Place
from ..values.decision import Decision
from ..values.history import Excerpt, Glance, History
from ..values.run import (
    ENDED,
    Discarded,
    Lap,
    LateResult,
    Marker,
    Principal,
    Result,
    Run,
    RunKey,
    Session,
    Totals,
)
from . import keys
from .items import has_expired, written_at
from .records import OfRun, Records
from .table import BATCH_READS, Item, Table

LAST_ITEMS = 100
EARLIER_AT_ONCE = 10
BEGINNING = Place()


class SessionReads:
    """The reading half of `Sessions`."""

    def __init__(self, table: Table, records: Records) -> None:
        self._table, self._records = table, records

    def session(self, tenant: str, session_id: str) -> Session | None:
        item = self._table.get(keys.session(tenant, session_id))
        return self._records.decode(item, Session) if item else None

    def run(self, key: RunKey) -> Run | None:
        item = self._table.get(keys.run(key))
        return self._records.decode(item, Run) if item else None

    def lap(self, key: RunKey, number: int) -> Lap | None:
        item = self._table.get(keys.lap(key, number))
        return self._records.decode(item, Lap) if item else None

    def compaction(self, key: RunKey) -> Compaction | None:
        last = keys.end_of(keys.compactions(key.turn))
        found = self._table.newest(keys.conversation(key), after=keys.compactions(), before=last, limit=1)
        return self._records.decode(found[0], Compaction) if found else None

    def history(self, key: RunKey, compaction: Compaction | None = None) -> History | None:
        within = compaction if compaction and compaction.begins.turn == key.turn else None
        begins = within.begins if within else Place(key.turn)
        found = self._histories(self._turns(key, begins, key.turn))
        return replace(found[0], before=within.covered if within else Totals()) if found else None

    def laps_from(self, key: RunKey, lap: int, *, most: int, longest: int) -> tuple[History | None, bool]:
        laps, more = 0, False

        def portion() -> Iterator[Item]:
            nonlocal laps, more
            for item in self._turns(key, Place(key.turn, max(lap - 1, 0)), key.turn):
                laps += item["kind"] == "lap"
                more = laps > most
                if more:
                    return
                yield item

        found = self._histories(portion(), longest)
        return (found[0] if found else None), more

    def glance(self, key: RunKey, lap: int, calls: Sequence[int]) -> Glance:
        # Of more calls than fit into one request, the first ones tell: the others are read with them.
        asked = calls[: BATCH_READS - 2]
        wanted = [keys.run(key), keys.lap(key, lap), *(keys.call(key, lap - 1, call) for call in asked)]
        run, written, *made = self._table.get_all(wanted, "kind", "rev")
        results = (call for call, item in zip(asked, made, strict=True) if item and item["kind"] == "result")
        return Glance(run["rev"] if run else None, written is not None, frozenset(results))

    def past(self, key: RunKey, begins: Place = BEGINNING) -> Sequence[History]:
        last = key.turn - 1
        return self._histories(self._turns(key, begins, last)) if begins.turn <= last else ()

    def call(self, key: RunKey, lap: int, call: int) -> tuple[Run | None, Lap | None, Marker | Result | None]:
        wanted = (keys.run(key), keys.lap(key, lap), keys.call(key, lap, call))
        run, written, made = self._table.get_all(wanted)
        state = self._records.read(made) if made else None
        return (
            self._records.decode(run, Run) if run else None,
            self._records.decode(written, Lap) if written else None,
            state if isinstance(state, Marker | Result) else None,
        )

    def decisions(self, key: RunKey, lap: int) -> Sequence[Decision]:
        found = self._table.query(keys.conversation(key), prefix=keys.decisions(key.turn, lap))
        return [self._records.decode(item, Decision) for item in found]

    def decisions_before(self, key: RunKey, lap: int | None) -> Iterator[Decision]:
        first = keys.decisions(key.turn)
        bound = keys.end_of(first) if lap is None else keys.decisions(key.turn, lap)
        found = self._table.query(keys.conversation(key), after=first, before=bound)
        return (self._records.outline(item, Decision) for item in found)

    def is_linked(self, key: RunKey, principal: Principal) -> bool:
        return self._table.get(keys.link(key, principal)) is not None

    def image(self, image: Image) -> Image:
        return self._records.loaded(image)

    def next_run(self, key: RunKey) -> Run | None:
        # Later turns that wait have nothing under them.
        after, last = keys.end_of(keys.turn(key.turn)), keys.end_of(keys.RUNS)
        items = self._table.query(keys.conversation(key), after=after, before=last)
        runs = (self._records.decode(item, Run) for item in items if item["kind"] == "run")
        return next((run for run in runs if not run.ended), None)

    def has_open_turn_before(self, key: RunKey) -> bool:
        # The newest first: in a queue that is one that waits itself, and what was said before it need not be read.
        earlier = self._table.query(
            keys.conversation(key), before=keys.turn(key.turn), newest_first=True, page=EARLIER_AT_ONCE
        )
        return any(item["kind"] == "run" and item["status"] not in ENDED for item in earlier)

    def idempotent_run(self, tenant: str, key: str, *, now: int) -> tuple[str, str] | None:
        item = self._table.get(keys.idempotency(tenant, key))
        known = item is not None and not has_expired(item, now)
        return (item["run_id"], item["request_digest"]) if item and known else None

    def newest_item(self, key: RunKey) -> tuple[str, int]:
        pk = keys.conversation(key)
        items = self._table.newest(pk, prefix=keys.turn(key.turn), limit=LAST_ITEMS)
        items += self._table.newest(pk, prefix=keys.compactions(key.turn), limit=1)
        newest = max(items, key=written_at, default={"sk": keys.turn(key.turn)})
        return f"{newest['sk']}@{written_at(newest)}", written_at(newest)

    def open_runs(self, shard: int) -> Sequence[RunKey]:
        items = self._table.query_index("OpenRuns", "open_shard", keys.open_runs(shard))
        return [keys.run_of(item["pk"], item["sk"]) for item in items]

    # -- items

    def _turns(self, key: RunKey, begins: Place, last: int) -> Iterator[Item]:
        """The items of the conversation from a place on, through turn `last`. Its first turn's run is always there."""
        pk, end = keys.conversation(key), keys.end_of(keys.turn(last))
        if not begins.laps:
            return self._table.query(pk, after=keys.turn(begins.turn), before=end)
        # The run first: what is counted after this read raises its `rev`, so that a write that rests on it fails.
        run = self._table.get(keys.run(replace(key, turn=begins.turn)))
        rest = self._table.query(pk, after=keys.laps_from(begins.turn, begins.laps + 1), before=end)
        return chain((run,), rest) if run else rest

    def _histories(self, items: Iterable[Item], longest: int | None = None) -> list[History]:
        turns: list[History] = []
        for item in items:
            record = self._records.read(item)
            if isinstance(record, Result) and longest is not None:
                # At once: all of them in full may be more than fits into memory.
                record = Excerpt.of(record, longest)
            if isinstance(record, Run):
                turns.append(History(record))
            elif isinstance(record, OfRun) and turns and turns[-1].run.turn == keys.turn_of(item["sk"]):
                # TTL removes items in no order: what has lost its run belongs to no other.
                _file(record, turns)
        return turns


def _file(record: OfRun, turns: list[History]) -> None:
    """Put a record under the turn that it follows. Laps that came after the run's end do not count."""
    turn = turns[-1]
    last = turn.run.last_lap
    if last is not None and record.lap > last:
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
