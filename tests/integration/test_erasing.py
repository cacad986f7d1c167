"""What is erased on request, and what is left."""

from __future__ import annotations

from typing import Any

import pytest

from erasable import DAY, KEY, LARGE, OTHER_KEY, kinds, minutes, never, objects, replay_of, say, say_little
from freehold.adapters.conversations import DynamoConversations
from freehold.beginning import MOST_NAMED
from freehold.closing import end_session
from freehold.erasing import ErasureReport, erase_memory, erase_principal, erase_session, forget
from freehold.errors import NotFound, SessionBusy, StaleWrite, StoreUnavailable
from freehold.value import replace
from freehold.values.agent import Memory
from freehold.values.conversation import Erased, Lease
from freehold.values.memory import Notes
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
