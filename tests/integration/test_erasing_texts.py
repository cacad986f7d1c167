"""Texts in the making go with their conversation, whichever way that is erased, and none outlasts it for long."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from driven import QuickWorld
from freehold.adapters.conversations import DynamoConversations
from freehold.adapters.live_texts import DynamoLiveTexts
from freehold.adapters.scripted import ScriptedModel, reply
from freehold.erasing import ErasingCollaborators, erase_memory, erase_principal, erase_session
from freehold.errors import StoreUnavailable
from freehold.ports import Tell
from freehold.value import replace
from freehold.values.agent import Memory
from freehold.values.model import ModelReply, ModelRequest
from freehold.values.run import Principal, Run, RunKey
from world import TENANT, World, agent

DAY = 86_400
Erase = Callable[[ErasingCollaborators], Any]


@pytest.fixture
def world() -> QuickWorld:
    made = QuickWorld()
    made.apply(replace(agent(), memory=Memory(storage_days=30)))
    return made


def follow(world: World, session: str = "s1", memory_id: str | None = None) -> Run:
    """A run that ends while somebody watches it."""
    run = world.ask("hello", session, memory_id=memory_id, principal=Principal("key", session))
    world.live.watch(run.key, until=world.clock + 60_000)
    world.model = ScriptedModel([reply("hello")])
    world.invoke_model(run)
    world.finish(run)
    return run


def texts(world: World) -> list[str]:
    """All that is there of them, and of those who watch."""
    items = world.live._table.client.scan(TableName="events")["Items"]
    return [item.get("text", item["kind"])["S"] for item in items]


def minutes(world: World, number: int) -> None:
    for _ in range(number):
        world.pass_time(60)
        world.sweep()


def session(using: ErasingCollaborators) -> Any:
    return erase_session(TENANT, "s1", using)


def memory(using: ErasingCollaborators) -> Any:
    return erase_memory(TENANT, "helper", "anna", using, lambda: False)


def principal(using: ErasingCollaborators) -> Any:
    return erase_principal(TENANT, Principal("key", "s1"), using, lambda: False)


@pytest.mark.parametrize("erase", [session, memory, principal])
def test_texts_in_the_making_are_erased_with_their_conversation_and_no_other(world: QuickWorld, erase: Erase):
    first, second, other = follow(world, "s1", "anna"), follow(world, "s1", "anna"), follow(world, "s2")
    assert sorted(texts(world)) == ["hello"] * 3 + ["watch"] * 3

    erase(world.erasing())

    assert sorted(texts(world)) == ["hello", "watch"]
    assert [bool(world.live.pieces(run.key, 1)) for run in (first, second, other)] == [False, False, True]


def test_texts_in_the_making_go_with_a_session_that_has_expired(world: QuickWorld):
    run = follow(world)
    world.pass_time(DAY + 900)
    # Long after the texts' own hour: time to live takes its time.
    assert texts(world) != []

    minutes(world, 60)

    assert world.sessions.run(run.key) is None
    assert texts(world) == []


def test_what_a_model_goes_on_telling_after_the_erasure_is_gone_within_the_half_hour(world: QuickWorld):
    """Its run was cancelled and erased while the model wrote, and whoever watches is looked for no more."""
    run = world.ask("hello")
    world.live.watch(run.key, until=world.clock + 60_000)
    seen: list[list[str]] = []

    class Slow:
        def reply(self, request: ModelRequest, tell: Tell | None = None) -> ModelReply:
            assert tell
            tell("one ")
            world.cancel(run)
            world.finish(run)
            seen.append(texts(world))
            erase_session(TENANT, "s1", world.erasing())
            seen.append(texts(world))
            world.pass_time(1)
            tell("two")
            return reply("one two")

    world.model = Slow()
    world.invoke_model(run)
    assert seen == [["watch", "one "], []]
    assert texts(world) == ["two"]

    minutes(world, 30)

    assert texts(world) == []


class Unreachable(DynamoLiveTexts):
    """Erases nothing."""

    def erase(self, key: RunKey) -> None:
        raise StoreUnavailable("the table is gone")


@pytest.mark.parametrize("again", [memory, principal, None])
def test_texts_that_an_erasure_left_when_it_stopped_are_erased_by_the_next(
    world: QuickWorld, again: Erase | None
):
    """By whoever asks once more, and by the sweeper."""
    follow(world, "s1", "anna")
    broken = DynamoConversations(
        world.table, world.sessions._records, world.contents, Unreachable(world.live._table)
    )
    with pytest.raises(StoreUnavailable):
        session(replace(world.erasing(), conversations=broken))
    assert texts(world) != []

    if again:
        again(world.erasing())
    else:
        minutes(world, 30)

    assert texts(world) == []
