"""What comes between two reads or writes of one step, where the step must not lose it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest

from freehold.adapters.scripted import ScriptedModel, reply
from freehold.beginning import continue_run
from freehold.ending import Ending, finish_run
from freehold.ports import Tell
from freehold.value import replace
from freehold.values.model import ModelReply, ModelRequest, Usage
from freehold.values.run import Run
from world import World


class Interrupted:
    """A repository that calls `act` once, right before the call of that number."""

    def __init__(self, sessions: Any, number: int, act: Callable[[], None]) -> None:
        self._sessions, self._left, self._act = sessions, number, act

    def __getattr__(self, name: str) -> Any:
        def call(*args: Any, **given: Any) -> Any:
            self._left -= 1
            if self._left == 0:
                self._act()
            return getattr(self._sessions, name)(*args, **given)

        return call


def finish_interrupted(world: World, run: Run, number: int, act: Callable[[], None]) -> None:
    """End a run while `act` comes in between; where the ending has fewer calls, right after it."""
    sessions: Any = Interrupted(world.sessions, number, act)
    finish_run(run.key, 1, Ending("COMPLETED"), replace(world.endings(), sessions=sessions))
    if sessions._left > 0:
        act()


@pytest.mark.parametrize("call", range(1, 9))
def test_a_message_that_queues_while_a_run_ends_gets_its_turn(world: World, call: int):
    first = world.ask("one")
    queued: list[Run] = []

    finish_interrupted(world, first, call, lambda: queued.append(world.ask("two", when_busy="enqueue")))

    [second] = queued
    session = world.sessions.session("acme", "s1")
    assert session is not None
    assert session.active_turn == 2
    assert world.run(second).status == "RUNNING"
    assert world.executions.started[-1] == f"{second.key.run_id}-1"


def test_a_cancel_that_comes_between_two_turns_does_not_keep_the_second_from_starting(world: World):
    first = world.ask("one")
    second = world.ask("two", when_busy="enqueue")
    # The first write ends the first turn, the one after it is the start.
    world.on_write(lambda: world.on_write(lambda: world.cancel(second)))

    world.finish(first)

    assert world.run(second).cancel_requested_at is not None
    assert world.executions.started[-1] == f"{second.key.run_id}-1"
    assert world.invoke_model(second).status == "CANCELLED"


def test_a_cancel_that_comes_between_two_executions_does_not_keep_the_second_from_starting(world: World):
    run = world.ask()
    world.on_write(lambda: world.cancel(run))

    continue_run(run.key, 1, world.sessions, world.executions, now=world.clock)

    assert world.executions.started[-1] == f"{run.key.run_id}-2"


class SlowAtFirst:
    """A model that keeps its first reply back until it is let go."""

    def __init__(self, *replies: ModelReply) -> None:
        self.script, self.asked, self.go = ScriptedModel(replies), Event(), Event()

    def reply(self, request: ModelRequest, tell: Tell | None = None) -> ModelReply:
        first = not self.asked.is_set()
        given = self.script.reply(request, tell)
        if first:
            self.asked.set()
            assert self.go.wait(10)
        return given


@pytest.mark.parametrize("call", range(1, 9))
def test_a_reply_that_loses_while_the_run_ends_counts_in_its_totals(world: World, call: int):
    world.model = model = SlowAtFirst(reply("slow", usage=Usage(11, 3)), reply("quick", usage=Usage(13, 7)))
    run = world.ask()

    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(world.invoke_model, run)
        assert model.asked.wait(10)
        world.invoke_model(run)

        def lose() -> None:
            model.go.set()
            slow.result(10)

        finish_interrupted(world, run, call, lose)

    ended = world.run(run)
    assert ended.totals is not None
    assert (ended.status, ended.totals.laps) == ("COMPLETED", 1)
    assert ended.totals.usage == world.history(run).totals.usage == Usage(24, 10)
    assert not ended.undelivered
