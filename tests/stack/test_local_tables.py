"""The local AWS reads a table that is full as quickly as an empty one, and saves it without copying it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

pytestmark = pytest.mark.stack

FULL_TABLE = """
import json
import re
from ministack.core.persistence import _json_default
from ministack.services import dynamodb
from freehold_cli.local import patches
if PATCHED:
    patches.apply_all()

read = []
class Counting:
    def __init__(self, pattern):
        self.pattern = pattern
    def finditer(self, text):
        read.append(text)
        return self.pattern.finditer(text)
dynamodb._COND_TOKEN_RE = Counting(dynamodb._COND_TOKEN_RE)

evaluated = []
class Evaluating(dynamodb._ExprEval):
    def evaluate(self):
        evaluated.append(self)
        return super().evaluate()
dynamodb._ExprEval = Evaluating

def saved(state):
    return json.dumps(state, default=_json_default, sort_keys=True)

def key(number):
    return {"pk": {"S": "one"}, "sk": {"S": f"{number:02}"}}

def create(table, **types):
    dynamodb._create_table({
        "TableName": table,
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": kind} for name, kind in types.items()],
        "BillingMode": "PAY_PER_REQUEST",
    })

values = {
    ":one": {"S": "one"}, ":first": {"S": "10"}, ":last": {"S": "12"}, ":zero": {"S": "0"}, ":nine": {"N": "9"}
}
def found(condition, table="full", **more):
    named = {name: values[name] for name in re.findall(r":\\w+", condition)}
    asked = {"KeyConditionExpression": condition, "ExpressionAttributeValues": named, **more}
    answer = dynamodb._query({"TableName": table, **asked})
    return [next(iter(item["sk"].values())) for item in json.loads(answer[2])["Items"]]

create("full", pk="S", sk="S")
dynamodb._tables["full"].update({"CreationDateTime": 0, "TableId": "", "LatestStreamLabel": ""})
for number in range(30):
    dynamodb._put_item({"TableName": "full", "Item": {**key(number), "pages": {"L": [{"M": {"a": {"N": "1"}}}]}}})
conditions = ("sk BETWEEN :first AND :last", "begins_with(sk, :zero)", "sk < :first", "sk > :last")
queried = [found("pk = :one"), *(found(f"pk = :one AND {each}") for each in conditions)]
evaluated_for_keys = len(evaluated)
found("pk = :one", FilterExpression="attribute_exists(pages)")
state = dynamodb.get_state()
before = saved(state)
change = {
    "TableName": "full",
    "UpdateExpression": "SET pages[0].a = :two",
    "ExpressionAttributeValues": {":two": {"N": "2"}},
}
answers = [
    dynamodb._update_item({**change, "Key": key(1)}),
    dynamodb._transact_write_items({"TransactItems": [{"Update": {**change, "Key": key(2)}}]}),
    dynamodb._delete_item({"TableName": "full", "Key": key(3)}),
    dynamodb._put_item({"TableName": "full", "Item": key(4)}),
]
changed = saved(dynamodb.get_state()) != before
create("numbered", pk="S", sk="N")
for number in ("2", "10"):
    dynamodb._put_item({"TableName": "numbered", "Item": {"pk": {"S": "one"}, "sk": {"N": number}}})
numbers = found("pk = :one AND sk < :nine", "numbered")
print(json.dumps({
    "queried": queried,
    "evaluated": evaluated_for_keys,
    "numbers": numbers,
    "answers": [answer[0] for answer in answers],
    "read": len(read),
    "copied": any(
        item is not state["tables"]["full"]["items"]["one"].get(name)
        for name, item in dynamodb._tables["full"]["items"]["one"].items()
        if name not in ("01", "02", "04")
    ),
    "kept": saved(state) == before,
    "changed": changed,
    "saved": before,
}))
"""


@pytest.fixture(scope="session")
def full_tables() -> tuple[dict[str, Any], dict[str, Any]]:
    """What happens to a table of thirty items on each of the two."""

    def told(*, patched: bool) -> dict[str, Any]:
        command = [sys.executable, "-c", FULL_TABLE.replace("PATCHED", str(patched))]
        done = subprocess.run(command, env={}, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    return told(patched=True), told(patched=False)


def test_a_condition_is_read_once_for_all_items(full_tables: tuple[dict[str, Any], dict[str, Any]]):
    patched, as_it_comes = full_tables

    assert patched["read"] < 10 < 30 <= as_it_comes["read"]


def test_a_query_compares_keys_and_evaluates_nothing(full_tables: tuple[dict[str, Any], dict[str, Any]]):
    patched, as_it_comes = full_tables

    assert [len(keys) for keys in patched["queried"]] == [30, 3, 10, 10, 17]
    assert patched["queried"] == as_it_comes["queried"]
    assert patched["numbers"] == as_it_comes["numbers"] == ["2"]
    assert patched["evaluated"] == 0 < 30 <= as_it_comes["evaluated"]


def test_a_save_takes_items_as_they_are_and_holds_what_was_there(
    full_tables: tuple[dict[str, Any], dict[str, Any]],
):
    patched, as_it_comes = full_tables

    assert not patched["copied"]
    assert as_it_comes["copied"]
    assert patched["answers"] == [200, 200, 200, 200]
    assert patched["kept"]
    assert patched["changed"]
    assert patched["saved"] == as_it_comes["saved"]
