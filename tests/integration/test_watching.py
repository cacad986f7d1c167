"""Following runs that wait: for people, for other agents, and for their turn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest

from driven import QuickWorld, asking_agent, children, complete, go_on, laps, message_to, named, parked, pay
from freehold.following import ApprovalRequested, Cursor, Event, RunFinished, TextDelta
from freehold.ports import LiveTexts
from freehold.value import replace
from freehold.values.content import Usage
from freehold.values.live import Piece
from freehold.values.run import Lap, Run
from freehold.watching import LAPS_AT_ONCE, QUICK_SECONDS, WatchCollaborators, Watcher
from world import agent

PAY = ("pay", {"id": "7"})


@pytest.fixture
def world() -> QuickWorld:
    made = QuickWorld()
    made.apply(named("desk", asking_agent("till"), pay("approval")))
    made.apply(named("till", pay("approval")))
    made.apply(named("shop", pay()))
    made.apply(agent())
    return made


def watcher(world: QuickWorld, run: Run, cursor: Cursor | None = None) -> Watcher:
    using = WatchCollaborators(world.sessions, world.agents, world.live, world.now)
    return Watcher(run.key, cursor or Cursor(), using)


def names(events: tuple[Event, ...]) -> list[str]:
    return [type(event.told).__name__ for event in events]


def test_a_run_is_followed_from_its_beginning_to_its_end(world: QuickWorld):
    run = world.ask("Hello", agent="helper")
    watching = watcher(world, run)

    before = watching.news()
    over_before, _ = watching.over, go_on(world, run)
    after = watching.news()

    assert (names(before), over_before) == (["RunStarted"], False)
    assert (names(after), watching.over) == (["LapStarted", "TextDelta", "RunFinished"], True)


def test_what_an_agent_further_down_waits_for_is_told_once_and_ends_the_stream(world: QuickWorld):
    run = parked(world, laps([message_to("till", laps([PAY]))]), agent="desk")
    watching = watcher(world, run)
    assert names(watching.news()) == ["RunStarted", "LapStarted", "ToolStarted"]
    assert not watching.over
    (child,) = children(world, run)
    go_on(world, child)

    below = watching.news()

    (asked,) = [event.told for event in below]
    assert isinstance(asked, ApprovalRequested)
    assert (asked.ask.run.key, asked.ask.pending.kind) == (child.key, "approval")
    assert watching.over
    back = watcher(world, run, watching.cursor)
    assert (back.news(), back.over) == ((), True)
    complete(world, run)
    assert isinstance(back.news()[-1].told, RunFinished)


def test_an_agent_that_was_asked_later_and_has_answered_hides_none_that_waits(world: QuickWorld):
    world.apply(named("desk", asking_agent("till"), asking_agent("helper")))
    asked = laps([message_to("till", laps([PAY])), message_to("helper", "Hello")])
    run = parked(world, asked, agent="desk")
    watching = watcher(world, run)
    watching.news()
    till, helper = children(world, run)
    go_on(world, helper)
    assert names(watching.news()) == ["ToolFinished"]
    go_on(world, till)

    (asked_below,) = [event.told for event in watching.news()]

    assert isinstance(asked_below, ApprovalRequested)
    assert (asked_below.ask.run.key, watching.over) == (till.key, True)


def test_a_long_run_is_told_look_after_look_without_a_pause(world: QuickWorld):
    asked = laps(*([("pay", {"id": str(number)})] for number in range(2 * LAPS_AT_ONCE)))
    run = go_on(world, world.ask(asked, agent="shop"))
    watching = watcher(world, run)

    looks = [(names(watching.news()), watching.pause_seconds, watching.over)]
    while not watching.over:
        looks.append((names(watching.news()), watching.pause_seconds, watching.over))

    assert [told.count("LapStarted") for told, _, _ in looks] == [5, 4, 2]
    # Nobody writes any more what these looks were for.
    assert not world.live.watched(run.key, now=world.now())
    assert [pause for _, pause, _ in looks[:-1]] == [0, 0]
    assert [over for _, _, over in looks] == [False, False, True]
    assert [told[-1] == "RunFinished" for told, _, _ in looks] == [False, False, True]


def test_what_is_asked_far_down_a_long_run_is_told_once_and_at_its_place(world: QuickWorld):
    world.apply(named("desk", asking_agent("till"), pay()))
    paid = [[("pay", {"id": str(number)})] for number in range(LAPS_AT_ONCE + 1)]
    run = parked(world, laps(*paid, [message_to("till", laps([PAY]))]), agent="desk")
    (child,) = children(world, run)
    go_on(world, child)
    watching = watcher(world, run)

    told: list[str] = []
    while not watching.over:
        told += names(watching.news())

    assert (told.count("ApprovalRequested"), told[-1]) == (1, "ApprovalRequested")


def test_a_run_that_is_queued_behind_one_that_waits_for_people_is_over_for_now(world: QuickWorld):
    first = parked(world, laps([PAY]), agent="desk")
    queued = world.ask("and?", agent="desk", when_busy="enqueue")
    watching = watcher(world, queued)

    assert (watching.news(), watching.over) == ((), True)
    complete(world, first)
    complete(world, queued)
    assert isinstance(watching.news()[-1].told, RunFinished)


def test_those_who_watch_are_known_as_long_as_they_watch(world: QuickWorld):
    run = world.ask("Hello", agent="helper")
    watching = watcher(world, run)

    def known(seconds: float) -> bool:
        return world.live.watched(run.key, now=world.now() + int(seconds * 1000))

    assert not known(0)
    watching.news()
    assert (known(29), known(31)) == (True, False)
    world.pass_time(20)
    watching.news()
    assert (known(29), known(31)) == (True, False)
    go_on(world, run)
    world.pass_time(20)
    watching.news()
    assert (known(9), known(11)) == (True, False)


def test_whoever_looks_in_vain_looks_less_often_until_there_is_news(world: QuickWorld):
    run = world.ask("Hello", agent="helper")
    watching = watcher(world, run)
    watching.news()
    assert watching.pause_seconds == QUICK_SECONDS

    for _ in range(30):
        watching.news()
    slow = watching.pause_seconds
    world.live.write(run.key, Piece(1, 1, "a", 0, "He"), now=world.now())
    news = watching.news()

    assert slow == 1.0
    assert isinstance(news[-1].told, TextDelta)
    assert watching.pause_seconds == QUICK_SECONDS


class Counting:
    """`LiveTexts` that keeps how many pieces each look at them read."""

    def __init__(self, live: LiveTexts) -> None:
        self._live = live
        self.read: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._live, name)

    def pieces(self, *place: Any) -> Sequence[Piece]:
        found = self._live.pieces(*place)
        self.read.append(len(found))
        return found


def test_a_look_reads_no_more_of_a_text_than_the_reader_lacks(world: QuickWorld):
    run = world.ask("Hello", agent="helper")
    live = Counting(world.live)
    using = WatchCollaborators(world.sessions, world.agents, cast(LiveTexts, live), world.now)
    watching = Watcher(run.key, Cursor(), using)
    told: list[str] = []

    def tell(*pieces: Piece) -> None:
        for piece in pieces:
            world.live.write(run.key, piece, now=world.now())
        told.extend(each.told.text for each in watching.news() if isinstance(each.told, TextDelta))

    tell(Piece(1, 5, "a", 0, "one "), Piece(1, 5, "a", 4, "two "))
    tell(Piece(1, 5, "a", 8, "three "))
    tell()
    tell(Piece(1, 6, "b", 0, "one "))
    # The attempt that was given up writes on.
    tell(Piece(1, 5, "a", 14, "four"), Piece(1, 6, "b", 4, "too"))
    # Another turn's lap, and another lap of this one.
    tell(Piece(2, 5, "a", 0, "five"))
    world.live.write(replace(run.key, turn=2), Piece(1, 9, "c", 0, "six"), now=world.now())
    tell()

    assert told == ["one two ", "three ", "one ", "too"]
    assert live.read == [2, 1, 0, 1, 1, 0, 0]


def test_whoever_comes_back_in_the_next_lap_is_told_it_from_its_beginning(world: QuickWorld):
    """The place that is left behind was far into another text, of an attempt that began later by its clock."""
    run = world.ask("Hello", agent="helper")
    left = Cursor(3, begun=True, lap=1, began_at=99, attempt="z", offset=500)
    world.sessions.add_lap(run.key, Lap(1, "z", world.now(), "m", "x" * 500, (), Usage(), 10, "tools"))
    world.live.write(run.key, Piece(2, 7, "a", 0, "Then"), now=world.now())

    news = watcher(world, run, left).news()

    assert [each.told.text for each in news if isinstance(each.told, TextDelta)] == ["Then"]
