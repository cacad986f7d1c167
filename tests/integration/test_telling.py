"""What is told of a lap while it is written, next to the lap that comes of it."""

from __future__ import annotations

from typing import Any

import pytest

from freehold.adapters.scripted import ScriptedModel, reply
from freehold.errors import ModelUnavailable, StoreUnavailable
from freehold.ports import Tell
from freehold.values.live import Piece
from freehold.values.model import ModelReply, ModelRequest
from freehold.values.run import Run, RunKey
from world import World


@pytest.fixture
def world(world_in_memory: World) -> World:
    return world_in_memory


def watched(world: World) -> Run:
    """A run that somebody watches."""
    run = world.ask("hello")
    world.live.watch(run.key, until=world.clock + 60_000)
    return run


class Slow(ScriptedModel):
    """A model to which each word takes 200 ms."""

    def __init__(self, world: World, *replies: Any) -> None:
        super().__init__(replies)
        self._world = world

    def reply(self, request: ModelRequest, tell: Tell | None = None) -> ModelReply:
        assert tell

        def slowly(word: str) -> None:
            self._world.pass_time(0.2)
            tell(word)

        return super().reply(request, slowly)


def test_the_pieces_of_a_lap_are_its_text_and_bear_its_id(world: World):
    run = watched(world)
    world.model = Slow(world, reply("one two three four five"))

    world.invoke_model(run)

    (lap,) = world.history(run).laps
    pieces = world.live.pieces(run.key, 1)
    assert len(pieces) > 2
    assert "".join(piece.text for piece in pieces) == lap.text
    assert {piece.attempt for piece in pieces} == {lap.id}


def test_a_repeated_step_is_an_attempt_of_its_own_that_begins_later(world: World):
    class Breaking(ScriptedModel):
        def reply(self, request: ModelRequest, tell: Tell | None = None) -> ModelReply:
            assert tell
            tell("one tw")
            raise ModelUnavailable("broke off")

    run = watched(world)
    world.model = Breaking()
    with pytest.raises(ModelUnavailable):
        world.invoke_model(run)
    world.pass_time(3)
    world.model = ScriptedModel([reply("one two")])
    world.invoke_model(run, attempt=1)

    (lap,) = world.history(run).laps
    broken, *whole = world.live.pieces(run.key, 1)
    assert (broken.text, broken.offset) == ("one tw", 0)
    assert "".join(piece.text for piece in whole) == "one two"
    assert broken.attempt != lap.id == whole[0].attempt
    assert broken.began_at < whole[0].began_at


def test_nothing_is_written_down_twice_for_a_run_that_nobody_watches(world: World):
    run = world.ask("hello")
    world.model = Slow(world, reply("one two three four five"))

    world.invoke_model(run)

    assert world.live.pieces(run.key, 1) == []
    assert world.history(run).laps[0].text == "one two three four five"


def test_all_is_told_before_the_lap_is_there_to_be_read(world: World):
    run = watched(world)
    world.model = Slow(world, reply("one two three"))
    seen: list[str] = []
    world.on_write(lambda: seen.extend(piece.text for piece in world.live.pieces(run.key, 1)))

    world.invoke_model(run)

    assert "".join(seen) == "one two three"


@pytest.mark.parametrize("which", ["watched", "write"])
def test_a_table_that_is_not_there_harms_no_run(world: World, which: str):
    class Gone:
        def watched(self, key: RunKey, *, now: int) -> bool:
            return self._maybe("watched")

        def write(self, key: RunKey, piece: Piece, *, now: int) -> None:
            self._maybe("write")

        def _maybe(self, name: str) -> bool:
            if name == which:
                raise StoreUnavailable("gone")
            return True

    live: Any = Gone()
    world.live = live
    world.model = ScriptedModel([reply("hi")])
    run = world.ask()

    step = world.invoke_model(run)

    assert (step.status, world.history(run).laps[0].text) == ("COMPLETED", "hi")
