"""What agents remember, in DynamoDB: a partition a memory, an item a session, in the order in which they began."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice

from ..errors import StaleWrite
from ..values.memory import Summary
from ..values.run import Run
from . import keys
from .contents import Contents
from .items import THERE, Items
from .records import Records, summaries_folder
from .table import Table, from_wire, to_wire

UNFOLDED = f"{THERE} AND through_turn = :through"


class DynamoMemories:
    """`Memories`."""

    def __init__(self, table: Table, records: Records, contents: Contents) -> None:
        self._table, self._records, self._contents = table, records, contents
        self._items = Items(records)

    def summary(self, run: Run) -> Summary | None:
        if run.memory_id is None:
            return None
        item = self._table.get(keys.summary(run.tenant, run.agent, run.memory_id, run.conversation))
        return self._records.decode(item, Summary) if item else None

    def recent(self, run: Run, *, most: int, now: int) -> Sequence[Summary]:
        if run.memory_id is None:
            return ()
        # Its own session is most often among the newest.
        found = self._newest(keys.memory(run.tenant, run.agent, run.memory_id), page=most + 1)
        told = (
            summary
            for summary in found
            if summary.conversation != run.conversation
            and not summary.notes.empty
            and summary.expires_at > now // 1000
        )
        return tuple(islice(told, most))[::-1]

    def _newest(self, pk: str, *, page: int) -> Iterator[Summary]:
        for item in self._table.query(pk, newest_first=True, page=page):
            yield self._records.decode(item, Summary)

    def fold(self, summary: Summary, *, before: Summary) -> None:
        item = self._items.summary(summary)
        try:
            self._table.put(item, condition=UNFOLDED, values={":through": before.through_turn})
        except StaleWrite:
            # A response that was lost after the write makes the retry fail; what is there then is ours.
            if self._table.get(_where(summary)) != from_wire(to_wire(item)):
                raise

    def all(self, tenant: str, agent: str, memory_id: str) -> Sequence[Summary]:
        items = self._table.query(keys.memory(tenant, agent, memory_id))
        return [self._records.decode(item, Summary) for item in items]

    def forget(self, summary: Summary) -> int:
        # The item last: as long as it is there, whoever asks again finds what to delete.
        objects = self._contents.delete_all(summaries_folder(summary))
        with suppress(StaleWrite):
            self._table.delete(_where(summary), condition=THERE)
        return objects


def _where(summary: Summary) -> keys.Key:
    return keys.summary(summary.tenant, summary.agent, summary.memory_id, summary.conversation)
