"""Many messages at once to one session: none is lost, none is doubled, and one is answered after the other."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from threading import Barrier, Lock
from typing import Any

import pytest
from moto import mock_aws

from freehold.adapters.scripted import reply
from freehold.ports import Tell
from freehold.values.model import ModelReply, ModelRequest, UserMessage
from freehold.values.run import Run, RunKey
from world import TENANT, FakeExecutions, World, agent, clients

# `bench/crowds.py` sends fifty at once, twenty times, to the local stack.
MESSAGES, AT_ONCE, ROUNDS = 20, 10, 2


class Ticking(World):
    """No two moments are the same."""

    def now(self) -> int:
        with self.ticks:
            self.clock += 1
            return self.clock

    ticks = Lock()


@dataclass
class Echo:
    """Repeats what it was asked, and keeps it."""

    heard: list[str] = field(default_factory=list[str])

    def reply(self, request: ModelRequest, tell: Tell | None = None) -> ModelReply:
        asked = request.messages[-1]
        assert isinstance(asked, UserMessage)
        self.heard.append(asked.text)
        return reply(f"You said: {asked.text}")


class Loop(FakeExecutions):
    """Takes each run that is started through its steps at once, beside whatever else happens."""

    def __init__(self, world: World, pool: ThreadPoolExecutor) -> None:
        super().__init__()
        self._world, self._pool = world, pool
        self._lock = Lock()
        self.running: list[Future[Any]] = []

    def start(self, run: Run) -> None:
        with self._lock:
            name = f"{run.key.run_id}-{run.execution}"
            if name in self.started:
                return
            self.started.append(name)
            self.running.append(self._pool.submit(self._go_through, run))

    def _go_through(self, run: Run) -> None:
        assert self._world.invoke_model(run).step == "finish"
        self._world.finish(run)


@dataclass(frozen=True)
class Sent:
    """A message, the run that answers it, and when its sender began to send it and knew."""

    text: str
    run: Run
    sent_at: int
    known_at: int


@dataclass
class Crowd:
    """A session to which everybody writes at once, and what became of it."""

    world: World
    model: Echo
    sent: list[Sent]

    @property
    def runs(self) -> list[Run]:
        """In the order of their turns."""
        conversation = self.sent[0].run.key.conversation
        turns = range(1, max(each.run.turn for each in self.sent) + 1)
        return [self.world.run(RunKey(TENANT, conversation, turn)) for turn in turns]


@pytest.fixture(params=range(ROUNDS))
def crowd() -> Iterator[Crowd]:
    with mock_aws(), ThreadPoolExecutor(AT_ONCE) as senders, ThreadPoolExecutor(2) as pool:
        world, model, barrier = Ticking(*clients(), None), Echo(), Barrier(AT_ONCE)
        world.apply(agent())
        loop = Loop(world, pool)
        world.model, world.executions = model, loop

        def send(number: int) -> Sent:
            # The pool's first ones wait for each other; after that it is always busy.
            if number < AT_ONCE:
                barrier.wait()
            # Each fifth is sent twice, as by a client that heard nothing and asks again.
            text = f"message {number - (number % 5 == 1)}"
            sent_at = world.now()
            run = world.ask(text, when_busy="enqueue", idempotency_key=text)
            return Sent(text, run, sent_at, world.now())

        sent = list(senders.map(send, range(MESSAGES)))
        for each in loop.running:
            each.result()
        yield Crowd(world, model, sent)


def test_every_message_of_many_at_once_is_answered_once_and_in_order(crowd: Crowd):
    runs = crowd.runs

    assert [run.status for run in runs] == ["COMPLETED"] * len(runs)
    assert sorted(run.input for run in runs) == sorted({each.text for each in crowd.sent})
    assert crowd.model.heard == [run.input for run in runs]
    assert {each.text: each.run.turn for each in crowd.sent} == {run.input: run.turn for run in runs}
    for before, after in pairwise(runs):
        assert before.finished_at is not None
        assert after.started_at is not None
        assert before.finished_at < after.started_at
    for first in crowd.sent:
        assert all(
            first.run.turn < later.run.turn
            for later in crowd.sent
            if first.known_at < later.sent_at and first.text != later.text
        )
