"""Whole conversations in DynamoDB and S3, and their leases."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from ..errors import StaleWrite
from ..values.conversation import Erased, Lease
from ..values.run import Run, RunKey, Session
from . import keys
from .contents import Contents
from .items import NEW, THERE, Items, unchanged_session
from .records import Records, folder
from .table import Put, Table

# Of a run: what lies under it has more to its key.
RUN = re.compile(r"RUN#\d+")
LEASE_OR_NEW = (f"{NEW} OR kind = :kind", {":kind": "lease"})
# Looked at in one sweep of a shard, the longest due first.
MOST_DUE = 1_000


class DynamoConversations:
    """`Conversations`."""

    def __init__(self, table: Table, records: Records, contents: Contents) -> None:
        self._table, self._records, self._contents = table, records, contents
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

    def runs(self, lease: Lease) -> Sequence[Run]:
        # Turns are numbered, so that what lies under the runs need not be read.
        last = self._table.newest(keys.conversation(lease.key), prefix=keys.RUNS, limit=1)
        turns = keys.turn_of(last[0]["sk"]) if last else 0
        found = self._table.get_many([keys.run(replace(lease.key, turn=n)) for n in range(1, turns + 1)])
        return [self._records.decode(item, Run) for item in found]

    def replays(self, lease: Lease) -> Sequence[Lease]:
        listing = keys.replays_of(lease.tenant, lease.conversation)
        listed = list(self._table.query_index("RunsByTenant", "runs_of", listing))
        found = self._table.get_many([{"pk": item["pk"], "sk": item["sk"]} for item in listed])
        return [self._records.decode(item, Lease) for item in found]

    def close(self, session: Session, lease: Lease) -> None:
        where = keys.session(session.tenant, session.session_id)
        self._table.transact([self._put(lease)], deletes=[(where, *unchanged_session(session))])

    def _put(self, lease: Lease) -> Put:
        # A conversation that an earlier release began has none yet.
        return self._items.lease(lease), f"{NEW} OR kind = :kind", {":kind": "lease"}

    def erase(self, lease: Lease) -> Erased:
        found = [key for key in self._table.keys(keys.conversation(lease.key)) if key["sk"] != keys.LEASE]
        runs = [key for key in found if RUN.fullmatch(key["sk"])]
        rest = [key for key in found if not RUN.fullmatch(key["sk"])]
        # Runs first, so that no step finds half of one; objects last, so that no item refers to nothing.
        self._table.delete_all(runs + rest)
        return Erased(runs=len(runs), items=len(found), objects=self._contents.delete_all(folder(lease.key)))

    def end(self, lease: Lease) -> None:
        with suppress(StaleWrite):
            self._table.delete(keys.lease(lease.key), condition=THERE)
