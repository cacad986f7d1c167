"""The sample rows: believable on any day, the same for everybody, and safe to fill in twice."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from .conftest import EXAMPLE, template

TODAY = date(2026, 11, 23)
LATER = TODAY + timedelta(days=70)
Tools = dict[str, ModuleType]


def test_the_table_holds_a_few_hundred_rows(tools: Tools) -> None:
    kinds = Counter(re.split("[#-]", row["sk"])[0] for row in tools["sample_data"].rows(TODAY))

    assert kinds["ORDER"] == 200
    assert kinds["CUSTOMER"] == 2 * 60
    assert kinds["PRD"] >= 40
    assert 12 <= kinds["RETURN"] <= 20


def test_keys_and_email_addresses_are_unique(tools: Tools) -> None:
    rows = tools["sample_data"].rows(TODAY)

    assert len({(row["pk"], row["sk"]) for row in rows}) == len(rows)
    assert len({row["email"] for row in rows if row["sk"] == "CUSTOMER"}) == 60


def test_dates_move_with_today_and_nothing_else_does(tools: Tools) -> None:
    now, later = (tools["sample_data"].rows(day) for day in (TODAY, LATER))

    moved = {field for a, b in zip(now, later, strict=True) for field in a if a[field] != b[field]}
    assert moved == {
        "placedOn",
        "shippedOn",
        "expectedOn",
        "deliveredOn",
        "restockOn",
        "openedOn",
        "sendBackBy",
    }


def test_every_order_tells_a_possible_story(tools: Tools) -> None:
    today = TODAY.isoformat()
    for order in _orders(tools):
        happened = [order[field] for field in ("placedOn", "shippedOn", "deliveredOn") if field in order]
        assert happened == sorted(happened), order
        assert happened[-1] <= today, order
        assert ("deliveredOn" in order) == (order["status"] == "delivered"), order
        if order["status"] in {"processing", "shipped", "delayed", "out_for_delivery"}:
            assert order["expectedOn"] >= today, order
        assert ("trackingNumber" in order) == (order["status"] not in {"processing", "cancelled"}), order


def test_order_numbers_grow_with_time(tools: Tools) -> None:
    placed = [order["placedOn"] for order in _orders(tools)]

    assert placed == sorted(placed)


def test_returns_stay_inside_the_window(tools: Tools) -> None:
    rows = tools["sample_data"].rows(TODAY)
    delivered = {row["pk"]: row.get("deliveredOn") for row in rows if row["sk"] == "ORDER"}

    for row in rows:
        if row["sk"].startswith("RETURN#"):
            waited = date.fromisoformat(row["openedOn"]) - date.fromisoformat(delivered[row["pk"]])
            assert 0 <= waited.days <= 30


def test_the_model_reads_no_decimals_from_the_table(tools: Tools, table: Any) -> None:
    shop = tools["shop"].Shop(table)
    shop.fill(TODAY)

    json.dumps([shop.order("ORD-10042"), shop.products(), shop.orders_of("CUS-1007")])


def test_filling_again_writes_nothing(tools: Tools, table: Any) -> None:
    tools["shop"].Shop(table).fill(TODAY)
    table.delete_item(Key={"pk": "PRODUCT", "sk": "PRD-201"})

    tools["shop"].Shop(table).fill(TODAY)

    assert "Item" not in table.get_item(Key={"pk": "PRODUCT", "sk": "PRD-201"})


def test_an_interrupted_filling_is_done_again(tools: Tools, table: Any) -> None:
    tools["shop"].Shop(table).fill(TODAY)
    for key in ({"pk": "FILLED", "sk": "FILLED"}, {"pk": "PRODUCT", "sk": "PRD-201"}):
        table.delete_item(Key=key)

    shop = tools["shop"].Shop(table)
    shop.fill(TODAY)

    assert shop.product("PRD-201")["name"] == "Larkwell Studio over-ear headphones"


def test_a_new_day_moves_the_dates_and_keeps_the_customers_returns(tools: Tools, table: Any) -> None:
    shop = tools["shop"].Shop(table)
    shop.fill(TODAY)
    opened = shop.open_return(_kettle(tools), TODAY)

    shop.fill(LATER)

    order, returns = shop.order("ORD-10018")
    assert order["deliveredOn"] == (LATER - timedelta(days=17)).isoformat()
    assert returns == [opened]


def test_a_repeat_after_the_window_closed_still_finds_its_return(tools: Tools, table: Any) -> None:
    shop = tools["shop"].Shop(table)
    shop.fill(TODAY)
    opened = shop.open_return(_kettle(tools), TODAY)

    assert shop.open_return(_kettle(tools), LATER) == opened


@pytest.mark.parametrize(("age", "allowed"), [(0, True), (30, True), (31, False)])
def test_the_return_window_is_thirty_days(tools: Tools, age: int, allowed: bool) -> None:
    order = {"orderId": "ORD-1", "status": "delivered", "deliveredOn": TODAY.isoformat(), "items": []}
    product = {"productId": "PRD-1", "name": "a lamp", "returnable": True}

    def check() -> None:
        tools["return_rules"].check_return(order, product, TODAY + timedelta(days=age))

    if allowed:
        check()
    else:
        with pytest.raises(tools["refusals"].Refused, match="30 days"):
            check()


def test_the_question_of_the_example_is_about_an_order_that_exists(tools: Tools) -> None:
    asked = re.findall(r"ORD-\d{5}", (EXAMPLE / "ask.txt").read_text())

    assert asked
    assert set(asked) <= {order["orderId"] for order in _orders(tools)}


def test_the_tools_serve_every_operation_of_the_document(tools: Tools) -> None:
    document = yaml.safe_load((EXAMPLE / "orders-api.yaml").read_text())
    promised = {(path, method.upper()) for path, methods in document["paths"].items() for method in methods}
    routes = tools["app"].app._static_routes + tools["app"].app._dynamic_routes

    served = {(re.sub(r"<(\w+)>", r"{\1}", route.path), route.method) for route in routes}
    assert served == promised


def test_the_agent_names_an_output_of_the_tools_stack() -> None:
    agent = json.loads((EXAMPLE / "agent.json").read_text())

    executors = [group["actionGroupExecutor"]["lambda"] for group in agent["actionGroups"]]
    assert [executor.strip("${}") for executor in executors] == list(template()["Outputs"])


def test_the_tools_run_on_the_libraries_that_the_repository_is_tested_with() -> None:
    ours = _pins(EXAMPLE.parents[1] / "requirements-dev.txt")

    theirs = _pins(EXAMPLE / "support_tools" / "requirements.txt")
    assert theirs
    assert theirs.items() <= ours.items()


def _pins(requirements: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", requirements.read_text(), re.MULTILINE))


def _orders(tools: Tools) -> list[dict[str, Any]]:
    return [row for row in tools["sample_data"].rows(TODAY) if row["sk"] == "ORDER"]


def _kettle(tools: Tools) -> Any:
    return tools["shop"].Request("ORD-10018", "PRD-241", "damaged", "", "run-1-1-0")
