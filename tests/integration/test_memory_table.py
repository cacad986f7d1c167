"""The table in memory answers as moto does, so that what is tried on it in a thousand orders means something."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from moto import mock_aws

from driven import (
    ASK_USER,
    ESCALATE,
    PAY,
    Obedient,
    asking,
    asking_agent,
    client_tool,
    complete,
    escalating,
    laps,
    message_to,
    named,
    parked,
    pay,
)
from freehold.adapters.table import Table
from freehold.erasing import erase_session
from memory_table import EmptyBucket, MemoryTable
from steering import outcome
from world import TENANT, World, answer, clients

LOOK_UP = ("look_up", {"id": "1"})


@pytest.fixture
def both() -> Iterator[tuple[Any, Any]]:
    """A client of moto and one of the table in memory."""
    with mock_aws():
        yield clients()[0], MemoryTable()


def eventful(client: Any) -> World:
    """A world in which runs were parked, decided about, delegated, cancelled and erased."""
    world = World(client, EmptyBucket(), None)
    world.model = Obedient()
    world.tools.answers["pay"] = answer("paid")
    tools = (pay("confirmation", "approval"), client_tool(), asking(), escalating(), asking_agent("expert"))
    world.apply(named("helper", *tools))
    world.apply(named("expert"))
    complete(world, world.ask(laps([PAY, LOOK_UP], [ASK_USER], [message_to("expert", "what is 7?")])))
    parked(world, laps([ESCALATE]), "s2")
    world.write("hello?", "s2", idempotency_key="m1")
    world.write("and then?", "s3", when_busy="enqueue")
    world.cancel(parked(world, laps([PAY]), "s4"))
    waits = parked(world, laps([PAY]), "s5")
    outcome(lambda: world.decide(waits, "approve", by="eve", scopes=()))
    complete(world, world.ask("hello", "s6"))
    erase_session(TENANT, "s6", world.erasing())
    world.pass_time(259_201)
    world.sweep()
    return world


def test_a_world_in_memory_is_the_same_as_one_on_moto(both: tuple[Any, Any]):
    on_moto, in_memory = (eventful(client) for client in both)

    assert in_memory.everything() == on_moto.everything()
    assert len(on_moto.everything()) > 40
    assert in_memory.executions == on_moto.executions
    assert in_memory.events == on_moto.events


def test_writes_whose_condition_fails_fail_alike(both: tuple[Any, Any]):
    draw = random.Random(1)
    moto, memory = (Table(client, "sessions") for client in both)
    conditions = (
        "attribute_not_exists(pk)",
        "attribute_exists(pk)",
        "rev = :rev",
        "rev = :rev AND kind = :kind",
    )
    seen: list[Any] = []
    for number in range(120):
        condition = draw.choice(conditions) + draw.choice(("", " OR outcome = :unknown"))
        named = {":rev": draw.randrange(3), ":kind": draw.choice("ab"), ":unknown": "unknown"}
        values = {name: value for name, value in named.items() if name in condition}
        items = [_item(draw, number) for _ in range(2)]
        act = draw.choice((_put, _put_or_get, _delete, _transact))

        first, second = (outcome(partial(act, table, items, condition, values)) for table in (moto, memory))

        assert type(first) is type(second), (number, condition, values)
        assert isinstance(first, Exception) or first == second
        assert list(moto.query("P")) == list(memory.query("P"))
        seen.append(isinstance(first, Exception))
    assert seen.count(True) > 20
    assert seen.count(False) > 20


def _item(draw: random.Random, number: int) -> dict[str, Any]:
    found = {"pk": "P", "sk": f"S#{draw.randrange(6)}", "rev": draw.randrange(3), "kind": draw.choice("ab")}
    return found | {"turn": number} | ({"outcome": "unknown"} if draw.random() < 0.3 else {})


Act = Callable[[Table, list[dict[str, Any]], str, dict[str, Any]], Any]


def _put(table: Table, items: list[dict[str, Any]], condition: str, values: dict[str, Any]) -> None:
    table.put(items[0], condition=condition, values=values)


def _put_or_get(table: Table, items: list[dict[str, Any]], condition: str, values: dict[str, Any]) -> Any:
    return table.put_or_get(items[0])


def _delete(table: Table, items: list[dict[str, Any]], condition: str, values: dict[str, Any]) -> None:
    table.delete({"pk": "P", "sk": items[0]["sk"]}, condition=condition, values=values)


def _transact(table: Table, items: list[dict[str, Any]], condition: str, values: dict[str, Any]) -> None:
    first, second = items
    other = {"pk": "P", "sk": f"T{second['sk']}"}
    deletes = [({"pk": "P", "sk": "S#9"}, "attribute_not_exists(pk)", None)]
    table.transact(
        [
            (first, condition, values),
            (second | other, "attribute_not_exists(turn) OR kind = :kind", {":kind": "a"}),
        ],
        deletes=deletes,
        checks=[({"pk": "P", "sk": "S#0"}, "attribute_exists(pk)", None)] if first["sk"] != "S#0" else [],
    )


@pytest.mark.parametrize(
    "given",
    [
        {"prefix": "RUN#"},
        {"after": "RUN#2", "before": "RUN#4"},
        {"after": "RUN#3"},
        {"before": "RUN#3"},
        {"newest_first": True},
    ],
)
def test_queries_answer_alike(both: tuple[Any, Any], given: dict[str, Any]):
    tables = [Table(client, "sessions") for client in both]
    for table in tables:
        for sk in ("RUN#1", "RUN#2", "RUN#3", "RUN#3#LAP", "RUN#4", "SESSION", "WAIT#1"):
            item = {"pk": "P", "sk": sk, "open_shard": "OPEN#1", "listed_at": f"{len(sk):03}#{sk}"}
            table.put(item, condition="attribute_not_exists(pk)")

    moto, memory = (list(table.query("P", **given)) for table in tables)
    indexed = [
        table.first_of_index("OpenRuns", "open_shard", "OPEN#1", before="007", limit=4) for table in tables
    ]

    assert memory == moto != []
    assert [each["sk"] for each in indexed[0]] == [each["sk"] for each in indexed[1]]
    assert len(indexed[0]) == 4
