from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from bench.mirror import Mirror
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from moto import mock_aws

from freehold.adapters.table import Table

KEYS = [f"{kind}#{number}" for kind in "AB" for number in range(6)]
BOUNDS = some.sampled_from(["", *KEYS, "A", "B", "C"])


@pytest.fixture(scope="module")
def tables() -> Iterator[tuple[Table, Table]]:
    """The same items, read from moto and from the copy."""
    with mock_aws():
        client: Any = boto3.client("dynamodb")
        client.create_table(
            TableName="t",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
        )
        mirror: Any = Mirror(client, "t")
        copy = Table(mirror, "t")
        for key in KEYS:
            copy.put({"pk": "P", "sk": key, "n": 1}, condition="attribute_not_exists(pk)")
        copy.transact([({"pk": "P", "sk": KEYS[0], "n": 2}, "n = :one", {":one": 1})])
        copy.delete({"pk": "P", "sk": KEYS[3]}, condition="attribute_exists(pk)")
        yield Table(client, "t"), copy


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(BOUNDS, BOUNDS, some.booleans(), some.sampled_from([None, 1, 2, 5]))
def test_a_range_reads_as_dynamodb_would(
    tables: tuple[Table, Table], after: str, before: str, newest_first: bool, page: int | None
):
    if after and before and after > before:
        after, before = before, after
    asked = {"after": after, "before": before, "newest_first": newest_first, "page": page}

    real, copy = (list(table.query("P", **asked)) for table in tables)  # pyright: ignore

    assert copy == real


@pytest.mark.parametrize("prefix", ["A", "B#", "C", "A#0"])
def test_a_prefix_reads_as_dynamodb_would(tables: tuple[Table, Table], prefix: str):
    real, copy = (list(table.query("P", prefix=prefix)) for table in tables)

    assert copy == real


def test_a_query_is_counted_by_what_it_returned(tables: tuple[Table, Table]):
    mirror: Any = tables[1].client
    mirror.reads.clear()

    list(tables[1].query("P", prefix="A"))

    assert [(read.operation, read.items, read.units) for read in mirror.reads] == [("Query", 5, 1)]
