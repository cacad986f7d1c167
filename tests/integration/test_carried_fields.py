"""Two releases at once: what one of them does not know is still there when it puts a run back."""

from __future__ import annotations

from typing import Any

from boto3.dynamodb.types import TypeSerializer

from freehold.adapters.scripted import ScriptedModel, reply
from world import World

wire = TypeSerializer().serialize


def change(world: World, kind: str, **fields: Any) -> None:
    """As a newer release would have written the item."""
    (item,) = [item for item in world.everything() if item["kind"]["S"] == kind]
    world.client.put_item(
        TableName="sessions", Item=item | {name: wire(value) for name, value in fields.items()}
    )


def item(world: World, kind: str) -> dict[str, Any]:
    (found,) = [item for item in world.everything() if item["kind"]["S"] == kind]
    return found


def test_fields_of_a_newer_release_outlive_a_whole_run(world: World):
    world.model = ScriptedModel([reply("hi")])
    run = world.ask()
    change(world, "run", priority=7, labels={"a": "b"})
    change(world, "session", mood="good")

    world.invoke_model(run)
    ended = world.finish(run)

    assert ended is not None
    assert ended.status == "COMPLETED"
    assert (item(world, "run")["priority"], item(world, "run")["labels"]) == (wire(7), wire({"a": "b"}))
    assert item(world, "session")["mood"] == wire("good")


def test_content_of_a_newer_release_is_carried_too(world: World):
    run = world.ask("hello")
    body = item(world, "run")["body"]["M"] | {"summary": wire("short")}
    world.client.put_item(TableName="sessions", Item=item(world, "run") | {"body": {"M": body}})

    world.cancel(run)

    assert world.run(run).carried == {"summary": "short"}
    assert world.run(run).input == "hello"
    assert item(world, "run")["summary"] == wire("short")


def test_fields_of_a_newer_release_outlive_the_sessions_next_message(world: World):
    world.model = ScriptedModel([reply("hi")])
    run = world.ask()
    world.invoke_model(run)
    world.finish(run)
    change(world, "session", mood="good")

    world.ask("more")

    assert item(world, "session")["mood"] == wire("good")
