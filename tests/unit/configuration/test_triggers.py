"""An agent's triggers: what they may hold, and what is said of the rest."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from freehold.configuration.triggers import MOST_TRIGGERS, schedule_of, triggers_of
from freehold.errors import Invalid
from freehold.triggering import filled
from freehold.values.run import Principal
from freehold.values.trigger import Trigger

from .conftest import Workbench

PAGE = (Path(__file__).parents[3] / "docs" / "triggers.md").read_text()
KEY = Principal("key", "k1")
SOURCE = {"source": ["shop.orders"]}


def event(pattern: Any = SOURCE, **more: Any) -> dict[str, Any]:
    return {"eventPattern": pattern, "input": "hello"} | more


def daily(**more: Any) -> dict[str, Any]:
    return {"schedule": "rate(1 day)", "input": "hello"} | more


def made(*triggers: dict[str, Any], tenant: str = "acme") -> list[Trigger]:
    return triggers_of({"agentName": "desk", "triggers": [*triggers]}, tenant=tenant, by=KEY, now=0)


@pytest.mark.parametrize(
    "pattern",
    [
        {"source": ["shop.orders", {"prefix": "shop."}]},
        SOURCE | {"detail-type": ["Order Paid"], "account": ["123456789012"]},
        SOURCE | {"resources": [{"wildcard": "arn:*:orders/*"}, {"suffix": ".fifo"}]},
        SOURCE | {"detail": {"state": ["paid", 3, True, None]}},
        SOURCE | {"detail": {"deep": {"deeper": [{"exists": False}]}}},
        SOURCE | {"detail": {"total": [{"numeric": [">", 0, "<=", 100]}, {"numeric": ["=", 3.5]}]}},
        SOURCE | {"detail": {"ip": [{"cidr": "10.0.0.0/24"}, {"cidr": "2001:db8::/32"}]}},
        SOURCE | {"detail": {"a": [{"prefix": {"equals-ignore-case": "eu-"}}]}},
        SOURCE | {"detail": {"a": [{"anything-but": "x"}, {"anything-but": ["x", "y"]}]}},
        SOURCE | {"detail": {"a": [{"anything-but": 1}, {"anything-but": [1, 2]}]}},
        SOURCE | {"detail": {"a": [{"anything-but": {"prefix": ["x", "y"]}}]}},
        SOURCE | {"detail": {"$or": [{"a": ["x"]}, {"b": ["y"]}]}},
        SOURCE | {"$or": [{"detail-type": ["x"]}, {"detail": {"b": ["y"]}}]},
    ],
)
def test_what_eventbridge_takes_is_taken(bench: Workbench, pattern: dict[str, Any]):
    assert bench.compile(bench.document(triggers=[event(pattern)]))


@pytest.mark.parametrize(
    ("source", "warned"),
    [
        ("freehold", True),
        ({"prefix": "free"}, True),
        ({"prefix": ""}, True),
        ("freehold.orders", False),
        ({"prefix": "freehold."}, False),
    ],
)
def test_who_listens_to_the_stacks_own_events_is_warned_of_runs_that_begin_one_another(
    bench: Workbench, source: Any, warned: bool
):
    warnings = bench.compile(bench.document(triggers=[event({"source": ["shop", source]})])).warnings

    assert (
        any("triggers[0].eventPattern.source[1]" in each and "after 5" in each for each in warnings) == warned
    )


@pytest.mark.parametrize(
    ("pattern", "path", "told"),
    [
        ({"detail-type": ["x"]}, "source", "is required"),
        ({"source": "shop"}, "source", "must be a list of sources"),
        ({"source": []}, "source", "must be a list of sources"),
        ({"source": [{"suffix": "x"}]}, "source[0]", "must be text or"),
        ({"source": [{"prefix": 1}]}, "source[0]", "must be text or"),
        ({"source": ["a", "shop.*"]}, "source[1]", 'where * would be itself; {"prefix": "shop."}'),
        ({"source": [{"prefix": "shop.*"}]}, "source[0]", '{"prefix": "shop."} stands for all'),
        (SOURCE | {"detailType": ["x"]}, "detailType", "did you mean `detail-type`?"),
        (SOURCE | {"time": "now"}, "time", "must be a list of values"),
        (SOURCE | {"time": {"a": ["x"]}}, "time", "must be a list of values"),
        (SOURCE | {"detail": ["x"]}, "detail", "must be an object"),
        (SOURCE | {"detail": {}}, "detail", "is empty"),
        (SOURCE | {"detail": {"a": []}}, "detail.a", "with one at least"),
        (SOURCE | {"detail": {"a": [["x"]]}}, "detail.a[0]", "is a list"),
        (SOURCE | {"detail": {"a": [{"like": "x"}]}}, "detail.a[0]", "a comparison is exactly one of"),
        (SOURCE | {"detail": {"a": [{"prefix": "x", "suffix": "y"}]}}, "detail.a[0]", "exactly one of"),
        (SOURCE | {"detail": {"a": [{"exists": "no"}]}}, "detail.a[0].exists", "true or false"),
        (SOURCE | {"detail": {"a": [{"numeric": [">"]}]}}, "detail.a[0].numeric", "a comparison such as"),
        (SOURCE | {"detail": {"a": [{"numeric": ["=", 1, "<", 2]}]}}, "detail.a[0].numeric", "a comparison"),
        (SOURCE | {"detail": {"a": [{"wildcard": "a**b"}]}}, "detail.a[0].wildcard", "no * follows another"),
        (SOURCE | {"detail": {"a": [{"cidr": "10.0.0.0"}]}}, "detail.a[0].cidr", "a range of addresses"),
        (
            SOURCE | {"detail": {"a": [{"anything-but": ["x", 1]}]}},
            "detail.a[0].anything-but",
            "a list of",
        ),
        (SOURCE | {"detail": {"$or": [{"a": ["x"]}]}}, "detail.$or", "at least two"),
        (SOURCE | {"detail": {"a": ["x" * 2_048]}}, "", "at most 2,048 are allowed"),
    ],
)
def test_what_eventbridge_does_not_take_is_refused(
    bench: Workbench, pattern: dict[str, Any], path: str, told: str
):
    problems = bench.problems(bench.document(triggers=[event(pattern)]))

    (found,) = problems
    where = f"triggers[0].eventPattern{'.' * bool(path)}{path}"
    assert found.path == where
    assert told in found.message


@pytest.mark.parametrize(
    ("trigger", "path", "told"),
    [
        ({"input": "x"}, "", "exactly one of eventPattern and schedule"),
        (event(schedule="rate(1 day)"), "", "exactly one of eventPattern and schedule"),
        (event(timeZone="UTC"), "", "goes with a schedule alone"),
        (daily(schedule="daily"), ".schedule", "must be rate("),
        (daily(timeZone="Berlin"), ".timeZone", "IANA"),
        (daily(input=""), ".input", "must not be empty"),
        (daily(input="x" * 200_001), ".input", "at most 200,000"),
        (daily(input="{{detail.id}}"), ".input", "a placeholder begins with scheduledTime"),
        (daily(input="{{scheduledTime.hour}}"), ".input", "a placeholder begins with scheduledTime"),
        (event(input="{{orderId}}"), ".input", "a placeholder begins with detail, "),
        (event(input="{{ detail. }}"), ".input", "write { once"),
        (event(input="{{1 + 1}}"), ".input", "write { once"),
        (event(sessionId="order/{{detail.id}}"), ".sessionId", "is not 1 to 100"),
        (event(memoryId="{{nothing}}"), ".memoryId", "a placeholder begins with"),
        (event(alias="no alias"), ".alias", "1 to 100 of letters"),
        (event(prompt="x"), ".prompt", "is no field"),
    ],
)
def test_what_is_wrong_with_a_trigger_is_said_at_its_place(
    bench: Workbench, trigger: dict[str, Any], path: str, told: str
):
    (found,) = bench.problems(bench.document(triggers=[trigger]))

    assert found.path == f"triggers[0]{path}"
    assert told in found.message


def test_an_agent_has_so_many_triggers_and_no_more(bench: Workbench):
    (found,) = bench.problems(bench.document(triggers=[daily()] * (MOST_TRIGGERS + 1)))

    assert f"at most {MOST_TRIGGERS} are allowed" in found.message
    assert f"| triggers of an agent | {MOST_TRIGGERS} |" in PAGE


def test_the_id_of_a_trigger_follows_from_when_it_goes_off():
    first, second, zone = made(daily(), event(), daily(timeZone="Europe/Berlin"))
    again, changed = made(event(input="bye"), daily(timeZone="UTC"))

    assert again.trigger_id == second.trigger_id
    assert changed.trigger_id == first.trigger_id
    assert len({each.trigger_id for each in (first, second, zone)}) == 3


def test_equal_triggers_are_told_apart_and_so_are_tenants():
    twice = made(daily(), daily(input="bye"))
    other = made(daily(), tenant="globex")

    assert len({each.trigger_id for each in (*twice, *other)}) == 3
    assert all(re.fullmatch("[0-9a-f]{24}", each.trigger_id) for each in twice)


def test_triggers_are_no_part_of_what_a_run_pins(bench: Workbench):
    assert bench.compile(bench.document(triggers=[daily()])).agent == bench.compile(bench.document()).agent


@pytest.mark.parametrize("given", [None, [], {"agent": "desk", "schedule": "rate(1 day)", "input": "\ud800"}])
def test_what_is_no_schedule_is_refused(given: object):
    with pytest.raises(Invalid):
        schedule_of(given, tenant="acme", by=KEY, now=0, name="n")


def test_the_pages_example_asks_what_it_says(bench: Workbench):
    (example,) = (json.loads(found) for found in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL))
    assert bench.compile(example).warnings == ()
    paid, summing = triggers_of(example, tenant="acme", by=KEY, now=0)
    detail = {"orderId": "1042", "total": 250, "customer": {"name": "Ada"}, "lines": [{"sku": "tea"}]}

    asked = filled(paid, {"source": "shop.orders", "detail-type": "Order Paid", "detail": detail})

    assert asked.input == 'Thank Ada for order 1042: [{"sku": "tea"}]'
    assert asked.session_id == "order-1042"
    assert (summing.schedule, summing.time_zone) == ("cron(0 8 ? * MON-FRI *)", "Europe/Berlin")
