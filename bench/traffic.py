"""Every request between the product's functions and DynamoDB, seen on the wire and billed as DynamoDB would."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

from bench.billing import WireItem, item_size, read_units, write_units

TRANSACTION_FACTOR = 2
REFUSED = 400


@dataclass(frozen=True, slots=True)
class Write:
    """One item of one write request. `units` are the table's, `index_units` those of its indexes.

    `size` is the item's as sent, 0 for a removal. `accepted` is false where a condition failed: billed all the same.
    """

    table: str
    conversation: str
    sk: str
    kind: str
    size: int
    units: int
    index_units: int
    accepted: bool
    item: WireItem


@dataclass(frozen=True, slots=True)
class Read:
    table: str
    conversation: str
    operation: str
    size: int
    units: float


class Traffic:
    """A log of reads and writes in the order of their answers. `indexes` are the key attributes of each index."""

    def __init__(self, table: str, indexes: Sequence[tuple[str, str]]) -> None:
        self.log: list[Write | Read] = []
        self.not_counted: set[str] = set()
        self._table, self._indexes = table, indexes
        self._there: dict[tuple[str, str], WireItem] = {}
        self._lock = Lock()

    def of(self, run_id: str) -> list[Write | Read]:
        """What was read and written for the conversation of a run, of the sessions table."""
        conversation = run_id.rpartition("-")[0]
        return [each for each in self.log if each.table == self._table and each.conversation == conversation]

    def saw(self, operation: str, request: Mapping[str, Any], status: int, answer: Mapping[str, Any]) -> None:
        """Write down one request and its answer."""
        with self._lock:
            match operation:
                case "PutItem" | "DeleteItem":
                    self._wrote(operation, request, accepted=status < REFUSED)
                case "TransactWriteItems":
                    for action in request["TransactItems"]:
                        self._wrote_in_transaction(action, accepted=status < REFUSED)
                case "GetItem" | "Query" | "BatchGetItem":
                    self._read(operation, request, answer)
                case _:
                    self.not_counted.add(operation)

    def _wrote_in_transaction(self, action: Mapping[str, Any], *, accepted: bool) -> None:
        ((name, request),) = action.items()
        if name == "Put":
            self._wrote("PutItem", request, accepted=accepted, factor=TRANSACTION_FACTOR)
        else:
            self.not_counted.add(f"{name} in a transaction")

    def _wrote(self, operation: str, request: Mapping[str, Any], *, accepted: bool, factor: int = 1) -> None:
        item: WireItem = request.get("Item") or {}
        key = item or request["Key"]
        if request["TableName"] != self._table:
            return
        where = (key["pk"]["S"], key["sk"]["S"])
        before = self._there.get(where, {})
        size = item_size(item)
        if accepted and item:
            self._there[where] = item
        elif accepted:
            self._there.pop(where, None)
        write = Write(
            table=self._table,
            conversation=_conversation(key),
            sk=where[1],
            kind=item["kind"]["S"] if item else operation,
            size=size,
            units=factor * write_units(max(size, item_size(before))),
            index_units=self._index_units(before, item) if accepted else 0,
            accepted=accepted,
            item=item,
        )
        self.log.append(write)

    def _index_units(self, before: WireItem, after: WireItem) -> int:
        """Entries are keys alone, less than 1 KB: one unit to add or to remove one, two to move it."""
        units = 0
        for attributes in self._indexes:
            old, new = (_entry(image, attributes) for image in (before, after))
            units += (old is not None) + (new is not None) if old != new else 0
        return units

    def _read(self, operation: str, request: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        if operation == "BatchGetItem":
            for table, wanted in request["RequestItems"].items():
                found = answer.get("Responses", {}).get(table, [])
                # Each key is rounded up by itself, and one that is not there costs a unit as well.
                missing = len(wanted["Keys"]) - len(found)
                for size in (*map(item_size, found), *[0] * missing):
                    self._add_read(operation, table, wanted["Keys"][0], size, wanted)
        elif operation == "GetItem":
            self._add_read(
                operation, request["TableName"], request["Key"], item_size(answer.get("Item", {})), request
            )
        else:
            size = sum(map(item_size, answer.get("Items", ())))
            values: WireItem = request["ExpressionAttributeValues"]
            self._add_read(
                operation, request["TableName"], {"pk": values.get(":pk", {"S": ""})}, size, request
            )

    def _add_read(
        self, operation: str, table: str, key: WireItem, size: int, asked: Mapping[str, Any]
    ) -> None:
        units = read_units(size) * (1.0 if asked.get("ConsistentRead") else 0.5)
        self.log.append(Read(table, _conversation(key), operation, size, units))


def _conversation(key: WireItem) -> str:
    """The conversation that an item belongs to; the session's and the idempotency item name theirs."""
    if "conversation" in key:
        return key["conversation"]["S"]
    if "run_id" in key:
        return key["run_id"]["S"].rpartition("-")[0]
    return key["pk"]["S"].rpartition("#")[2]


def _entry(item: WireItem, attributes: tuple[str, str]) -> tuple[str, ...] | None:
    values = tuple(item[name]["S"] for name in attributes if name in item)
    return values if len(values) == len(attributes) else None


def requests(body: bytes) -> dict[str, Any]:
    """A request's or an answer's JSON; an empty one has none."""
    return json.loads(body) if body else {}
