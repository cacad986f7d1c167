"""Lists of runs, approvals, sessions, memories and a conversation's items, in pages with opaque tokens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TypeVar

import msgspec

from ..value import Value
from ..values.decision import Parked
from ..values.memory import Summary
from ..values.run import Lap, Run, RunKey, Session
from . import keys, pages
from .records import Record, Records
from .table import Item, Table

T = TypeVar("T", Run, Session, Summary)

INDEX_PAGES = 10
# Lambda answers with 6 MB at most, and what an API answers is JSON text inside JSON.
PAGE_BYTES = 5_500_000
MOST_OF_MEMORY = 200


def sent_bytes(value: object) -> int:
    """How much of Lambda's answer the value takes as part of an API's body."""
    return len(msgspec.json.encode(msgspec.json.encode(value).decode()))


class Page(Value):
    """Records, each with its turn. `token` is None on the last page."""

    records: tuple[tuple[int, Record], ...]
    token: str | None


class Lists:
    """What people page through. Nothing on the loop's path reads here.

    A page ends early where it would grow too large to be sent, but it has one record at least.
    """

    def __init__(self, table: Table, records: Records) -> None:
        self._table, self._records = table, records

    def runs(
        self,
        tenant: str,
        *,
        wanted: Mapping[str, str],
        limit: int,
        token: str | None,
        created: tuple[int | None, int | None] = (None, None),
    ) -> tuple[list[Run], str | None]:
        """The tenant's runs, newest first, with the `wanted` values. A page may be short while more follow.

        `created` bounds when (epoch ms): the first bound is included, the second is not.
        """
        return self._newest(keys.runs_of(tenant), Run, wanted, limit, token, created)

    def sessions(
        self, tenant: str, *, wanted: Mapping[str, str], limit: int, token: str | None
    ) -> tuple[list[Session], str | None]:
        """The tenant's sessions as its runs; those that the table has not removed yet are among them."""
        return self._newest(keys.sessions_of(tenant), Session, wanted, limit, token)

    def approvals(
        self, tenant: str, *, agent: str | None, limit: int, token: str | None
    ) -> tuple[list[tuple[Run, Lap]], str | None]:
        """Parked runs that wait for people, the first due first, without what was said in them but for the lap.

        A page may be short while more follow.
        """
        listing, found = keys.approvals_of(tenant), list[tuple[str, RunKey]]()
        after, place, more = pages.place(listing, token), None, INDEX_PAGES * limit
        for place, item in self._listed(listing, place=after, page=limit, oldest_first=True):
            more -= 1
            parked = self._records.decode(item, Parked) if item else None
            if parked and agent in (None, parked.agent) and set(parked.kinds) != {"agent"}:
                found.append((place, RunKey(tenant, parked.conversation, parked.turn)))
            if len(found) == limit or not more:
                break
        else:
            place = None
        return self._with_laps(listing, found, place)

    def _with_laps(
        self, listing: str, found: list[tuple[str, RunKey]], end: str | None
    ) -> tuple[list[tuple[Run, Lap]], str | None]:
        """As many of the runs as one answer holds; `end` is where the page ends otherwise."""
        if not found:
            return [], pages.token_of(listing, end)
        items = self._table.get_all([keys.run(key) for _, key in found])
        outlines = [self._records.outline(item, Run) if item else None for item in items]
        runs = [
            (place, run)
            for (place, _), run in zip(found, outlines, strict=True)
            if run and run.status == "AWAITING"
        ]
        if not runs:
            return [], pages.token_of(listing, end)
        laps = self._table.get_all([keys.lap(run.key, run.pending[0].lap) for _, run in runs])
        told, room, before = list[tuple[Run, Lap]](), PAGE_BYTES, None
        for (place, run), item in zip(runs, laps, strict=True):
            if item is not None:
                lap = self._records.decode(item, Lap)
                room -= sent_bytes(lap)
                if told and room < 0:
                    return told, pages.token_of(listing, before)
                told.append((run, lap))
            before = place
        return told, pages.token_of(listing, end)

    def summaries(
        self, tenant: str, agent: str, *, limit: int, token: str | None
    ) -> tuple[list[Summary], str | None]:
        """What the agent remembers, newest session first, empty and expired ones included."""
        return self._newest(keys.memories_of(tenant, agent), Summary, {}, limit, token)

    def memory(self, tenant: str, agent: str, memory_id: str) -> list[Summary]:
        """Its newest sessions, as many as one answer holds and 200 at most; oldest first."""
        found, room = list[Summary](), PAGE_BYTES
        items = self._table.query(
            keys.memory(tenant, agent, memory_id),
            prefix=keys.SUMMARIES,
            newest_first=True,
            page=MOST_OF_MEMORY,
        )
        for item in islice(items, MOST_OF_MEMORY):
            summary = self._records.decode(item, Summary)
            room -= sent_bytes(summary)
            if found and room < 0:
                break
            found.append(summary)
        return found[::-1]

    def _newest(
        self,
        listing: str,
        kind: type[T],
        wanted: Mapping[str, str],
        limit: int,
        token: str | None,
        within: tuple[int | None, int | None] = (None, None),
    ) -> tuple[list[T], str | None]:
        place, found, room, more = pages.place(listing, token), list[T](), PAGE_BYTES, INDEX_PAGES * limit
        first, end = within
        if end is not None:
            place = min(place or keys.listed_at(end, ""), keys.listed_at(end, ""))
        for at, item in self._listed(listing, place=place, page=limit):
            if first is not None and keys.time_of(at) < first:
                break
            if item and all(item.get(name) == value for name, value in wanted.items()):
                record = self._records.decode(item, kind)
                room -= sent_bytes(record)
                if found and room < 0:
                    return found, pages.token_of(listing, place)
                found.append(record)
            place, more = at, more - 1
            if len(found) == limit or not more:
                return found, pages.token_of(listing, place)
        return found, None

    def _listed(
        self, listing: str, *, place: str | None, page: int, oldest_first: bool = False
    ) -> Iterator[tuple[str, Item | None]]:
        """Each place of the index with the table's item; None where that is gone, or listed elsewhere by now."""
        index = ("RunsByTenant", "runs_of", listing)
        while True:
            if oldest_first:
                listed = self._table.first_of_index(*index, after=place or "", limit=page)
            else:
                listed = self._table.newest_of_index(*index, before=place, limit=page)
            if not listed:
                return
            found = self._table.get_all([{"pk": entry["pk"], "sk": entry["sk"]} for entry in listed])
            for entry, item in zip(listed, found, strict=True):
                at: str = entry["listed_at"]
                yield at, item if item and item.get("listed_at") == at else None
            place = listed[-1]["listed_at"]

    def items(self, key: RunKey, *, one_run: bool, limit: int, token: str | None) -> Page:
        """Records in key order, then compactions and what was decided: of one run, or of its whole conversation."""
        partition, turn = keys.conversation(key), key.turn if one_run else None
        prefixes = (
            keys.RUNS if turn is None else keys.turn(turn),
            keys.compactions(turn),
            keys.waits(turn),
        )
        listing = f"{partition} {prefixes[0]}"
        after = pages.place(listing, token)
        if after is not None and not after.startswith(prefixes):
            raise pages.no_token()
        found, last = self._under(partition, prefixes, limit, after)
        records: list[tuple[int, Record]] = []
        room = PAGE_BYTES
        for item in found:
            record = self._records.read(item)
            room -= sent_bytes(record)
            if records and room < 0:
                return Page(tuple(records), pages.token_of(listing, after))
            records.append((keys.turn_of(item["sk"]), record))
            after = item["sk"]
        return Page(tuple(records), pages.token_of(listing, last))

    def _under(
        self, partition: str, prefixes: tuple[str, ...], limit: int, after: str | None
    ) -> tuple[list[Item], str | None]:
        """One page of what begins with each prefix, one after the other, and where the next page begins."""
        found, last = list[Item](), None
        for prefix in prefixes:
            if after is not None and not after.startswith(prefix):
                continue
            room = limit - len(found)
            more, last = self._table.page(partition, prefix=prefix, limit=room, after=after)
            found, after = found + more, None
            if last is not None or len(found) == limit:
                # Whether another kind follows is seen on the next page.
                return found, last or (found[-1]["sk"] if prefix != prefixes[-1] else None)
        return found, last
