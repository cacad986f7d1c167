"""What stands in the place of a conversation's oldest part, and how little is read because of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest

from freehold.adapters import keys
from freehold.adapters.table import to_wire
from freehold.errors import StaleWrite
from freehold.ports import SHARDS
from freehold.value import replace
from freehold.values.content import Usage
from freehold.values.conversation import Compaction, Place
from freehold.values.run import Call, Discarded, Lap, LateResult, Result, Run, RunKey, Totals
from world import START, World

LARGE = "What was said. " * 4_000
COVERED = Totals(2, 2, Usage(20, 10, 3, 1), Decimal("0.25"))


def lap(number: int, text: str = "", *calls: str) -> Lap:
    asked = tuple(Call(name, "{}") for name in calls)
    return Lap(number, f"l{number}", START, "scripted", text, asked, Usage(10, 5), 1, "end", Decimal("0.1"))


def compaction(
    turn: int, made_after: int, begins: Place, text: str = "In short.", **changes: Any
) -> Compaction:
    plain = Compaction(turn, made_after, "c1", START, begins, text, "scripted", Usage(7, 2), 12)
    return replace(plain, **changes)


def compact(world: World, run: Run, made: Compaction) -> Run:
    """Write it with the run, which is a revision further then."""
    before = world.run(run)
    world.sessions.add_compaction(made, replace(before, rev=before.rev + 1), before=before)
    return world.run(run)


def with_laps(world: World, run: Run, count: int) -> None:
    for number in range(1, count + 1):
        world.sessions.add_lap(run.key, lap(number, f"lap {number}", "look_up"))
        world.sessions.add_result(
            run.key, Result(number, 0, "look_up", "success", f"result {number}", START + number)
        )


def turns(world: World, count: int, *, laps: int = 1) -> Run:
    """The last of so many turns; all before it have ended."""
    for number in range(1, count):
        run = world.ask(f"turn {number}")
        with_laps(world, run, laps)
        world.finish(run)
    return world.ask(f"turn {count}")


@contextmanager
def counted(world: World) -> Iterator[dict[str, int]]:
    """Requests made, and items that were read."""
    seen = {"requests": 0, "items": 0}

    def count(parsed: dict[str, Any], **_: Any) -> None:
        seen["requests"] += 1
        seen["items"] += parsed.get("ScannedCount", 1)

    world.client.meta.events.register("after-call.dynamodb", count)
    yield seen
    world.client.meta.events.unregister("after-call.dynamodb", count)


# -- written and found


@pytest.mark.parametrize("text", ["In short.", LARGE], ids=["small", "large"])
def test_a_compaction_is_found_as_it_was_written(world: World, text: str):
    run = world.ask()
    made = compaction(1, 2, Place(1, 2), text, covered=COVERED, cost_usd=Decimal("0.5"), attempt=3)

    compact(world, run, made)

    assert world.sessions.compaction(run.key) == made


def test_the_newest_one_up_to_the_turn_is_found(world: World):
    run = turns(world, 3)
    for turn, after in ((1, 9), (1, 10), (3, 0)):
        at = replace(run, turn=turn)
        compact(world, at, compaction(turn, after, Place(turn), f"{turn} {after}"))

    def found(turn: int) -> str | None:
        there = world.sessions.compaction(replace(run.key, turn=turn))
        return there.text if there else None

    assert [found(turn) for turn in (0, 1, 2, 3)] == [None, "1 10", "1 10", "3 0"]


def test_a_second_compaction_at_one_place_is_refused(world: World):
    run = world.ask()
    compact(world, run, compaction(1, 1, Place(1, 1), "first"))
    before = world.run(run)
    changed = replace(before, rev=before.rev + 1, input="?")

    with pytest.raises(StaleWrite):
        world.sessions.add_compaction(compaction(1, 1, Place(1, 1), "second"), changed, before=before)

    found = world.sessions.compaction(run.key)
    assert found is not None
    assert (found.text, world.run(run)) == ("first", before)


def test_what_a_compaction_took_can_be_counted_without_it(world: World):
    run = world.ask()
    before = world.run(run)

    world.sessions.add_compaction(None, replace(before, rev=before.rev + 1, input="?"), before=before)

    assert world.sessions.compaction(run.key) is None
    assert world.run(run).input == "?"


def test_a_compaction_of_a_run_that_has_changed_is_refused(world: World):
    run = world.ask()
    world.cancel(run)

    with pytest.raises(StaleWrite):
        world.sessions.add_compaction(compaction(1, 0, Place(1)), replace(run, rev=run.rev + 1), before=run)

    assert world.sessions.compaction(run.key) is None


# -- read after it


def test_laps_that_it_stands_for_are_summed_up_and_not_read(world: World):
    run = world.ask()
    with_laps(world, run, 4)
    made = compaction(1, 4, Place(1, 2), covered=COVERED)

    history = world.sessions.history(run.key, made)

    assert history is not None
    assert [each.lap for each in history.laps] == [3, 4]
    assert sorted(history.results) == [(3, 0), (4, 0)]
    assert (history.run, history.before) == (run, COVERED)
    assert history.totals == Totals(4, 4, COVERED.usage + Usage(20, 10), Decimal("0.45"))


def test_one_of_an_earlier_turn_leaves_the_run_whole(world: World):
    run = turns(world, 2)
    with_laps(world, run, 2)

    history = world.sessions.history(run.key, compaction(1, 1, Place(1, 1), covered=COVERED))

    assert history is not None
    assert (len(history.laps), history.before) == (2, Totals())
    assert history == world.sessions.history(run.key)


def test_of_a_run_that_is_gone_there_is_no_history(world: World):
    nobody = RunKey("acme", "C9", 1)

    assert world.sessions.history(nobody) is None
    assert world.sessions.history(nobody, compaction(1, 2, Place(1, 2))) is None


@pytest.mark.parametrize(
    ("begins", "expected"),
    [
        (Place(), {1: [1, 2, 3], 2: [1, 2, 3], 3: [1, 2, 3]}),
        (Place(2), {2: [1, 2, 3], 3: [1, 2, 3]}),
        (Place(2, 2), {2: [3], 3: [1, 2, 3]}),
        (Place(3, 3), {3: []}),
        (Place(4), {}),
        (Place(4, 1), {}),
    ],
)
def test_the_past_begins_at_its_place(world: World, begins: Place, expected: dict[int, list[int]]):
    run = turns(world, 4, laps=3)
    with_laps(world, run, 1)

    past = world.sessions.past(run.key, begins)

    assert {turn.run.turn: [each.lap for each in turn.laps] for turn in past} == expected
    assert all(set(turn.results) == {(each.lap, 0) for each in turn.laps} for turn in past)


def test_a_conversation_reads_the_same_with_its_compactions_in_it(world: World):
    run = turns(world, 2)
    before = [world.sessions.history(run.key), *world.sessions.past(run.key)]
    waiting = world.ask("and then?", when_busy="enqueue")

    compact(world, replace(run, turn=1), compaction(1, 1, Place(1, 1)))
    run = compact(world, run, compaction(2, 0, Place(2)))

    after = [world.sessions.history(run.key), *world.sessions.past(run.key)]
    assert [each.laps for each in after if each] == [each.laps for each in before if each]
    assert world.sessions.next_run(run.key) == waiting
    assert not world.sessions.has_open_turn_before(run.key)


@pytest.mark.parametrize("begins", [Place(2, 1), Place(1, 1)], ids=["this turn", "the last turn"])
def test_what_it_stands_for_costs_no_reading(world: World, begins: Place):
    run = turns(world, 2, laps=5)
    with_laps(world, run, 2)
    made = compaction(2, 2, begins)
    compact(world, run, made)

    def read() -> dict[str, int]:
        with counted(world) as seen:
            found = world.sessions.compaction(run.key)
            world.sessions.history(run.key, found)
            world.sessions.past(run.key, made.begins)
        return seen

    put_under(world, replace(run.key, turn=1), "0000#0#DISCARDED#", 100)
    few = read()
    put_under(world, replace(run.key, turn=1), "0001#0#DISCARDED#", 1_900)

    assert read() == few


def put_under(world: World, key: RunKey, place: str, count: int) -> None:
    """So many more items of a lap that is in the past."""
    old = Discarded(1, "d", START, "scripted", Usage(1, 1))
    item = world.sessions._records.encode(old, keys.run(key), folder="", at=START)
    items = [to_wire(item | {"sk": f"{item['sk']}#LAP#{place}{number:05d}"}) for number in range(count)]
    for start in range(0, count, 25):
        puts: list[Any] = [{"PutRequest": {"Item": each}} for each in items[start : start + 25]]
        world.client.batch_write_item(RequestItems={"sessions": puts})


# -- two releases at once


def test_no_reader_of_runs_meets_what_sorts_after_them():
    """The release before this one reads by prefix, below a turn and above a turn, and takes runs alone of the last."""
    key = RunKey("acme", "C1", 999_999)
    last = keys.call(key, 9_999, 999)["sk"]
    new = [keys.compaction(replace(key, turn=1), 1)["sk"], keys.lease(key)["sk"]]

    assert all(sk > last for sk in new)
    assert not any(sk.startswith("RUN#") for sk in new)
    assert all(keys.end_of(keys.RUNS) > sk for sk in (last, keys.late_result(key, 9_999, 999)["sk"]))


def test_what_follows_the_runs_is_not_read_to_find_the_next_turn(world: World):
    run = world.ask()
    for number in range(20):
        run = compact(world, run, compaction(1, number, Place(1)))

    with counted(world) as seen:
        assert world.sessions.next_run(run.key) is None

    assert seen == {"requests": 1, "items": 0}


# -- what the sweeper and people see


def test_a_compaction_is_a_sign_of_life(world: World):
    run = world.ask()
    before = world.sessions.newest_item(run.key)

    compact(world, run, compaction(1, 0, Place(1), at=START + 5_000))

    assert world.sessions.newest_item(run.key) != before
    assert world.sessions.newest_item(run.key)[1] == START + 5_000


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 100])
def test_compactions_are_listed_after_the_items_of_their_conversation(world: World, limit: int):
    run = turns(world, 2)
    world.sessions.add_lap(run.key, lap(1, "two"))
    compact(world, replace(run, turn=1), compaction(1, 1, Place(1)))
    compact(world, run, compaction(2, 1, Place(2)))

    assert listed(world, run.key, limit, one_run=False) == [
        (1, "Run"),
        (1, "Lap"),
        (1, "Result"),
        (2, "Run"),
        (2, "Lap"),
        (1, "Compaction"),
        (2, "Compaction"),
    ]
    assert listed(world, run.key, limit, one_run=True) == [(2, "Run"), (2, "Lap"), (2, "Compaction")]


def listed(world: World, key: RunKey, limit: int, *, one_run: bool) -> list[tuple[int, str]]:
    """All pages; a page that is short is followed by no other but an empty one."""
    found: list[tuple[int, str]] = []
    token: str | None = None
    while True:
        page = world.lists.items(key, one_run=one_run, limit=limit, token=token)
        assert len(page.records) <= limit
        found += [(turn, type(record).__name__) for turn, record in page.records]
        if (token := page.token) is None:
            return found


# -- what is due


def test_a_run_is_swept_until_it_is_summed_up(world: World):
    run = world.ask()
    due = replace(run, status="COMPLETED", rev=run.rev + 1, undelivered=True, summary_due=True)
    world.sessions.end_queued(due, before=run)

    def swept() -> list[RunKey]:
        return [key for shard in range(SHARDS) for key in world.sessions.open_runs(shard)]

    world.sessions.delivered(due)
    assert swept() == [run.key]
    tried = world.sessions.try_summary(world.run(run), now=START + 7)
    assert (tried.summary_attempts, tried.summary_tried_at) == (1, START + 7)
    with pytest.raises(StaleWrite):
        world.sessions.try_summary(due, now=START)

    # What was read before the attempt is enough to say that it is done.
    world.sessions.summarized(due)

    assert swept() == []
    assert not world.run(run).summary_due
    assert world.run(run).summary_attempts == 1


# -- late results


def test_a_late_result_is_written_once(world: World):
    run = world.ask()

    world.sessions.add_late_result(run.key, LateResult(1, 0, "at last", START))
    world.sessions.add_late_result(run.key, LateResult(1, 0, "again", START + 1))

    assert [each.content for each in world.history(run).late.values()] == ["at last"]


def test_a_late_result_brings_nothing_erased_back(world: World):
    run = world.ask()
    lease = world.conversations.lease(run.tenant, run.conversation)
    assert lease is not None
    world.conversations.erase(lease)
    before = world.everything()

    world.sessions.add_late_result(run.key, LateResult(1, 0, "at last", START))

    assert world.everything() == before


def test_a_late_result_outlasts_a_write_that_comes_between(world: World):
    run = world.ask()
    world.on_write(lambda: world.cancel(run) and None)

    world.sessions.add_late_result(run.key, LateResult(1, 0, "at last", START))

    assert world.history(run).late
