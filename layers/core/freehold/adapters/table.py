"""A DynamoDB table with the rules of the run protocol: reads are consistent, writes conditional, errors named."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import BotoCoreError, ClientError

from ..errors import StaleWrite, StoreUnavailable

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

Item = dict[str, Any]
_to_wire, _from_wire = TypeSerializer(), TypeDeserializer()

LOST_THE_RACE = frozenset(("ConditionalCheckFailed", "TransactionConflict"))
BATCH_ATTEMPTS = 8


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

    def __init__(self, client: DynamoDBClient, name: str) -> None:
        self.client, self.name = client, name

    def get(self, key: Mapping[str, str]) -> Item | None:
        with named_errors(f"read {key['pk']}"):
            found = self.client.get_item(TableName=self.name, Key=to_wire(key), ConsistentRead=True)
        return from_wire(found["Item"]) if "Item" in found else None

    def get_all(self, keys: Sequence[Mapping[str, str]]) -> list[Item | None]:
        """One item a key, in the order of the keys; at most 100."""
        wanted: dict[str, Any] = {self.name: {"Keys": [to_wire(key) for key in keys], "ConsistentRead": True}}
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

    def query(self, pk: str, *, prefix: str = "", after: str = "", before: str = "") -> Iterator[Item]:
        """Items of a partition in key order: those that begin with `prefix`, or lie between the two others."""
        condition, values = "pk = :pk", {":pk": pk}
        if prefix:
            condition, values = condition + " AND begins_with(sk, :prefix)", values | {":prefix": prefix}
        elif after and before:
            condition += " AND sk BETWEEN :after AND :before"
            values |= {":after": after, ":before": before}
        elif after or before:
            condition += " AND sk > :bound" if after else " AND sk < :bound"
            values |= {":bound": after or before}
        yield from self._pages(
            KeyConditionExpression=condition, ExpressionAttributeValues=to_wire(values), ConsistentRead=True
        )

    def newest(self, pk: str, prefix: str, *, limit: int) -> list[Item]:
        """The last items of a partition in key order, newest key first."""
        with named_errors(f"read {pk}"):
            found = self.client.query(
                TableName=self.name,
                KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
                ExpressionAttributeValues=to_wire({":pk": pk, ":prefix": prefix}),
                ConsistentRead=True,
                ScanIndexForward=False,
                Limit=limit,
            )
        return [from_wire(item) for item in found["Items"]]

    def query_index(self, index: str, name: str, value: str) -> Iterator[Item]:
        """Keys under one hash key of an index: eventually consistent, so read each before acting on it."""
        yield from self._pages(
            IndexName=index,
            KeyConditionExpression=f"{name} = :value",
            ExpressionAttributeValues=to_wire({":value": value}),
        )

    def page(self, pk: str, *, prefix: str, limit: int, after: str | None) -> tuple[list[Item], str | None]:
        """One page in key order, and the sort key after which the next one begins."""
        query: dict[str, Any] = {"ExclusiveStartKey": to_wire({"pk": pk, "sk": after})} if after else {}
        with named_errors(f"read {pk}"):
            found = self.client.query(
                TableName=self.name,
                KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
                ExpressionAttributeValues=to_wire({":pk": pk, ":prefix": prefix}),
                ConsistentRead=True,
                Limit=limit,
                **query,
            )
        last = found.get("LastEvaluatedKey")
        return [from_wire(item) for item in found["Items"]], from_wire(last)["sk"] if last else None

    def newest_of_index(
        self, index: str, name: str, value: str, *, limit: int, after: Item | None
    ) -> tuple[list[Item], Item | None]:
        """One page of an index, newest first, and the key after which the next one begins."""
        query: dict[str, Any] = {"ExclusiveStartKey": to_wire(after)} if after else {}
        with named_errors(f"read {value}"):
            found = self.client.query(
                TableName=self.name,
                IndexName=index,
                KeyConditionExpression=f"{name} = :value",
                ExpressionAttributeValues=to_wire({":value": value}),
                ScanIndexForward=False,
                Limit=limit,
                **query,
            )
        last = found.get("LastEvaluatedKey")
        return [from_wire(item) for item in found["Items"]], from_wire(last) if last else None

    def _pages(self, **query: Any) -> Iterator[Item]:
        with named_errors("query"):
            while True:
                page = self.client.query(TableName=self.name, **query)
                for raw in page["Items"]:
                    yield from_wire(raw)
                if "LastEvaluatedKey" not in page:
                    return
                query["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def put(
        self, item: Mapping[str, Any], *, condition: str, values: Mapping[str, Any] | None = None
    ) -> None:
        """Raises `StaleWrite` where `condition` does not hold."""
        with named_errors(f"write {item['pk']} {item['sk']}"):
            self.client.put_item(**self._put(item, condition, values))

    def put_or_get(self, item: Mapping[str, Any]) -> Item:
        """Write a new item, or return the one that is there: one request either way."""
        try:
            self.client.put_item(
                **self._put(item, "attribute_not_exists(pk)", None),
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            there = error.response.get("Item")
            if there is not None:
                return from_wire(there)
            with named_errors(f"write {item['pk']} {item['sk']}"):
                raise
        except BotoCoreError as error:
            raise StoreUnavailable(f"write {item['pk']} {item['sk']}: {error}") from error
        return dict(item)

    def delete(self, key: Mapping[str, str], *, condition: str, values: Mapping[str, Any]) -> None:
        with named_errors(f"delete {key['pk']} {key['sk']}"):
            self.client.delete_item(
                TableName=self.name,
                Key=to_wire(key),
                ConditionExpression=condition,
                ExpressionAttributeValues=to_wire(values),
            )

    def transact(self, puts: Sequence[tuple[Mapping[str, Any], str, Mapping[str, Any] | None]]) -> None:
        """All of `(item, condition, values)` or none. Raises `StaleWrite`."""
        with named_errors(f"transaction on {puts[0][0]['pk']}"):
            self.client.transact_write_items(
                TransactItems=[
                    {"Put": self._put(item, condition, values)} for item, condition, values in puts
                ]
            )

    def _put(self, item: Mapping[str, Any], condition: str, values: Mapping[str, Any] | None) -> Any:
        request: dict[str, Any] = {
            "TableName": self.name,
            "Item": to_wire(item),
            "ConditionExpression": condition,
        }
        if values:
            request["ExpressionAttributeValues"] = to_wire(values)
        return request
