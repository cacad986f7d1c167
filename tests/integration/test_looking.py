"""What it costs to look at a run in which nothing has happened, and that nothing is missed for it."""

from __future__ import annotations

import io
from math import ceil
from typing import Any, cast

import pytest

from freehold.adapters import keys
from freehold.adapters.contents import KeptContents
from freehold.adapters.live_texts import DynamoLiveTexts
from freehold.adapters.records import Records
from freehold.adapters.sessions import DynamoSessions
from freehold.adapters.table import Table, to_wire
from freehold.following import Cursor, Event, LapStarted, TextDelta, ToolFinished
from freehold.values.content import Usage
from freehold.values.history import Excerpt
from freehold.values.live import Piece
from freehold.values.run import Call, Lap, Marker, Result, Run
from freehold.watching import LAPS_AT_ONCE, LONGEST_RESULT, WatchCollaborators, Watcher
from memory_table import MemoryTable
from world import World, agent, tool

Json = dict[str, Any]
UNIT = 4096


def size(item: Json) -> int:
    """About as DynamoDB counts it: names and values, however deep."""
    told = 0
    for name, value in item.items():
        told += len(name) + sum(
            size(cast(Json, inner)) if isinstance(inner, dict) else len(str(inner))
            for inner in value.values()
        )
    return told


class Metered(MemoryTable):
    """Counts read units: by what lies in the table, whatever of it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.units = 0.0

    def get_item(self, **given: Any) -> Json:
        answer = super().get_item(**given)
        self._count([answer.get("Item", {})], consistent=given.get("ConsistentRead", False))
        return answer

    def batch_get_item(self, **given: Any) -> Json:
        ((table, wanted),) = given["RequestItems"].items()
        for key in wanted["Keys"]:
            found = super().get_item(TableName=table, Key=key)
            self._count([found.get("Item", {})], consistent=wanted.get("ConsistentRead", False))
        return super().batch_get_item(**given)

    def query(self, **given: Any) -> Json:
        answer = super().query(**given)
        self._count(answer["Items"], consistent=given.get("ConsistentRead", False))
        return answer

    def _count(self, items: list[Json], *, consistent: bool) -> None:
        units = max(1, ceil(sum(map(size, items)) / UNIT))
        self.units += units if consistent else units / 2


class Bucket:
    """S3 that counts what is read."""

    def __init__(self) -> None:
        self.reads = 0
        self._objects: dict[str, bytes] = {}

    def put_object(self, **given: Any) -> None:
        self._objects[given["Key"]] = given["Body"]

    def get_object(self, **given: Any) -> Json:
        self.reads += 1
        return {"Body": io.BytesIO(self._objects[given["Key"]])}


class Watched(World):
    """A world whose meters run for the watcher alone."""

    def __init__(self) -> None:
        self.metered, self.objects = Metered(), Bucket()
        super().__init__(self.metered, self.objects, None)
        self.live = DynamoLiveTexts(Table(cast(Any, self.metered), "events"))
        self.apply(agent(tool("look_up")))

    def watcher(self, run: Run) -> Watcher:
        """One that has told all that there is."""
        watching = Watcher(run.key, Cursor(), self.watching())
        watching.news()
        return watching

    def watching(self) -> WatchCollaborators:
        records = Records(KeptContents(cast(Any, self.objects), "content"), 90 * 86_400)
        sessions = DynamoSessions(Table(cast(Any, self.metered), "sessions"), records)
        return WatchCollaborators(sessions, self.agents, self.live, self.now)

    def cost(self, watching: Watcher) -> tuple[float, int]:
        """Units and objects of one look without news."""
        self.metered.units, self.objects.reads = 0.0, 0
        assert watching.news() == ()
        return self.metered.units, self.objects.reads

    def lap(self, run: Run, number: int, calls: int, text: str = "I look.") -> None:
        asked = tuple(Call("look_up", "{}") for _ in range(calls))
        lap = Lap(number, f"{number:032x}", self.now(), "m", text, asked, Usage(10, 10), 5, "tools")
        self.sessions.add_lap(run.key, lap)

    def result(self, run: Run, lap: int, call: int, content: str = "found") -> None:
        self.sessions.add_result(run.key, Result(lap, call, "look_up", "success", content, self.now()))


@pytest.fixture
def world() -> Watched:
    return Watched()


def told(events: tuple[Event, ...], kind: type) -> list[Any]:
    return [each.told for each in events if isinstance(each.told, kind)]


@pytest.mark.parametrize("said", ["hi", "x" * 2_000, "x" * 100_000])
def test_while_a_model_writes_a_look_costs_three_units(world: Watched, said: str):
    run = world.ask(said, agent="helper")
    watching = world.watcher(run)
    assert world.cost(watching) == (3.0, 0)

    for offset in range(0, 200_000, 1_000):
        world.live.write(run.key, Piece(1, 1, "a", offset, "y" * 1_000), now=world.now())
    assert len("".join(each.text for each in told(watching.news(), TextDelta))) == 200_000

    assert world.cost(watching) == (3.0, 0)


@pytest.mark.parametrize("length", [10, 30_000, 200_000])
def test_while_calls_are_made_a_look_costs_two_units_and_one_for_each(world: Watched, length: int):
    run = world.ask("hi", agent="helper")
    world.lap(run, 1, calls=6, text="z" * length)
    for call in range(4):
        world.result(run, 1, call, "y" * length)
    watching = world.watcher(run)

    assert world.cost(watching) == (2.0 + 2 * 1.0, 0)


def test_a_long_message_costs_a_unit_for_each_four_kilobytes(world: Watched):
    watching = world.watcher(world.ask("x" * 30_000, agent="helper"))

    units, _ = world.cost(watching)

    assert 10.0 <= units <= 11.0


def test_what_lies_in_the_bucket_is_read_once_in_a_stream(world: Watched):
    run = world.ask("x" * 100_000, agent="helper")
    world.lap(run, 1, calls=3, text="z" * 100_000)
    watching = world.watcher(run)
    world.objects.reads = 0

    for call in range(3):
        world.result(run, 1, call, str(call) * 100_000)
        assert len(told(watching.news(), ToolFinished)) == 1

    assert world.objects.reads == 3


def test_a_look_reads_a_few_laps_of_a_long_run_and_holds_the_beginnings_of_their_results(world: Watched):
    run = world.ask("hi", agent="helper")
    for number in range(1, 3 * LAPS_AT_ONCE + 1):
        world.lap(run, number, calls=2)
        for call in range(2):
            world.result(run, number, call, f"{number} {call} " + "ä" * 100_000)
    watching = world.watcher(run)
    assert world.objects.reads == 2 * LAPS_AT_ONCE

    finished: list[ToolFinished] = []
    while watching.pause_seconds == 0:
        world.objects.reads = 0
        finished += told(watching.news(), ToolFinished)
        assert world.objects.reads <= 2 * LAPS_AT_ONCE

    assert [each.lap.lap for each in finished[::2]] == list(range(LAPS_AT_ONCE + 1, 3 * LAPS_AT_ONCE + 1))
    results = [cast(Excerpt, each.result) for each in finished]
    assert {len(each.content) for each in results} == {LONGEST_RESULT}
    assert (results[-1].content[:4], results[-1].length) == ("15 1", 100_005)


def test_what_is_left_of_a_run_is_told_where_its_first_laps_have_expired(world: Watched):
    run = world.ask("hi", agent="helper")
    for number in range(1, 2 * LAPS_AT_ONCE + 1):
        world.lap(run, number, calls=0)
    for number in range(1, LAPS_AT_ONCE - 1):
        world.metered.delete_item(
            TableName="sessions",
            Key=to_wire(keys.lap(run.key, number)),
            ConditionExpression="attribute_exists(pk)",
        )
    watching = Watcher(run.key, Cursor(), world.watching())

    begun = told(watching.news(), LapStarted)
    while watching.pause_seconds == 0:
        begun += told(watching.news(), LapStarted)

    assert [each.lap for each in begun] == list(range(LAPS_AT_ONCE - 1, 2 * LAPS_AT_ONCE + 1))


def test_a_place_behind_all_that_a_run_can_come_to_has_no_news(world: Watched):
    run = world.ask("hi", agent="helper")

    assert Watcher(run.key, Cursor(seq=3, begun=True, lap=9_999), world.watching()).news() == ()


def test_nothing_that_is_written_is_missed(world: Watched):
    run = world.ask("hi", agent="helper")
    watching = world.watcher(run)

    def names() -> list[str]:
        events = watching.news()
        assert watching.news() == ()
        return [type(each.told).__name__ for each in events]

    world.live.write(run.key, Piece(1, 1, f"{1:032x}", 0, "I lo"), now=world.now())
    assert names() == ["LapStarted", "TextDelta"]
    world.lap(run, 1, calls=2)
    assert names() == ["TextDelta", "ToolStarted", "ToolStarted"]
    marker = Marker(1, 1, "look_up", "me", world.now() + 1_000, world.now())
    world.sessions.mark(run.key, marker)
    assert names() == []
    result = Result(1, 1, "look_up", "success", "ok", world.now())
    world.sessions.replace_marker(run.key, marker, result)
    assert names() == ["ToolFinished"]
    world.result(run, 1, 0)
    assert names() == ["ToolFinished"]
    world.lap(run, 2, calls=1)
    world.result(run, 2, 0)
    world.lap(run, 3, calls=0)
    assert names() == [
        *("LapStarted", "TextDelta", "ToolStarted", "ToolFinished"),
        *("LapStarted", "TextDelta"),
    ]
