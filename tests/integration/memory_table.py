"""DynamoDB in a dictionary, as far as the product uses it: fast enough to try requests in a thousand orders.

`test_memory_table.py` holds it against moto.
"""

from __future__ import annotations

import copy
import re
from collections import defaultdict
from collections.abc import Callable
from threading import RLock
from typing import Any

from boto3.dynamodb.types import TypeDeserializer
from botocore.exceptions import ClientError

Item = dict[str, Any]
FAILED = "ConditionalCheckFailed"
INDEXES = {"OpenRuns": "open_shard", "RunsByTenant": "runs_of"}
_plain = TypeDeserializer().deserialize


class MemoryTable:
    """A client. Each request is whole before the next one begins; `before_write` is called ahead of each write."""

    def __init__(self) -> None:
        self.before_write: Callable[[], None] = lambda: None
        self._tables: defaultdict[str, dict[tuple[str, str], Item]] = defaultdict(dict)
        self._lock = RLock()

    # -- reads

    def get_item(self, **given: Any) -> Item:
        with self._lock:
            found = self._there(given)
            return {"Item": copy.deepcopy(found)} if found else {}

    def batch_get_item(self, **given: Any) -> Item:
        ((table, wanted),) = given["RequestItems"].items()
        with self._lock:
            found = (self._tables[table].get(_key(key)) for key in wanted["Keys"])
            return {"Responses": {table: [copy.deepcopy(item) for item in found if item]}}

    def query(self, **given: Any) -> Item:
        index, newest_first = given.get("IndexName"), not given.get("ScanIndexForward", True)
        hashed, ranged = (INDEXES[index], "listed_at") if index else ("pk", "sk")
        condition, values = given["KeyConditionExpression"], given["ExpressionAttributeValues"]
        # Each begins with the partition, which most items are not of.
        holds, wanted = _condition(condition, values), values[condition.split(" ")[2]]
        with self._lock:
            items = self._tables[given["TableName"]].values()
            found = [item for item in items if item.get(hashed) == wanted and holds(item)]
            found.sort(key=lambda item: item.get(ranged, {"S": ""})["S"], reverse=newest_first)
            if begun := given.get("ExclusiveStartKey"):
                place = begun["sk"]["S"]
                follows = place.__gt__ if newest_first else place.__lt__
                found = [item for item in found if follows(item["sk"]["S"])]
            page = found[: given.get("Limit")]
            # As DynamoDB does: a page that is full tells where it ends, whether or not more follows.
            full = bool(page) and len(page) == given.get("Limit")
            last = {"LastEvaluatedKey": {key: page[-1][key] for key in ("pk", "sk")}} if full else {}
            return {"Items": copy.deepcopy(page), **last}

    def scan(self, **given: Any) -> Item:
        with self._lock:
            return {"Items": copy.deepcopy(list(self._tables[given["TableName"]].values()))}

    def delete_table(self, **given: Any) -> None:
        """All that is in it; a table is there as soon as something is put into it."""
        with self._lock:
            self._tables.pop(given["TableName"], None)

    # -- writes

    def put_item(self, **given: Any) -> None:
        self.before_write()
        self._write(given, given["Item"])

    def delete_item(self, **given: Any) -> None:
        self.before_write()
        self._write(given, None)

    def batch_write_item(self, **given: Any) -> Item:
        ((table, writes),) = given["RequestItems"].items()
        with self._lock:
            for write in writes:
                self._tables[table].pop(_key(write["DeleteRequest"]["Key"]), None)
        return {}

    def transact_write_items(self, **given: Any) -> None:
        self.before_write()
        asked = [operation for each in given["TransactItems"] for operation in each.items()]
        assert len({_place(given) for _, given in asked}) == len(asked) <= 100
        with self._lock:
            reasons = [{"Code": "None" if self._holds(given) else FAILED} for _, given in asked]
            if any(reason["Code"] == FAILED for reason in reasons):
                raise _refused("TransactionCanceledException", CancellationReasons=reasons)
            for name, given in asked:
                if name != "ConditionCheck":
                    self._put(given, given.get("Item"))

    def _write(self, given: Item, item: Item | None) -> None:
        with self._lock:
            if not self._holds(given):
                wanted = "ReturnValuesOnConditionCheckFailure" in given
                there = {"Item": copy.deepcopy(self._there(given))} if wanted else {}
                raise _refused(f"{FAILED}Exception", **there)
            self._put(given, item)

    def _put(self, given: Item, item: Item | None) -> None:
        table, place = self._tables[given["TableName"]], _place(given)
        table.pop(place, None)
        if item is not None:
            table[place] = copy.deepcopy(item)

    def _holds(self, given: Item) -> bool:
        values = given.get("ExpressionAttributeValues", {})
        return _condition(given["ConditionExpression"], values)(self._there(given))

    def _there(self, given: Item) -> Item:
        return self._tables[given["TableName"]].get(_place(given), {})


class TwiceSent(MemoryTable):
    """Every item is put twice, as by botocore where no answer came to the first request, which was served."""

    def put_item(self, **given: Any) -> None:
        super().put_item(**given)
        super().put_item(**given)


def _refused(code: str, **more: Any) -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": ""}, **more}
    return ClientError(answer, "a write")


def _place(given: Item) -> tuple[str, str]:
    return _key(given.get("Item") or given["Key"])


def _key(item: Item) -> tuple[str, str]:
    return item["pk"]["S"], item["sk"]["S"]


# -- conditions: AND binds closer than OR, and there are no parentheses around either


def _condition(text: str, values: Item) -> Callable[[Item], bool]:
    between = re.sub(r"BETWEEN (\S+) AND (\S+)", r"BETWEEN \1..\2", text)
    choices = [[_term(term, values) for term in each.split(" AND ")] for each in between.split(" OR ")]
    return lambda item: any(all(term(item) for term in terms) for terms in choices)


def _term(text: str, values: Item) -> Callable[[Item], bool]:
    found = {name: _plain(value) for name, value in values.items()}
    for pattern, made in TERMS.items():
        if match := re.fullmatch(pattern, text.strip()):
            name, *rest = match.groups()
            test, given = made, [found[each] for each in rest]
            return lambda item: test(_plain(item[name]) if name in item else None, *given)
    raise AssertionError(f"a condition that is not known here: {text}")


def between(there: Any, low: Any, high: Any) -> bool:
    assert low <= high, f"DynamoDB refuses bounds that are upside down: {low} and {high}"
    return low <= there <= high


TERMS: dict[str, Callable[..., bool]] = {
    r"attribute_exists\((\w+)\)": lambda there: there is not None,
    r"attribute_not_exists\((\w+)\)": lambda there: there is None,
    r"begins_with\((\w+), (:\w+)\)": lambda there, start: there is not None and there.startswith(start),
    r"(\w+) BETWEEN (:\w+)\.\.(:\w+)": lambda there, low, high: (
        there is not None and between(there, low, high)
    ),
    r"(\w+) = (:\w+)": lambda there, given: there is not None and there == given,
    r"(\w+) < (:\w+)": lambda there, given: there is not None and there < given,
    r"(\w+) > (:\w+)": lambda there, given: there is not None and there > given,
}


class EmptyBucket:
    """A client of S3 for worlds in which nobody says anything long."""

    def get_paginator(self, _: str) -> EmptyBucket:
        return self

    def paginate(self, **_: Any) -> list[Item]:
        return []
