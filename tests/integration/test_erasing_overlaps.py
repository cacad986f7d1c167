"""What an erasure meets: replays of what it erases, others at work, and its own end half way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from erasable import DAY, KEY, LARGE, end_replay, kinds, minutes, never, objects, replay_of, say
from freehold.adapters.contents import Contents
from freehold.adapters.conversations import DynamoConversations
from freehold.erasing import (
    ErasingCollaborators,
    ErasureReport,
    erase_memory,
    erase_principal,
    erase_session,
)
from freehold.errors import NotFound, SessionBusy, StoreUnavailable
from freehold.value import replace
from freehold.values.agent import Memory
from freehold.values.conversation import Lease
from freehold.values.run import Run
from world import TENANT, World, agent


@pytest.fixture
def world(world_in_memory: World) -> World:
    return world_in_memory


@pytest.fixture
def remembering(world: World) -> World:
    world.apply(replace(agent(), memory=Memory(storage_days=30)))
    return world


@pytest.fixture
def s3() -> Any:
    import boto3

    return boto3.client("s3")


# -- replays


def test_replays_go_with_what_they_copied(world: World):
    original, other = say(world, "one", "s1"), say(world, "two", "s2")
    replays = [replay_of(world, run) for run in (original, original, other)]

    erase_session(TENANT, "s1", world.erasing())

    assert [world.sessions.run(replay.key) is None for replay in replays] == [True, True, False]


def test_a_replay_that_is_busy_leaves_its_original_as_it_is(remembering: World):
    original = say(remembering, memory_id="anna")
    replay = replay_of(remembering, original, ended=False)

    with pytest.raises(SessionBusy) as busy:
        erase_session(TENANT, "s1", remembering.erasing())

    assert busy.value.run_id == replay.key.run_id
    assert remembering.history(original).laps[-1].text == LARGE
    assert remembering.memories.summary(original) is not None
    end_replay(remembering, replay)
    assert erase_session(TENANT, "s1", remembering.erasing()).sessions == 2
    assert [kind for kind in kinds(remembering) if kind != "lease"] == []


class Behind(DynamoConversations):
    """Its index does not show replays yet."""

    def replays(self, lease: Lease) -> Sequence[Lease]:
        return ()


def test_a_replay_that_was_begun_during_the_erasure_is_found_later(world: World):
    """Also where it is busy when it is looked for."""
    original = say(world)
    replay = replay_of(world, original, ended=False)
    behind = Behind(world.table, world.sessions._records, world.contents, world.live)
    erase_session(TENANT, "s1", replace(world.erasing(), conversations=behind))
    world.executions.states[f"{replay.key.run_id}-1"] = "alive"

    minutes(world, 40, patience=10**9)
    assert world.sessions.run(replay.key) is not None
    end_replay(world, replay)
    minutes(world, 80)

    assert kinds(world) == []


def test_a_replay_goes_with_an_original_that_has_expired(world: World, s3: Any):
    """Nobody asked for either to be erased."""
    original = say(world)
    world.pass_time(DAY - 3_600)
    replay_of(world, original)

    world.pass_time(3_600 + 900)
    minutes(world, 60)

    assert (kinds(world), objects(world, s3)) == ([], [])


def test_an_original_that_has_expired_waits_for_a_replay_that_is_busy(world: World):
    original = say(world)
    world.pass_time(DAY - 3_600)
    replay = replay_of(world, original, ended=False)

    world.pass_time(3_600 + 900)
    minutes(world, 60, patience=10**9)
    assert world.history(original).laps[-1].text == LARGE
    end_replay(world, replay)
    minutes(world, 60)

    assert kinds(world) == []


def test_what_is_erased_while_its_replay_begins_is_not_copied(world: World):
    original = say(world)
    world.on_write(lambda: erase_session(TENANT, "s1", world.erasing()) and None)

    with pytest.raises(NotFound, match=f"no run {original.key.run_id}"):
        replay_of(world, original)

    assert set(kinds(world)) == {"lease"}


# -- what is left


class Unreachable(Contents):
    """Deletes nothing."""

    def delete_all(self, folder: str) -> int:
        raise StoreUnavailable("the bucket is gone")


def all_of_memory(using: ErasingCollaborators) -> ErasureReport:
    return erase_memory(TENANT, "helper", "anna", using, never)


def all_of_principal(using: ErasingCollaborators) -> ErasureReport:
    return erase_principal(TENANT, KEY, using, never)


@pytest.mark.parametrize("erase", [all_of_memory, all_of_principal])
def test_what_an_erasure_left_when_it_stopped_is_erased_by_the_next(
    remembering: World, s3: Any, erase: Callable[[ErasingCollaborators], ErasureReport]
):
    say(remembering, memory_id="anna")
    records, bucket = remembering.sessions._records, Unreachable(s3, "content")
    broken = DynamoConversations(remembering.table, records, bucket, remembering.live)
    with pytest.raises(StoreUnavailable):
        erase(replace(remembering.erasing(), conversations=broken))
    assert objects(remembering, s3) != []

    report = erase(remembering.erasing())

    assert report.complete
    assert (kinds(remembering), objects(remembering, s3)) == (["lease"], [])
    assert erase(remembering.erasing()) == ErasureReport()


def test_a_message_that_lost_the_race_for_a_new_session_leaves_no_object(world: World, s3: Any):
    first: list[Run] = []
    world.on_write(lambda: first.append(world.ask("quick")))

    second = world.ask(LARGE, when_busy="enqueue")

    assert (second.conversation, second.turn) == (first[0].conversation, 2)
    (stored,) = objects(world, s3)
    assert second.conversation in stored


def test_a_message_that_lost_the_race_for_its_turn_takes_nothing_away(world: World):
    before = say(world)
    world.on_write(lambda: world.ask("quick") and None)

    world.ask("slow", when_busy="enqueue")

    assert world.history(before).laps[-1].text == LARGE
