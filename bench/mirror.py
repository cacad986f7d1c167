"""DynamoDB's queries, answered from a copy of what was written: moto takes ten milliseconds for each hundred items.

Writes go to moto, which judges their conditions. Queries of a partition are counted as DynamoDB bills them.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.billing import WireItem, item_size, read_units

# Sorts after every key.
END = "\uffff"


@dataclass(frozen=True, slots=True)
class Read:
    """One request: how many items it returned, and its read units."""

    operation: str
    items: int
    units: int


class Mirror:
    """A boto3 client of DynamoDB for one table with `pk` and `sk`, and other tables as they are."""

    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table
        self._items: dict[str, dict[str, WireItem]] = defaultdict(dict)
        self._order: dict[str, list[str]] = defaultdict(list)
        self._sizes: dict[str, dict[str, int]] = defaultdict(dict)
        self._heavy: set[tuple[str, str]] = set()
        self.reads: list[Read] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    # -- reads

    def query(self, **request: Any) -> dict[str, Any]:
        if "IndexName" in request or request["TableName"] != self._table:
            return self._client.query(**request)
        values = {name: value["S"] for name, value in request["ExpressionAttributeValues"].items()}
        order, pk = self._order[values[":pk"]], values[":pk"]
        begins, ends = _range(order, request["KeyConditionExpression"], values)
        found = order[begins:ends]
        if not request.get("ScanIndexForward", True):
            found.reverse()
        if start := request.get("ExclusiveStartKey"):
            found = found[found.index(start["sk"]["S"]) + 1 :]
        most = request.get("Limit", len(found))
        shown = [self._items[pk][sk] for sk in found[:most]]
        self._count("Query", len(shown), sum(self._sizes[pk][sk] for sk in found[:most]))
        rest: dict[str, Any] = {}
        if len(found) > most:
            rest["LastEvaluatedKey"] = {"pk": {"S": pk}, "sk": {"S": found[most - 1]}}
        return {"Items": shown, **rest}

    def get_item(self, **request: Any) -> dict[str, Any]:
        answer = self._client.get_item(**request)
        if request["TableName"] == self._table:
            self._count("GetItem", int("Item" in answer), item_size(answer.get("Item", {})))
        return answer

    def _count(self, operation: str, items: int, size: int) -> None:
        self.reads.append(Read(operation, items, read_units(size)))

    # -- writes

    def put_item(self, **request: Any) -> dict[str, Any]:
        return self._written(self._client.put_item, request, [{"Put": request}])

    def delete_item(self, **request: Any) -> dict[str, Any]:
        return self._written(self._client.delete_item, request, [{"Delete": request}])

    def transact_write_items(self, **request: Any) -> dict[str, Any]:
        return self._written(self._client.transact_write_items, request, request["TransactItems"])

    def _written(
        self, write: Callable[..., Any], request: Mapping[str, Any], parts: Sequence[Mapping[str, Any]]
    ) -> dict[str, Any]:
        answer = write(**request)
        for part in parts:
            for kind, what in part.items():
                if kind in ("Put", "Delete") and what["TableName"] == self._table:
                    self._keep(what.get("Item"), what.get("Item") or what["Key"])
        return answer

    def _keep(self, item: WireItem | None, key: WireItem) -> None:
        pk, sk = key["pk"]["S"], key["sk"]["S"]
        there, order = self._items[pk], self._order[pk]
        if item is None:
            if there.pop(sk, None):
                order.remove(sk)
            return
        if sk not in there:
            insort(order, sk)
        there[sk], self._sizes[pk][sk] = item, item_size(item)
        if sk.startswith("RUN#"):
            self._heavy.add((pk, sk))

    def size(self, conversation: str) -> int:
        """How many items it has."""
        return sum(len(items) for pk, items in self._items.items() if pk.endswith(f"#{conversation}"))

    def repeat_turn(self, pk: str, times: int) -> None:
        """As if the first turn of a conversation had come so many times."""
        first = [item for sk, item in self._items[pk].items() if sk.startswith("RUN#000001")]
        for number in range(2, times + 1):
            for item in first:
                sk = {"S": item["sk"]["S"].replace("RUN#000001", f"RUN#{number:06d}")}
                turn = {"turn": {"N": str(number)}} if "turn" in item else {}
                self._keep({**item, **turn, "sk": sk}, {"pk": {"S": pk}, "sk": sk})
        self._heavy.clear()

    def relieve(self) -> None:
        """Take out of moto what only queries still read: it copies its whole table for each transaction."""
        for pk, sk in self._heavy:
            self._client.delete_item(TableName=self._table, Key={"pk": {"S": pk}, "sk": {"S": sk}})
        self._heavy.clear()


def _range(order: Sequence[str], condition: str, values: Mapping[str, str]) -> tuple[int, int]:
    """Where in the order of sort keys that lies which a condition of `Table.query` asks for."""
    match condition.partition(" AND ")[2].split():
        case []:
            return 0, len(order)
        case ["begins_with(sk,", _]:
            prefix = values[":prefix"]
            return bisect_left(order, prefix), bisect_left(order, prefix + END)
        case ["sk", "BETWEEN", *_]:
            return bisect_left(order, values[":after"]), bisect_right(order, values[":before"])
        case ["sk", ">", _]:
            return bisect_right(order, values[":bound"]), len(order)
        case ["sk", "<", _]:
            return 0, bisect_left(order, values[":bound"])
        case other:
            raise ValueError(f"no such condition is known here: {other}")
