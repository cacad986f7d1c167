"""Runs that begin by themselves: by an event on the stack's bus, and by the clock."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from freehold.adapters.access import AccessEntries
from freehold.adapters.table import Table
from freehold.values.access import AccessEntry
from freehold_client import Run
from model_server import say
from product_stack import TENANT, Product, eventually

pytestmark = pytest.mark.stack

PAID = {
    "eventPattern": {"source": ["shop.orders"], "detail": {"total": [{"numeric": [">", 100]}]}},
    "input": "Thank {{detail.customer.name}}: {{detail.lines}}",
    "sessionId": "order-{{detail.order}}",
}


@pytest.fixture(scope="module", autouse=True)
def granted(product: Product) -> None:
    table = Table(product.aws("dynamodb"), product.outputs["AgentsTable"])
    AccessEntries(table).grant(AccessEntry("source", "shop.*", TENANT, 0))


def happens(product: Product, order: str, total: int) -> None:
    detail = {"order": order, "total": total, "customer": {"name": "Ada"}, "lines": [{"sku": "tea"}]}
    entry = {"Source": "shop.orders", "DetailType": "Order Paid", "Detail": json.dumps(detail)}
    answer = product.aws("events").put_events(Entries=[entry | {"EventBusName": product.outputs["Bus"]}])
    assert answer["FailedEntryCount"] == 0


def ended(product: Product, **wanted: Any) -> list[Run]:
    return [run for run in product.api.runs.list(**wanted) if run.ended]


def test_an_event_that_a_trigger_waits_for_begins_a_run(product: Product):
    product.model.script([say("Thank you.")])
    agent = product.agent(triggers=[PAID])

    happens(product, f"{agent}-small", 50)
    happens(product, f"{agent}-large", 500)

    eventually(lambda: ended(product, agent=agent))
    (run,) = product.api.runs.list(agent=agent)
    assert run.session_id == f"order-{agent}-large"
    assert run.wire["input"] == 'Thank Ada: [{"sku": "tea"}]'
    assert run.wire["trigger"] == "event"
    assert run.wire["principal"]["id"].startswith("shop.orders/")


def test_a_schedule_begins_a_run_when_it_comes_due_and_is_gone(product: Product):
    product.model.script([say("Done.")])
    agent, soon = product.agent(), datetime.now(UTC) + timedelta(seconds=3)

    added = product.api.schedules.add(agent, f"at({soon:%Y-%m-%dT%H:%M:%S})", "It is {{scheduledTime}}.")

    eventually(lambda: ended(product, agent=agent))
    (run,) = product.api.runs.list(agent=agent)
    assert re.fullmatch(r"It is \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\.", run.wire["input"])
    assert run.wire["principal"] == {"type": "schedule", "id": added.schedule_id}
    group = product.aws("scheduler").list_schedules(NamePrefix=added.schedule_id)
    assert group["Schedules"] == []
