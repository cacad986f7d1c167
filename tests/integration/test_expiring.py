"""What is erased when a session expires, what ending one does, and what is left."""

from __future__ import annotations

import json
from typing import Any

import pytest

from erasable import DAY, LARGE, kinds, minutes, objects, say, say_little
from freehold.adapters.scripted import ScriptedModel, reply
from freehold.closing import end_session
from freehold.erasing import erase_session
from freehold.errors import NotFound, SessionBusy, StoreUnavailable
from freehold.ports import Tell
from freehold.value import replace
from freehold.values.agent import Memory
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


# -- expiry


def test_a_session_that_expired_is_gone_with_all_that_was_said(world: World, s3: Any):
    run = say(world)
    assert objects(world, s3) != []

    world.pass_time(DAY + 900)
    minutes(world, 60)

    assert kinds(world) == []
    assert objects(world, s3) == []
    assert world.sessions.run(run.key) is None


def test_a_session_that_is_used_keeps_all_of_its_conversation(world: World):
    first = say(world)
    for _ in range(5):
        world.pass_time(DAY - 1_200)
        minutes(world, 17)
        say(world)

    assert world.history(first).laps[-1].text == LARGE


def test_the_end_of_an_idle_session_is_judged_by_the_session_item_alone(world: World):
    """The lease comes due and finds that the session has moved on."""
    first = say(world)
    world.pass_time(DAY - 60)
    say(world)

    world.pass_time(3_600)
    minutes(world, 17)

    assert world.sessions.run(first.key) is not None


def test_an_id_that_is_used_again_never_meets_the_old_conversation(world: World):
    first = say(world, "before")
    world.pass_time(DAY + 900)
    world.model = ScriptedModel([reply("hi")])

    again = world.ask("after")
    world.invoke_model(again)

    assert again.conversation != first.conversation
    assert [message.text for message in world.model.requests[0].messages] == ["after"]  # pyright: ignore
    minutes(world, 60)
    assert world.sessions.run(first.key) is None, "the old one is erased all the same"
    assert world.run(again).input == "after"


def test_a_run_that_still_goes_on_is_not_erased_under_its_feet(world: World):
    run = world.ask("hello")
    session = world.sessions.session(TENANT, "s1")
    assert session is not None
    world.sessions.change(replace(session, expires_at=1, rev=session.rev + 1), before=session)

    world.pass_time(DAY + 2_000)
    for _ in range(16):
        world.executions.states[f"{run.key.run_id}-1"] = "alive"
        world.pass_time(60)
        world.sweep(patience=10**9)

    assert world.sessions.run(run.key) is not None


def test_what_is_still_to_be_remembered_is_kept_until_it_is(remembering: World):
    world = remembering
    world.model = ScriptedModel([reply("noted")])
    run = world.ask("remember me", memory_id="anna")
    world.invoke_model(run)
    world.finish(run)

    world.pass_time(DAY + 2_000)
    minutes(world, 60)
    assert world.sessions.run(run.key) is not None
    notes = {"topics": ["remember me"], "openPoints": [], "preferences": []}
    world.model = ScriptedModel([reply(json.dumps(notes))])
    world.summarize(run, "memory")
    minutes(world, 60)

    assert kinds(world) == ["link", "summary"]
    (kept,) = world.memories.all(TENANT, "helper", "anna")
    assert kept.notes.topics == ("remember me",)


def test_an_erasure_that_stopped_half_way_goes_on(world: World, s3: Any):
    say(world)
    failing = world.conversations.erase
    world.pass_time(DAY + 900)

    def stop(lease: Any) -> Any:
        world.conversations.erase = failing  # pyright: ignore
        raise StoreUnavailable("the bucket is gone")

    world.conversations.erase = stop  # pyright: ignore
    minutes(world, 60)

    assert len(world.reported) == 1
    assert kinds(world) == []
    assert objects(world, s3) == []


def test_what_a_late_step_writes_after_the_erasure_is_found(world: World):
    """A model that answered after its run was erased leaves a lap, which the lease waits for."""
    run = world.ask("hello")
    lap_of = {}

    class Slow:
        def reply(self, request: Any, tell: Tell | None = None) -> Any:
            world.cancel(run)
            world.finish(run)
            erase_session(TENANT, "s1", world.erasing())
            lap_of["erased"] = kinds(world)
            return reply("too late")

    world.model = Slow()
    world.invoke_model(run)
    assert "run" not in lap_of["erased"]

    minutes(world, 60)

    assert kinds(world) == []


# -- ending


def test_an_ended_session_begins_anew_and_stays_readable_until_it_would_have_expired(world: World):
    first = say(world, "before")

    ended, summing = end_session(TENANT, "s1", world.endings())

    assert (ended.ended_at, summing) == (world.clock, False)
    assert end_session(TENANT, "s1", world.endings()) == (ended, False)
    again = world.ask("after")
    assert again.conversation != first.conversation
    minutes(world, 60)
    assert world.history(first).run.input == "before"
    world.pass_time(DAY + 900)
    minutes(world, 60)
    assert world.sessions.run(first.key) is None


def test_an_ended_session_stays_readable_for_as_long_as_its_last_message_had_it(world: World):
    """Its lease is as old as its first one."""
    first = say_little(world)
    world.pass_time(DAY - 3_600)
    say_little(world)
    end_session(TENANT, "s1", world.endings())
    say_little(world)

    world.pass_time(3_600 + 900)
    minutes(world, 40)
    assert world.sessions.run(first.key) is not None
    world.pass_time(DAY)
    minutes(world, 40)

    assert world.sessions.run(first.key) is None


def test_a_session_that_answers_is_not_ended(world: World):
    run = world.ask("hello")

    with pytest.raises(SessionBusy) as busy:
        end_session(TENANT, "s1", world.endings())

    assert busy.value.run_id == run.key.run_id


@pytest.mark.parametrize("session", ["nobody", "expired"])
def test_what_is_not_there_cannot_be_ended(world: World, session: str):
    say(world, session="expired")
    world.pass_time(DAY + 900)

    with pytest.raises(NotFound):
        end_session(TENANT, session, world.endings())


def test_ending_leaves_a_summary_alone_that_is_being_made(remembering: World):
    remembering.model = ScriptedModel([reply("noted")])
    run = remembering.ask("remember me", memory_id="anna")
    remembering.invoke_model(run)
    remembering.finish(run)

    _, summing = end_session(TENANT, "s1", remembering.endings())

    # FinishRun began the first attempt just now.
    assert (summing, remembering.executions.summaries) == (True, [f"{run.key.run_id}-s1"])


def test_ending_begins_a_summary_anew_that_had_failed(remembering: World):
    remembering.model = ScriptedModel([reply("noted")])
    run = remembering.ask("remember me", memory_id="anna")
    remembering.invoke_model(run)
    remembering.finish(run)
    remembering.pass_time(150)

    _, summing = end_session(TENANT, "s1", remembering.endings())

    assert summing
    assert remembering.executions.summaries == [f"{run.key.run_id}-s1", f"{run.key.run_id}-s2"]
