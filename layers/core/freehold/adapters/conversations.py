"""Whole conversations in DynamoDB and S3, and their leases."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice

from ..errors import StaleWrite
from ..value import replace
from ..values.conversation import Erased, Lease, Link
from ..values.run import Principal, Run, RunKey, Session
from . import keys
from .contents import Contents
from .items import NOT_ERASED, THERE, Items, kind_or_new, unchanged_session
from .live_texts import DynamoLiveTexts
from .memories import forgotten, remembered
from .records import Records, folder
from .table import BATCH_READS, Item, OnKey, Put, Table

# Of a run: what lies under it has more to its key.
RUN = re.compile(r"RUN#\d+")
# Looked at in one sweep of a shard, the longest due first.
MOST_DUE = 1_000
# A transaction takes 100 items.
MOST_FORGOTTEN = 90


class DynamoConversations:
    """`Conversations`."""

    def __init__(self, table: Table, records: Records, contents: Contents, live: DynamoLiveTexts) -> None:
        self._table, self._records, self._contents, self._live = table, records, contents, live
        self._items = Items(records)

    def lease(self, tenant: str, conversation: str) -> Lease | None:
        item = self._table.get(keys.lease(RunKey(tenant, conversation, 0)))
        return self._records.decode(item, Lease) if item else None

    def due(self, shard: int, *, now: int) -> Sequence[Lease]:
        listed = self._table.first_of_index(
            "OpenRuns", "open_shard", keys.leases(shard), before=keys.listed_at(now + 1, ""), limit=MOST_DUE
        )
        found = self._table.get_many([{"pk": item["pk"], "sk": item["sk"]} for item in listed])
        leases = (self._records.decode(item, Lease) for item in found)
        return [lease for lease in leases if lease.due_at <= now]

    def extend(self, lease: Lease, *, due_at: int, erased_at: int | None = None) -> None:
        item, condition, values = self._put(replace(lease, due_at=due_at, erased_at=erased_at))
        self._table.put(item, condition=condition, values=values)

    def _put(self, lease: Lease) -> Put:
        """A conversation that an earlier release began has none yet; what was asked for goes before all else."""
        condition, values = kind_or_new("lease") if lease.on_request else (NOT_ERASED, None)
        return self._items.lease(lease), condition, values

    def runs(self, lease: Lease) -> Sequence[Run]:
        # Turns are numbered, so that what lies under the runs need not be read.
        last = self._table.newest(keys.conversation(lease.key), prefix=keys.RUNS, limit=1)
        turns = keys.turn_of(last[0]["sk"]) if last else 0
        found = self._table.get_many([keys.run(replace(lease.key, turn=n)) for n in range(1, turns + 1)])
        return [self._records.outline(item, Run) for item in found]

    def anything_left(self, lease: Lease) -> bool:
        found = islice(self._table.keys(keys.conversation(lease.key), page=2), 2)
        return any(key["sk"] != keys.LEASE for key in found)

    def replays(self, lease: Lease) -> Sequence[Lease]:
        listing = keys.replays_of(lease.tenant, lease.conversation)
        listed = list(self._table.query_index("RunsByTenant", "runs_of", listing))
        found = self._table.get_many([{"pk": item["pk"], "sk": item["sk"]} for item in listed])
        return [self._records.decode(item, Lease) for item in found]

    def remembered(self, tenant: str, agent: str, memory_id: str) -> Iterator[Sequence[Lease]]:
        for page in self._pages(keys.remembered_in(tenant, agent, memory_id)):
            yield [self._records.decode(item, Lease) for item in page]

    def links(self, tenant: str, principal: Principal) -> Iterator[Sequence[Link]]:
        for page in self._pages(keys.links_of(tenant, principal)):
            yield [self._records.decode(item, Link) for item in page]

    def _pages(self, listing: str) -> Iterator[list[Item]]:
        before: str | None = None
        while listed := self._table.newest_of_index(
            "RunsByTenant", "runs_of", listing, before=before, limit=BATCH_READS
        ):
            yield list(self._table.get_many([{"pk": each["pk"], "sk": each["sk"]} for each in listed]))
            before = listed[-1]["listed_at"]

    def close(self, lease: Lease, session: Session | None) -> Erased:
        deletes: list[OnKey] = []
        if session is not None:
            where = keys.session(session.tenant, session.session_id)
            deletes.append((where, *unchanged_session(session)))
        found = remembered(lease, self._table) if lease.on_request else []
        deletes += [(key, THERE, None) for key in found[:MOST_FORGOTTEN]]
        self._table.transact([self._put(lease)], deletes=deletes)
        # Links that are left lead nowhere.
        self._table.delete_all(found[MOST_FORGOTTEN:])
        return forgotten(found)

    def erase(self, lease: Lease) -> Erased:
        found = [key for key in self._table.keys(keys.conversation(lease.key)) if key["sk"] != keys.LEASE]
        runs = [key for key in found if RUN.fullmatch(key["sk"])]
        links = [key for key in found if key["sk"].startswith(keys.LINKS)]
        rest = [key for key in found if not RUN.fullmatch(key["sk"]) and not key["sk"].startswith(keys.LINKS)]
        # Runs first, so that no step finds half of one. Objects after the items that refer to them, and texts in the
        # making once nobody finds the run to follow, but before the links, so that whoever asks again after a failure
        # finds that something is left.
        self._table.delete_all(runs + rest)
        self._live.erase(lease.key)
        objects = self._contents.delete_all(folder(lease.key))
        self._table.delete_all(links)
        return Erased(runs=len(runs), items=len(found), objects=objects)

    def end(self, lease: Lease) -> None:
        with suppress(StaleWrite):
            self._table.delete(keys.lease(lease.key), condition=THERE)
