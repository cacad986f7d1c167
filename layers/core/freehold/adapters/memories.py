"""What agents remember, in DynamoDB: a partition a memory, an item a session, in the order in which they began."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from ..errors import StaleWrite
from ..values.conversation import Erased, Named
from ..values.memory import Summary
from ..values.run import Run
from . import keys
from .items import THERE, Items
from .records import Records
from .table import BATCH_READS, Table, from_wire, to_wire

UNFOLDED = f"{THERE} AND through_turn = :through"


class DynamoMemories:
    """`Memories`."""

    def __init__(self, table: Table, records: Records) -> None:
        self._table, self._records = table, records
        self._items = Items(records)

    def summary(self, run: Run) -> Summary | None:
        if run.memory_id is None:
            return None
        item = self._table.get(keys.summary(run.tenant, run.agent, run.memory_id, run.conversation))
        return self._records.decode(item, Summary) if item else None

    def recent(self, run: Run, *, most: int, now: int) -> Sequence[Summary]:
        if run.memory_id is None:
            return ()
        # Its own session is most often among the newest. Sessions that left no notes lie between the others.
        found = self._newest(keys.memory(run.tenant, run.agent, run.memory_id), page=most + 1)
        told = (
            summary
            for summary in islice(found, 5 * most + 20)
            if summary.conversation != run.conversation
            and not summary.notes.empty
            and summary.expires_at > now // 1000
        )
        return tuple(islice(told, most))[::-1]

    def _newest(self, pk: str, *, page: int) -> Iterator[Summary]:
        for item in self._table.query(pk, prefix=keys.SUMMARIES, newest_first=True, page=page):
            yield self._records.decode(item, Summary)

    def fold(self, summary: Summary, *, before: Summary) -> None:
        item = self._items.summary(summary)
        try:
            self._table.put(item, condition=UNFOLDED, values={":through": before.through_turn})
        except StaleWrite:
            # A response that was lost after the write makes the retry fail; what is there then is ours.
            if self._table.get(_where(summary)) != from_wire(to_wire(item)):
                raise

    def all(self, tenant: str, agent: str, memory_id: str) -> Iterator[Summary]:
        pk = keys.memory(tenant, agent, memory_id)
        for item in self._table.query(pk, prefix=keys.SUMMARIES, page=BATCH_READS):
            yield self._records.decode(item, Summary)

    def forget(self, named: Named) -> Erased:
        found = remembered(named, self._table)
        self._table.delete_all(found)
        return forgotten(found)


def remembered(named: Named, table: Table) -> list[keys.Key]:
    """The keys of a conversation's summary and, behind it, of the links that lead to it."""
    if named.memory_id is None:
        return []
    memory = (named.tenant, named.agent, named.memory_id)
    links = table.keys(keys.memory(*memory), prefix=keys.links_to_summary(named.conversation))
    where = keys.summary(*memory, named.conversation)
    return [*([where] if table.get(where) else []), *links]


def forgotten(found: Sequence[keys.Key]) -> Erased:
    """What it comes to when these are deleted."""
    return Erased(summaries=sum(key["sk"].startswith(keys.SUMMARIES) for key in found), items=len(found))


def _where(summary: Summary) -> keys.Key:
    return keys.summary(summary.tenant, summary.agent, summary.memory_id, summary.conversation)
