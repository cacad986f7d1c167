"""What is erased when a session expires, is ended or is to be erased, and what is left."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from freehold.adapters.contents import Contents
from freehold.adapters.conversations import DynamoConversations
from freehold.adapters.scripted import ScriptedModel, reply
from freehold.beginning import MOST_NAMED, start_run
from freehold.closing import end_session
from freehold.ending import Ending
from freehold.erasing import (
    ErasingCollaborators,
    ErasureReport,
    erase_memory,
    erase_principal,
    erase_session,
    forget,
)
from freehold.errors import NotFound, SessionBusy, StaleWrite, StoreUnavailable
from freehold.ports import Tell
from freehold.replaying import ReplayCollaborators, begin_replay
from freehold.values.agent import Memory
from freehold.values.conversation import Erased, Lease
from freehold.values.memory import Notes
from freehold.values.run import Principal, Run
from world import TENANT, World, agent, answer

DAY = 86_400
LARGE = "x" * 40_000
KEY, OTHER_KEY = Principal("key", "k1"), Principal("key", "k2")


@pytest.fixture
def world(world_in_memory: World) -> World:
    return world_in_memory


def never() -> bool:
    return False


@pytest.fixture
def remembering(world: World) -> World:
    world.apply(replace(agent(), memory=Memory(storage_days=30)))
    return world


def say(world: World, text: str = "hello", session: str = "s1", **more: Any) -> Run:
    """A message and its answer, large enough to lie in the bucket."""
    world.model = ScriptedModel([reply(calls=[("look_up", {"id": "7"})]), reply(LARGE)])
    world.tools.answers["look_up"] = answer(LARGE)
    run = world.ask(text, session, **more)
    world.invoke_model(run)
    world.run_tool(run)
    world.invoke_model(run)
    ended = world.finish(run)
    assert ended is not None
    if ended.summary_due:
        notes = {"topics": [text], "openPoints": [], "preferences": []}
        world.model = ScriptedModel([reply(json.dumps(notes))])
        world.summarize(run, "memory")
    return run


def minutes(world: World, number: int, **more: Any) -> None:
    """Every minute a sweep, as on AWS."""
    for _ in range(number):
        world.pass_time(60)
        world.sweep(**more)


def kinds(world: World) -> list[str]:
    return sorted(item["kind"]["S"] for item in world.everything())


def objects(world: World, s3: Any) -> list[str]:
    found = s3.list_objects_v2(Bucket="content").get("Contents", [])
    return [each["Key"] for each in found if not each["Key"].startswith("agents/")]


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


# -- on request


def test_a_session_is_erased_with_a_report(remembering: World, s3: Any):
    say(remembering, "one", memory_id="anna")
    say(remembering, "two")

    erased = erase_session(TENANT, "s1", remembering.erasing())

    # Two runs of two laps and a result each, the notes, and who wrote to both. Each answer and each result lies in
    # the bucket once.
    assert erased == Erased(sessions=1, runs=2, items=2 * 4 + 1 + 2, objects=2, summaries=1)
    assert kinds(remembering) == ["lease"]
    assert objects(remembering, s3) == []
    with pytest.raises(NotFound, match="no session s1"):
        erase_session(TENANT, "s1", remembering.erasing())
    minutes(remembering, 60)
    assert kinds(remembering) == []


# -- replays


def test_replays_go_with_what_they_copied(world: World):
    original, other = say(world, "one", "s1"), say(world, "two", "s2")
    replays = [replay_of(world, run) for run in (original, original, other)]

    erase_session(TENANT, "s1", world.erasing())

    assert [world.sessions.run(replay.key) is None for replay in replays] == [True, True, False]


def replay_of(world: World, run: Run, *, ended: bool = True) -> Run:
    """One that was cancelled, so that nothing of it is at work."""
    using = ReplayCollaborators(
        world.sessions,
        world.agents,
        lambda original: original.agent_digest,
        world.now,
        lambda: f"R{world.new_id()}",
        world.new_id,
    )
    replay = begin_replay(run.key, OTHER_KEY, using)
    replay = start_run(replay, world.sessions, world.executions, now=world.clock)
    return end_replay(world, replay) if ended else replay


def end_replay(world: World, replay: Run) -> Run:
    world.cancel(replay)
    world.finish(replay, Ending("CANCELLED"))
    return replay


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


# -- what else there is


def test_other_sessions_and_other_tenants_stay(world: World):
    say(world, session="s1")
    other = say(world, session="s2")

    with pytest.raises(NotFound):
        erase_session("globex", "s1", world.erasing())
    erase_session(TENANT, "s1", world.erasing())

    assert world.history(other).laps[-1].text == LARGE


def test_a_session_that_answers_is_not_erased(world: World):
    run = world.ask("hello")
    before = world.everything()

    with pytest.raises(SessionBusy) as busy:
        erase_session(TENANT, "s1", world.erasing())

    assert busy.value.run_id == run.key.run_id
    assert world.everything() == before


def test_a_message_that_comes_during_the_erasure_is_not_lost(world: World):
    say(world)
    begun: list[Run] = []
    world.on_write(lambda: begun.append(world.ask("wait!")))

    with pytest.raises(SessionBusy):
        erase_session(TENANT, "s1", world.erasing())

    assert world.run(begun[0]).input == "wait!"


def test_a_memory_is_forgotten_and_its_sessions_stay(remembering: World):
    run = say(remembering, "one", "s1", memory_id="anna")
    say(remembering, "two", "s2", memory_id="anna")
    other = say(remembering, "three", "s3", memory_id="berta")

    first = forget(TENANT, "helper", "anna", remembering.erasing(), session_id="s1")
    rest = forget(TENANT, "helper", "anna", remembering.erasing())

    one = ErasureReport(Erased(summaries=1, items=2))
    assert (first, rest) == (one, one)
    assert remembering.sessions.run(run.key) is not None
    assert remembering.memories.summary(other) is not None
    with pytest.raises(NotFound, match="agent helper remembers nothing under anna"):
        forget(TENANT, "helper", "anna", remembering.erasing())


def test_each_call_gets_on_with_forgetting_what_is_too_much_for_one(remembering: World):
    for number in range(3):
        say_little(remembering, f"s{number}", memory_id="anna")
    asked = iter([False, False, True])

    first = forget(TENANT, "helper", "anna", remembering.erasing(), lambda: next(asked))
    rest = forget(TENANT, "helper", "anna", remembering.erasing(), never)

    assert (first.erased.summaries, first.complete) == (2, False)
    assert (rest.erased.summaries, rest.complete) == (1, True)


def test_everything_of_a_memory_id_is_erased(remembering: World):
    say(remembering, "one", "s1", memory_id="anna")
    say(remembering, "two", "s2", memory_id="anna")
    say(remembering, "three", "s3", memory_id="berta")
    remembering.pass_time(DAY + 900)
    say(remembering, "four", "s1")

    report = erase_memory(TENANT, "helper", "anna", remembering.erasing(), never)

    assert report.complete
    assert (report.erased.sessions, report.erased.runs, report.erased.summaries) == (1, 2, 2)
    left = {item["session_id"]["S"] for item in remembering.everything() if "session_id" in item}
    assert [item for item in kinds(remembering) if item == "summary"] == ["summary"]
    assert "s3" in left
    again = erase_memory(TENANT, "helper", "anna", remembering.erasing(), never)
    assert again == ErasureReport()


def test_what_is_busy_is_named_and_erased_later(remembering: World):
    say(remembering, "one", "s1", memory_id="anna")
    busy = remembering.ask("two", "s2", memory_id="anna")

    report = erase_memory(TENANT, "helper", "anna", remembering.erasing(), never)

    assert (report.busy, report.complete) == ((busy.key.run_id,), False)
    assert report.erased.sessions == 1
    remembering.cancel(busy)
    remembering.finish(busy)
    assert erase_memory(TENANT, "helper", "anna", remembering.erasing(), never).complete
    assert [kind for kind in kinds(remembering) if kind != "lease"] == []


def test_a_memory_that_was_forgotten_is_erased_all_the_same(remembering: World):
    run = say(remembering, "a secret", memory_id="anna")
    forget(TENANT, "helper", "anna", remembering.erasing())
    say(remembering, "another", memory_id="anna")

    report = erase_memory(TENANT, "helper", "anna", remembering.erasing(), never)

    assert (report.erased.sessions, report.erased.runs, report.erased.summaries) == (1, 2, 0)
    assert remembering.sessions.run(run.key) is None
    assert kinds(remembering) == ["lease"]
    assert erase_memory(TENANT, "helper", "anna", remembering.erasing(), never) == ErasureReport()


def test_a_session_is_erased_with_those_whose_place_it_took(remembering: World):
    """One was ended, the next has expired and waits for the sweeper."""
    ended = say(remembering, "one", memory_id="anna")
    end_session(TENANT, "s1", remembering.endings())
    expired = say(remembering, "two", memory_id="anna")
    remembering.pass_time(DAY + 900)
    say(remembering, "three")

    erased = erase_session(TENANT, "s1", remembering.erasing())

    assert (erased.sessions, erased.runs, erased.summaries) == (1, 3, 2)
    assert [remembering.sessions.run(run.key) for run in (ended, expired)] == [None, None]
    assert set(kinds(remembering)) == {"lease"}
    minutes(remembering, 60)
    assert kinds(remembering) == []


def test_a_session_names_those_whose_place_it_took_newest_first(world: World):
    taken: list[str] = []
    for _ in range(MOST_NAMED + 2):
        taken.insert(0, say_little(world).conversation)
        end_session(TENANT, "s1", world.endings())
    say_little(world)
    say_little(world)

    session = world.sessions.session(TENANT, "s1")

    assert session is not None
    assert session.earlier == tuple(taken[:MOST_NAMED])


def say_little(world: World, session: str = "s1", **more: Any) -> Run:
    run = world.ask("hello", session, **more)
    world.finish(run)
    return run


def test_notes_do_not_survive_an_erasure_that_stopped_half_way(remembering: World):
    run = say(remembering, memory_id="anna")

    class Dying(DynamoConversations):
        def erase(self, lease: Lease) -> Erased:
            raise StoreUnavailable("the bucket is gone")

    records = remembering.sessions._records
    dying = Dying(remembering.table, records, remembering.contents, remembering.live)
    with pytest.raises(StoreUnavailable):
        erase_session(TENANT, "s1", replace(remembering.erasing(), conversations=dying))

    assert remembering.memories.summary(run) is None
    minutes(remembering, 60)
    assert kinds(remembering) == []


def test_notes_that_come_after_their_erasure_leave_nothing_behind(remembering: World, s3: Any):
    run = say(remembering, memory_id="anna")
    before = remembering.memories.summary(run)
    assert before is not None

    erase_session(TENANT, "s1", remembering.erasing())
    with pytest.raises(StaleWrite):
        remembering.memories.fold(replace(before, through_turn=2, notes=Notes((LARGE,))), before=before)
    minutes(remembering, 60)

    assert (kinds(remembering), objects(remembering, s3)) == ([], [])


# -- everything that somebody wrote to


def test_everything_that_a_principal_wrote_to_is_erased(remembering: World):
    say(remembering, "one", "s1", memory_id="anna")
    say(remembering, "two", "shared", principal=OTHER_KEY)
    say(remembering, "three", "shared")
    other = say(remembering, "four", "s2", principal=OTHER_KEY, memory_id="anna")

    report = erase_principal(TENANT, KEY, remembering.erasing(), never)

    assert report.complete
    assert (report.erased.sessions, report.erased.runs, report.erased.summaries) == (2, 3, 1)
    assert remembering.history(other).laps[-1].text == LARGE
    assert remembering.memories.summary(other) is not None
    assert erase_principal(TENANT, KEY, remembering.erasing(), never) == ErasureReport()
    assert erase_principal("globex", OTHER_KEY, remembering.erasing(), never) == ErasureReport()


def test_what_is_remembered_of_a_principal_is_erased_also_when_the_session_has_expired(remembering: World):
    run = say(remembering, "a secret", memory_id="anna")
    remembering.pass_time(DAY + 900)
    minutes(remembering, 60)
    assert remembering.sessions.run(run.key) is None
    assert remembering.memories.summary(run) is not None

    report = erase_principal(TENANT, KEY, remembering.erasing(), never)

    assert report == ErasureReport(Erased(summaries=1, items=2))
    assert kinds(remembering) == []


def test_each_call_gets_on_with_an_erasure_that_is_too_long_for_one(world: World):
    for number in range(5):
        say_little(world, f"s{number}")
    # Asked before the page and before each conversation.
    asked = iter([False, False, False, True])

    report = erase_principal(TENANT, KEY, world.erasing(), lambda: next(asked))

    assert (report.erased.sessions, report.complete) == (2, False)
    assert erase_principal(TENANT, KEY, world.erasing(), never).erased.sessions == 3


def test_who_replayed_a_run_is_rid_of_the_replay_alone(world: World):
    original = say(world)
    replay = replay_of(world, original)

    erase_principal(TENANT, OTHER_KEY, world.erasing(), never)

    assert world.sessions.run(replay.key) is None
    assert world.sessions.run(original.key) is not None


def test_an_erasure_of_a_principal_that_stopped_half_way_goes_on_at_once(world: World):
    say(world)
    session = world.sessions.session(TENANT, "s1")
    assert session is not None
    lease = Lease(TENANT, session.conversation, "s1", world.clock + DAY, world.clock, on_request=True)
    world.conversations.close(lease, session)

    report = erase_principal(TENANT, KEY, world.erasing(), never)

    assert report.erased.runs == 1
    assert kinds(world) == ["lease"]


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
