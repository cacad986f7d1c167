"""The rules of the run protocol for tables, held against every request of the loop itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws

from freehold.adapters.scripted import ScriptedModel, reply
from freehold.errors import SessionBusy, ToolThrottled
from world import World, agent, clients, tool

from .policies import rule_broken

Asked = list[tuple[str, dict[str, Any]]]


@pytest.fixture
def asked() -> Iterator[tuple[World, Asked]]:
    """A world, and every request to its tables so far."""
    with mock_aws():
        world = World(*clients(), None)
        world.apply(agent(tool("look_up"), tool("pay", idempotent=False)))
        made: Asked = []

        def keep(model: Any, params: dict[str, Any], **_: Any) -> None:
            made.append((model.name, dict(params)))

        world.client.meta.events.register("provide-client-params.dynamodb", keep)
        yield world, made


def test_reads_are_consistent_and_writes_conditional_in_all_that_can_happen_to_a_run(
    asked: tuple[World, Asked],
):
    world, made = asked
    answer_and_race(world)
    lose_a_payment(world)
    cancel_and_queue(world)
    die_and_be_swept(world)

    seen = {operation for operation, _ in made}

    assert seen == {"GetItem", "BatchGetItem", "Query", "PutItem", "DeleteItem", "TransactWriteItems"}
    assert len(made) > 100
    assert [told for operation, given in made if (told := rule_broken(operation, given))] == []


def answer_and_race(world: World) -> None:
    """Parallel calls, and an answer whose reply loses the race for its lap."""
    world.model = ScriptedModel(
        [reply(calls=[("look_up", {"id": "1"}), ("pay", {"id": "2"})])] + [reply("done")] * 3
    )
    run = world.ask(session="answered", idempotency_key="k")
    world.ask(session="answered", idempotency_key="k")
    world.invoke_model(run)
    world.run_tool(run, call=0)
    world.run_tool(run, call=1)
    world.run_tool(run, call=1)
    world.on_write(lambda: world.invoke_model(run) and None)
    world.invoke_model(run)
    assert world.history(run).discarded
    world.finish(run)
    world.invoke_model(world.ask("more", session="answered"))


def lose_a_payment(world: World) -> None:
    """A throttled tool, a tool that was given up, and a marker that outlives its maker."""
    world.model = ScriptedModel(
        [reply(calls=[("pay", {"id": "1"}), ("look_up", {"id": "2"})]), reply("done")]
    )
    run = world.ask(session="lost")
    world.invoke_model(run)
    world.tools.answers["pay"] = ToolThrottled("slow down")
    with pytest.raises(ToolThrottled):
        world.run_tool(run)
    late = {"response": {"functionResponse": {"responseBody": {"TEXT": {"body": "paid"}}}}}

    def somebody_gives_up(event: Any) -> Any:
        world.pass_time(3600)
        world.run_tool(run)
        return late

    world.tools.answers["pay"] = somebody_gives_up
    world.run_tool(run)
    assert world.history(run).late
    world.invoke_model(run, failed=(1,))


def cancel_and_queue(world: World) -> None:
    first = world.ask(session="queue")
    queued = world.ask(session="queue", when_busy="enqueue")
    world.ask(session="queue", when_busy="enqueue")
    with pytest.raises(SessionBusy):
        world.ask(session="queue")
    world.cancel(queued)
    world.cancel(first)
    world.finish(first)


def die_and_be_swept(world: World) -> None:
    world.ask(session="dead")
    world.pass_time(3600)
    world.executions.states.clear()
    assert world.sweep().restarted


@pytest.mark.parametrize(
    ("operation", "given"),
    [
        ("GetItem", {"TableName": "sessions", "Key": {}}),
        ("Query", {"TableName": "sessions", "ConsistentRead": False}),
        ("BatchGetItem", {"RequestItems": {"sessions": {"Keys": [], "ConsistentRead": False}}}),
        ("PutItem", {"Item": {}}),
        ("DeleteItem", {"Key": {}}),
        ("TransactWriteItems", {"TransactItems": [{"Put": {"ConditionExpression": "x"}}, {"Put": {}}]}),
        ("Scan", {"ConsistentRead": True}),
        ("BatchWriteItem", {"RequestItems": {"sessions": [{"DeleteRequest": {}}, {"PutRequest": {}}]}}),
        ("UpdateItem", {}),
    ],
)
def test_the_check_sees_a_rule_broken(operation: str, given: dict[str, Any]):
    assert rule_broken(operation, given)
