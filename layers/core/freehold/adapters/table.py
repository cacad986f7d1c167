"""A DynamoDB table with the rules of the run protocol: reads are consistent, writes conditional, errors named."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import BotoCoreError, ClientError

from ..errors import StaleWrite, StoreUnavailable

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

Item = dict[str, Any]
Values = Mapping[str, Any] | None
Put = tuple[Mapping[str, Any], str, Values]
OnKey = tuple[Mapping[str, str], str, Values]
_to_wire, _from_wire = TypeSerializer(), TypeDeserializer()

LOST_THE_RACE = frozenset(("ConditionalCheckFailed", "TransactionConflict"))
BATCH_ATTEMPTS = 8
BATCH_READS = 100
BATCH_WRITES = 25
BATCH_PAUSE = 0.05


def to_wire(item: Mapping[str, Any]) -> dict[str, Any]:
    """Plain values as DynamoDB's typed ones; None is left out."""
    return {name: _to_wire.serialize(value) for name, value in item.items() if value is not None}


def from_wire(item: Mapping[str, Any]) -> Item:
    """Whole numbers come back as int; only those with a fraction stay Decimal."""
    return {name: _whole(_from_wire.deserialize(value)) for name, value in item.items()}


def _whole(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else value
    if isinstance(value, dict):
        return {key: _whole(inner) for key, inner in cast(dict[str, Any], value).items()}
    if isinstance(value, list):
        return [_whole(inner) for inner in cast(list[Any], value)]
    return value


@contextmanager
def named_errors(what: str) -> Generator[None]:
    """Turn AWS's errors into `StaleWrite` (a condition failed) or `StoreUnavailable` (anything else)."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        reasons = {reason.get("Code") for reason in error.response.get("CancellationReasons", [])} - {
            "None",
            None,
        }
        if code in ("ConditionalCheckFailedException", "TransactionConflictException") or (
            reasons and reasons <= LOST_THE_RACE
        ):
            raise StaleWrite(what) from error
        raise StoreUnavailable(f"{what}: {error}") from error
    except BotoCoreError as error:
        raise StoreUnavailable(f"{what}: {error}") from error


class Table:
    """One table, plain Python values in and out."""

    def __init__(
        self, client: DynamoDBClient, name: str, *, pause: Callable[[float], None] = time.sleep
    ) -> None:
        self.client, self.name, self._pause = client, name, pause

    def get(self, key: Mapping[str, str]) -> Item | None:
        with named_errors(f"read {key['pk']}"):
            found = self.client.get_item(TableName=self.name, Key=to_wire(key), ConsistentRead=True)
        return from_wire(found["Item"]) if "Item" in found else None

    def get_all(self, keys: Sequence[Mapping[str, str]], *names: str) -> list[Item | None]:
        """One item a key, in the order of the keys, at most 100; where names are given, no more of it than these."""
        only = {"ProjectionExpression": ", ".join(("pk", "sk", *names))} if names else {}
        read: dict[str, Any] = {"Keys": [to_wire(key) for key in keys], "ConsistentRead": True, **only}
        wanted: dict[str, Any] = {self.name: read}
        found: dict[tuple[str, str], Item] = {}
        with named_errors(f"read {keys[0]['pk']}"):
            for _ in range(BATCH_ATTEMPTS):
                answer = self.client.batch_get_item(RequestItems=wanted)
                for raw in answer["Responses"].get(self.name, []):
                    item = from_wire(raw)
                    found[item["pk"], item["sk"]] = item
                if not (wanted := dict(answer.get("UnprocessedKeys", {}))):
                    return [found.get((key["pk"], key["sk"])) for key in keys]
        raise StoreUnavailable(f"read {keys[0]['pk']}: keys were left unprocessed")

    def get_many(self, keys: Sequence[Mapping[str, str]]) -> Iterator[Item]:
        """What there is under any number of keys, in their order."""
        for start in range(0, len(keys), BATCH_READS):
            yield from (item for item in self.get_all(keys[start : start + BATCH_READS]) if item)

    def query(
        self,
        pk: str,
        *,
        prefix: str = "",
        after: str = "",
        before: str = "",
        newest_first: bool = False,
        page: int | None = None,
    ) -> Iterator[Item]:
        """Items of a partition in key order: those that begin with `prefix`, or lie between the two others.

        They are read as they are taken, `page` at a time where it is given.
        """
        order: dict[str, Any] = {"ScanIndexForward": False} if newest_first else {}
        limit: dict[str, Any] = {"Limit": page} if page else {}
        where = _between(pk, prefix=prefix, after=after, before=before)
        yield from self._pages(**where, **order, **limit, ConsistentRead=True)

    def newest(
        self, pk: str, *, prefix: str = "", after: str = "", before: str = "", limit: int
    ) -> list[Item]:
        """The last items of such a range, newest key first."""
        with named_errors(f"read {pk}"):
            found = self.client.query(
                TableName=self.name,
                **_between(pk, prefix=prefix, after=after, before=before),
                ConsistentRead=True,
                ScanIndexForward=False,
                Limit=limit,
            )
        return [from_wire(item) for item in found["Items"]]

    def keys(self, pk: str, *, prefix: str = "", page: int | None = None) -> Iterator[Item]:
        """The keys of a partition in order, read as they are taken, `page` at a time where it is given."""
        limit: dict[str, Any] = {"Limit": page} if page else {}
        where = _between(pk, prefix=prefix)
        yield from self._pages(**where, **limit, ProjectionExpression="pk, sk", ConsistentRead=True)

    def query_index(self, index: str, name: str, value: str) -> Iterator[Item]:
        """Keys under one hash key of an index: eventually consistent, so read each before acting on it."""
        yield from self._pages(
            IndexName=index,
            KeyConditionExpression=f"{name} = :value",
            ExpressionAttributeValues=to_wire({":value": value}),
        )

    def first_of_index(
        self, index: str, name: str, value: str, *, before: str | None = None, after: str = "", limit: int
    ) -> list[Item]:
        """The first keys of an index that are listed before a place, or after one."""
        return self._indexed(index, name, value, before=before, after=after, limit=limit)

    def newest_of_index(
        self, index: str, name: str, value: str, *, before: str | None, limit: int
    ) -> list[Item]:
        """The last keys of an index that are listed before a place, newest first."""
        return self._indexed(index, name, value, before=before, limit=limit, ScanIndexForward=False)

    def _indexed(
        self,
        index: str,
        name: str,
        value: str,
        *,
        before: str | None,
        limit: int,
        after: str = "",
        **order: Any,
    ) -> list[Item]:
        condition, values = f"{name} = :value", {":value": value}
        if before is not None:
            condition, values = f"{condition} AND listed_at < :place", values | {":place": before}
        elif after:
            condition, values = f"{condition} AND listed_at > :place", values | {":place": after}
        with named_errors(f"read {value}"):
            found = self.client.query(
                TableName=self.name,
                IndexName=index,
                KeyConditionExpression=condition,
                ExpressionAttributeValues=to_wire(values),
                Limit=limit,
                **order,
            )
        return [from_wire(item) for item in found["Items"]]

    def page(self, pk: str, *, prefix: str, limit: int, after: str | None) -> tuple[list[Item], str | None]:
        """One page in key order, and the sort key after which the next one begins."""
        query: dict[str, Any] = {"ExclusiveStartKey": to_wire({"pk": pk, "sk": after})} if after else {}
        with named_errors(f"read {pk}"):
            found = self.client.query(
                TableName=self.name,
                **_between(pk, prefix=prefix),
                ConsistentRead=True,
                Limit=limit,
                **query,
            )
        last = found.get("LastEvaluatedKey")
        return [from_wire(item) for item in found["Items"]], from_wire(last)["sk"] if last else None

    def _pages(self, **query: Any) -> Iterator[Item]:
        with named_errors("query"):
            while True:
                page = self.client.query(TableName=self.name, **query)
                for raw in page["Items"]:
                    yield from_wire(raw)
                if "LastEvaluatedKey" not in page:
                    return
                query["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def put(self, item: Mapping[str, Any], *, condition: str, values: Values = None) -> None:
        """Raises `StaleWrite` where `condition` does not hold."""
        with named_errors(f"write {item['pk']} {item['sk']}"):
            self.client.put_item(**self._put(item, condition, values))

    def put_or_get(
        self, item: Mapping[str, Any], *, condition: str = "attribute_not_exists(pk)", values: Values = None
    ) -> Item:
        """Write the item where `condition` holds, or return the one that is there: one request either way."""
        request = self._put(item, condition, values) | {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        with named_errors(f"write {item['pk']} {item['sk']}"):
            try:
                self.client.put_item(**request)
            except ClientError as error:
                there = error.response.get("Item")
                if there is None:
                    raise
                return from_wire(there)
        return dict(item)

    def put_once(self, item: Mapping[str, Any], *, condition: str, values: Values = None) -> None:
        """As `put`, for what nobody else writes the same: sent again, since its answer was lost, it finds itself."""
        there = self.put_or_get(item, condition=condition, values=values)
        if to_wire(there) != to_wire(item):
            raise StaleWrite(f"write {item['pk']} {item['sk']}")

    def delete(self, key: Mapping[str, str], *, condition: str, values: Values = None) -> None:
        """Raises `StaleWrite` where `condition` does not hold."""
        with named_errors(f"delete {key['pk']} {key['sk']}"):
            self.client.delete_item(**self._on_key(key, condition, values))

    def delete_all(self, keys: Iterable[Mapping[str, str]]) -> None:
        """Whatever is there under the keys. What is gone already is success."""
        rest = iter(keys)
        while batch := list(islice(rest, BATCH_WRITES)):
            self._delete_batch(batch)

    def _delete_batch(self, keys: Sequence[Mapping[str, str]]) -> None:
        left: dict[str, Any] = {self.name: [{"DeleteRequest": {"Key": to_wire(key)}} for key in keys]}
        with named_errors(f"delete {keys[0]['pk']}"):
            for attempt in range(BATCH_ATTEMPTS):
                left = dict(self.client.batch_write_item(RequestItems=left).get("UnprocessedItems", {}))
                if not left:
                    return
                # One partition takes so many deletions a second and no more.
                self._pause(BATCH_PAUSE * 2**attempt)
        raise StoreUnavailable(f"delete {keys[0]['pk']}: keys were left unprocessed")

    def transact(
        self, puts: Sequence[Put], *, deletes: Sequence[OnKey] = (), checks: Sequence[OnKey] = ()
    ) -> None:
        """All of `(item or key, condition, values)` or none. Raises `StaleWrite`."""
        operations: list[Any] = [{"Put": self._put(*put)} for put in puts]
        operations += [{"Delete": self._on_key(*delete)} for delete in deletes]
        operations += [{"ConditionCheck": self._on_key(*check)} for check in checks]
        with named_errors(f"transaction on {puts[0][0]['pk']}"):
            self.client.transact_write_items(TransactItems=operations)

    def _put(self, item: Mapping[str, Any], condition: str, values: Values) -> Any:
        return self._conditional({"Item": to_wire(item)}, condition, values)

    def _on_key(self, key: Mapping[str, str], condition: str, values: Values) -> Any:
        return self._conditional({"Key": to_wire(key)}, condition, values)

    def _conditional(self, what: dict[str, Any], condition: str, values: Values) -> dict[str, Any]:
        request = {"TableName": self.name, **what, "ConditionExpression": condition}
        return request | {"ExpressionAttributeValues": to_wire(values)} if values else request


def _between(pk: str, *, prefix: str = "", after: str = "", before: str = "") -> dict[str, Any]:
    """What a query asks for; both bounds are included where both are given, and neither where one is."""
    condition, values = "pk = :pk", {":pk": pk}
    if prefix:
        condition, values = condition + " AND begins_with(sk, :prefix)", values | {":prefix": prefix}
    elif after and before:
        condition += " AND sk BETWEEN :after AND :before"
        values |= {":after": after, ":before": before}
    elif after or before:
        condition += " AND sk > :bound" if after else " AND sk < :bound"
        values |= {":bound": after or before}
    return {"KeyConditionExpression": condition, "ExpressionAttributeValues": to_wire(values)}
