from __future__ import annotations

from typing import Any

import pytest
from bench.traffic import Read, Traffic, Write

TABLE, PK = "sessions", "CONV#acme#C1"


@pytest.fixture
def traffic() -> Traffic:
    return Traffic(TABLE, [("open_shard", "listed_at"), ("runs_of", "listed_at")])


def put(sk: str = "RUN#000001", text: str = "", kind: str = "run", **more: str) -> dict[str, Any]:
    plain = {"pk": PK, "sk": sk, "kind": kind, "body": text, **more}
    return {"TableName": TABLE, "Item": {name: {"S": value} for name, value in plain.items()}}


def writes(traffic: Traffic) -> list[Write]:
    return [each for each in traffic.of("C1-1") if isinstance(each, Write)]


def reads(traffic: Traffic) -> list[Read]:
    return [each for each in traffic.of("C1-1") if isinstance(each, Read)]


def test_a_write_is_billed_by_the_larger_of_what_was_there_and_what_comes(traffic: Traffic):
    for text in ("x" * 3000, "short"):
        traffic.saw("PutItem", put(text=text), 200, {})

    assert [write.units for write in writes(traffic)] == [3, 3]


def test_a_removal_is_billed_by_what_it_removes(traffic: Traffic):
    traffic.saw("PutItem", put(text="x" * 1500), 200, {})
    key = {"pk": {"S": PK}, "sk": {"S": "RUN#000001"}}
    traffic.saw("DeleteItem", {"TableName": TABLE, "Key": key}, 200, {})
    traffic.saw("PutItem", put(text="short"), 200, {})

    assert [(write.kind, write.units) for write in writes(traffic)] == [
        ("run", 2),
        ("DeleteItem", 2),
        ("run", 1),
    ]


def test_a_transaction_costs_each_of_its_items_twice(traffic: Traffic):
    items = [{"Put": put()}, {"Put": put(sk="SESSION", kind="session")}]

    traffic.saw("TransactWriteItems", {"TransactItems": items}, 200, {})

    assert [write.units for write in writes(traffic)] == [2, 2]


def test_a_write_that_is_refused_is_billed_and_changes_nothing(traffic: Traffic):
    traffic.saw("PutItem", put(), 200, {})
    traffic.saw("PutItem", put(text="x" * 1500), 400, {})
    traffic.saw("PutItem", put(), 200, {})

    assert [(write.accepted, write.units) for write in writes(traffic)] == [(True, 1), (False, 2), (True, 1)]


def test_an_index_costs_only_what_changes_its_entry(traffic: Traffic):
    listed = {"runs_of": "RUNS#acme", "listed_at": "1"}
    shapes = [
        {**listed, "open_shard": "OPEN#1"},
        {**listed, "open_shard": "OPEN#1"},
        {**listed, "open_shard": "OPEN#2"},
        listed,
        {},
    ]
    for shape in shapes:
        traffic.saw("PutItem", put(**shape), 200, {})

    assert [write.index_units for write in writes(traffic)] == [2, 0, 2, 1, 1]


def test_reads_are_rounded_up_by_key_or_by_page_and_cost_half_where_they_may_be_stale(traffic: Traffic):
    item = put(text="x" * 5000)["Item"]
    keys = [{"pk": {"S": PK}, "sk": {"S": sk}} for sk in ("RUN#000001", "RUN#000001#LAP#0001#0")]
    batch = {"RequestItems": {TABLE: {"Keys": keys, "ConsistentRead": True}}}
    query = {"TableName": TABLE, "ExpressionAttributeValues": {":pk": {"S": PK}}}

    traffic.saw("BatchGetItem", batch, 200, {"Responses": {TABLE: [item]}})
    traffic.saw("GetItem", {"TableName": TABLE, "Key": keys[0], "ConsistentRead": True}, 200, {"Item": item})
    traffic.saw("Query", query | {"ConsistentRead": True}, 200, {"Items": [item, item]})
    traffic.saw("Query", query, 200, {"Items": []})

    assert [read.units for read in reads(traffic)] == [2, 1, 2, 3, 0.5]


def test_session_and_idempotency_key_count_for_the_conversation_that_they_name(traffic: Traffic):
    session = put(sk="SESSION", kind="session", conversation="C1")
    used = put(sk="IDEMPOTENCY", kind="idempotency", run_id="C1-1")
    for request in (session, used, put(conversation="C2"), put() | {"TableName": "agents"}):
        traffic.saw("PutItem", request, 200, {})

    assert [write.kind for write in writes(traffic)] == ["session", "idempotency"]


def test_what_cannot_be_billed_is_named(traffic: Traffic):
    traffic.saw("UpdateItem", {}, 200, {})
    traffic.saw("TransactWriteItems", {"TransactItems": [{"Update": {}}]}, 200, {})

    assert traffic.not_counted == {"UpdateItem", "Update in a transaction"}
