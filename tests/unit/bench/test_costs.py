from __future__ import annotations

import json
from typing import Any

import pytest
from bench.costs import Costs, growth_exponent, per_lap
from bench.executions import Executions
from bench.floor import content_size, floor_of
from bench.traffic import Write
from bench.workload import Plan
from boto3.dynamodb.types import TypeSerializer

PK = "CONV#acme#C1"


def write(sk: str, kind: str, body: dict[str, Any] | None = None, *, accepted: bool = True) -> Write:
    item: dict[str, Any] = {"pk": {"S": PK}, "sk": {"S": sk}, "schema": {"N": "1"}}
    if body is not None:
        item["body"] = TypeSerializer().serialize(body)
    return Write("sessions", "C1", sk, kind, 100, 1, 0, accepted, item)


def run(laps: int, *, transitions: int, writes: int) -> Costs:
    made = tuple(write(f"{i}", "lap") for i in range(writes))
    return Costs(Plan(laps, tools=2), Executions(1, transitions, 100, 0), made, ())


def test_the_floor_is_each_thing_said_once_with_its_key_and_bare_text():
    calls = [{"name": "echo", "arguments": '{"a": 1}', "refused": None}]
    writes = [
        write("RUN", "run", {"input": "hello"}),
        write("RUN", "run", {"input": "hello"}),
        write("LAP", "lap", {"text": "hm", "calls": calls}),
        write("CALL", "marker"),
        write("CALL", "result", {"content": 'a "quote"'}),
        write("LATE", "result", {"content": "refused"}, accepted=False),
        write("SESSION", "session", {"session_attributes": {"a": "b"}}),
    ]

    floor = floor_of(writes)

    keys = sum(len("pk") + len(PK) + len("sk") + len(sk) for sk in ("RUN", "LAP", "CALL"))
    texts = sum(map(len, ("hello", "hm", "echo", '{"a": 1}', 'a "quote"')))
    assert (floor.items, floor.units) == (3, 3)
    assert floor.size == keys + 3 * len("body") + texts


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"input": 'a "quote"'}, 'a "quote"'),
        (
            {"text": "größe", "calls": [{"name": "echo", "arguments": {"a": [1, "b", True, None]}}]},
            "größeechob",
        ),
        ({"content": ""}, ""),
    ],
)
def test_the_same_content_counts_the_same_as_a_map_and_as_a_json_text(body: dict[str, Any], text: str):
    as_map = {"body": TypeSerializer().serialize(body)}
    as_text = {"body": {"S": json.dumps(body)}}

    assert content_size(as_map) == content_size(as_text) == len(text.encode())


def test_content_in_the_bucket_is_not_taken_for_none():
    kept = write("CALL", "result")
    referred = Write(
        *(kept.table, kept.conversation, "CALL", "result", 100, 1, 0, True),
        {**kept.item, "body_ref": {"S": "k"}},
    )

    with pytest.raises(ValueError, match="CALL lies in the bucket"):
        floor_of([referred])


def test_a_lap_costs_what_longer_runs_cost_more():
    found = per_lap(run(2, transitions=13, writes=10), run(6, transitions=33, writes=22))

    assert (found.transitions, found.transitions_beside) == (5, 3)
    assert (found.writes, found.writes_beside) == (3, 4)


@pytest.mark.parametrize("exponent", [1, 1.5, 2])
def test_the_growth_exponent_of_a_power_is_that_power(exponent: float):
    points = [(laps, round(1e6 * laps**exponent)) for laps in (10, 20, 50, 100, 200)]

    assert growth_exponent(points) == pytest.approx(exponent, abs=1e-4)
