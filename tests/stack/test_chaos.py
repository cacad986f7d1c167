"""Many runs at once while processes are killed, steps repeated, executions doubled and clocks turned.

FREEHOLD_CHAOS_SEED chooses another course of events; each test's name ends with the seed that it ran with.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from chaos import UNKNOWN, Machinery, Plays, kill, outcomes, state, tokens, usage
from freehold.values.history import History
from freehold.values.model import Usage
from freehold.values.run import RunKey
from freehold_client import Run, Started
from model_server import Reply, ask, say
from product_stack import Product, eventually, function

pytestmark = pytest.mark.stack

SEED = int(os.environ.get("FREEHOLD_CHAOS_SEED", "20261123"))
RUNS = 16
ACTS = 60
PAUSE_SECONDS = 0.12
# Fewer than a state retries, so that no run may fail of them.
KILLS = {"InvokeModel": 5, "RunTool": 6, "FinishRun": 5}
ONCE = {"pay", "pay_slowly"}
TOOLS = (
    *(function(name, idempotent=True) for name in ("echo", "echo_slowly", "fail", "remember")),
    *(function(name, timeoutSeconds=2) for name in sorted(ONCE)),
)
EXPECTED = {"Runtime.ExitError", "CallInProgress", "StaleWrite"}
ALLOWED = {name: {"success"} for name in ("echo", "echo_slowly", "remember")} | {"fail": {"error"}}


def plan(seed: str) -> tuple[Reply, ...]:
    """Two to four laps of which all but the last ask for up to four calls. The same seed, the same plan."""
    dice = random.Random(seed)

    def paced(reply: Reply) -> Reply:
        used = Usage(dice.randint(10, 99), dice.randint(1, 50), dice.randint(0, 9))
        return replace(reply, usage=used, delay_seconds=dice.uniform(0, 0.5))

    def call(lap: int, number: int) -> tuple[str, dict[str, Any]]:
        name = dice.choice(
            ("pay", "pay", "pay_slowly", "pay_slowly", "echo", "echo_slowly", "fail", "remember")
        )
        note = {"note": f"{lap}.{number}"}
        return name, note | {"times": dice.randint(1, 6)} if name.endswith("_slowly") else note

    asks = (ask(*(call(lap, i) for i in range(dice.randint(1, 4)))) for lap in range(1, dice.randint(2, 4)))
    return tuple(paced(reply) for reply in (*asks, say("done")))


@dataclass
class Chaos:
    """Does one thing after another to runs that go on meanwhile, the same things for the same seed."""

    product: Product
    machinery: Machinery
    dice: random.Random
    runs: list[Started] = field(default_factory=list[Started])
    kills: Counter[str] = field(default_factory=Counter[str])
    doubles: list[str] = field(default_factory=list[str])
    aged: set[RunKey] = field(default_factory=set[RunKey])
    beside: list[Future[Any]] = field(default_factory=list[Future[Any]])
    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(6))

    def act(self) -> None:
        acts: dict[Callable[[], None], int] = {
            self.kill: 8,
            self.repeat_a_step: 6,
            self.double_an_execution: 3,
            self.lose_an_execution: 2,
            self.sweep: 1,
        }
        self.dice.choices(list(acts), list(acts.values()))[0]()

    def kill(self) -> None:
        left = [name for name, most in KILLS.items() for _ in range(most - self.kills[name])]
        name = self.dice.choice(left) if left else ""
        workers = self.machinery.workers(name) if name else []
        if workers and kill(self.dice.choice(workers)):
            self.kills[name] += 1

    def repeat_a_step(self) -> None:
        """Send a step that was, is being or could have been sent, beside whatever else goes on."""
        history = self._any()
        run = history.run
        told = state(run.key.run_id, self.dice.randint(1, max(run.execution, 1)))
        calls = [(lap.lap, call) for lap in history.laps for call in range(len(lap.calls))]
        steps: list[tuple[str, dict[str, Any]]] = [
            ("InvokeModel", {"run": told, "failed": [], "attempt": 0, "events": 0})
        ]
        if calls:
            lap, call = self.dice.choice(calls)
            steps.append(("RunTool", {"run": told, "lap": lap, "call": call, "attempt": 0}))
        if run.ended:
            steps.append(("FinishRun", {"run": told, "outcome": {"status": "COMPLETED", "reason": None}}))
        self._beside(self.machinery.invoke, *self.dice.choice(steps))

    def double_an_execution(self) -> None:
        run = self._any().run
        if run.execution:
            self.doubles.append(self.machinery.start_again(run.key.run_id, run.execution, run.mode))

    def lose_an_execution(self) -> None:
        """Make a run look as if its execution had been silent for long, and let the sweeper come by."""
        run = self._any().run
        if run.status == "RUNNING" and run.key not in self.aged:
            self.aged.add(run.key)
            # What is aged may be gone a moment later.
            with suppress(ClientError):
                self.machinery.age(run.key.run_id, 600)
            self.sweep()

    def sweep(self) -> None:
        self._beside(self.machinery.sweep)

    def all_executions(self) -> list[str]:
        """Those that the runs were given, and the doubles."""
        runs = [self.machinery.run(run.run_id).run for run in self.runs]
        given = [
            self.machinery.execution(run.key.run_id, number, run.mode)
            for run in runs
            for number in range(1, run.execution + 1)
        ]
        return given + self.doubles

    def end(self) -> None:
        for done in self.beside:
            done.result()
        self.pool.shutdown()

    def _any(self) -> History:
        """One of the latest runs."""
        return self.machinery.run(self.dice.choice(self.runs[-8:]).run_id)

    def _beside(self, act: Callable[..., Any], *given: Any) -> None:
        self.beside.append(self.pool.submit(act, *given))


@dataclass(frozen=True)
class Asked:
    """A run as it was asked for: what the model was to say in each lap."""

    run: Started
    agent: str
    text: str
    plan: tuple[Reply, ...]


@dataclass(frozen=True)
class Outcome:
    """All that is left of a run."""

    asked: Asked
    run: Run
    history: History
    effects: list[dict[str, str]]


@pytest.fixture(scope="module")
def plays(product: Product) -> Plays:
    return Plays(product.model)


# A parameter stands in the name of every test, so that one which fails tells how to run it again.
@pytest.fixture(scope="module", params=[SEED], ids="seed {}".format)
def chaos(product: Product, request: pytest.FixtureRequest) -> Chaos:
    return Chaos(product, Machinery(product), random.Random(request.param))


@pytest.fixture(scope="module")
def ended(product: Product, plays: Plays, chaos: Chaos) -> list[Outcome]:
    """Every run once it has ended, and with it every execution and every repeated step."""
    asked: list[Asked] = []
    for number in range(ACTS):
        if number % 3 == 0 and len(asked) < RUNS:
            asked.append(begin(product, plays, asked))
            chaos.runs.append(asked[-1].run)
        chaos.act()
        time.sleep(PAUSE_SECONDS)
    chaos.end()
    runs = [product.api.runs.wait(each.run.run_id) for each in asked]
    executions = chaos.all_executions()
    eventually(lambda: all(chaos.machinery.status(each) != "RUNNING" for each in executions), seconds=60)
    return [
        Outcome(one, run, chaos.machinery.run(run.run_id), product.effects_of(run.run_id))
        for one, run in zip(asked, runs, strict=True)
    ]


def begin(product: Product, plays: Plays, before: list[Asked]) -> Asked:
    """The next run: every fourth one waits for its turn in the session of the one before."""
    number = len(before)
    script = plan(f"{SEED} {number}")
    text = plays.new(*script)
    if number % 4 == 3:
        agent, session = before[-1].agent, before[-1].run.session_id
        run = product.api.runs.start(agent, text, session_id=session, when_busy="enqueue")
    else:
        agent = product.agent(*TOOLS, executionMode=("durable", "fast")[number % 2])
        run = product.api.runs.start(agent, text)
    return Asked(run, agent, text, script)


def test_every_run_completes_with_each_lap_and_each_result_once(ended: list[Outcome]):
    for each in ended:
        assert (each.run.status, each.run.output) == ("COMPLETED", "done"), each.run
        assert [lap.lap for lap in each.history.laps] == list(range(1, len(each.asked.plan) + 1))
        made = outcomes(each.history)
        planned = planned_calls(each.asked.plan)
        assert set(made) == set(planned)
        for place, name in planned.items():
            assert made[place] in ALLOWED.get(name, {"success", "unknown"}), (place, each.history)
        assert not each.history.run.undelivered


def test_no_payment_is_made_twice_and_none_is_forgotten(ended: list[Outcome]):
    for each in ended:
        made, planned = outcomes(each.history), planned_calls(each.asked.plan)
        effects = Counter(effect["key"] for effect in each.effects)
        for (lap, call), name in planned.items():
            times = effects[f"{each.run.run_id}-{lap}-{call}"]
            if name in ONCE:
                assert times == 1 if made[lap, call] == "success" else times <= 1
            else:
                assert times >= 1


def test_the_model_is_told_of_every_outcome(plays: Plays, ended: list[Outcome]):
    for each in ended:
        made, turn = outcomes(each.history), each.history.run.turn
        for request in plays.requests[each.asked.text]:
            results = [message for message in request["messages"] if message["role"] == "tool"]
            told = {message["tool_call_id"]: message["content"] for message in results}
            mine = {(lap, call): f"t{turn}-l{lap}-c{call}" for lap, call in made}
            assert all(
                (UNKNOWN in told[name]) == (made[place] == "unknown")
                for place, name in mine.items()
                if name in told
            )


def test_session_attributes_are_those_of_the_last_call_in_call_order(ended: list[Outcome]):
    for each in ended:
        remembered = [place for place, name in planned_calls(each.asked.plan).items() if name == "remember"]
        if remembered:
            kept = each.history.laps[-1].session_attributes
            assert kept["note"] == "{}.{}".format(*max(remembered))


def test_tokens_are_lost_only_with_a_killed_process(plays: Plays, chaos: Chaos, ended: list[Outcome]):
    lost = 0
    for each in ended:
        (written, used), (served, given) = tokens(each.history), plays.served(each.asked.text)
        assert written <= served
        assert used.total <= given.total
        assert (used == given) == (written == served)
        lost += served - written

    # A process has one model call at a time, so each that is killed loses one at most.
    assert lost <= chaos.kills["InvokeModel"]


def test_the_totals_of_a_run_are_the_sum_of_its_replies(ended: list[Outcome]):
    for each in ended:
        assert usage(each.run) == tokens(each.history)[1], each.run.run_id


def test_every_execution_comes_to_its_end(chaos: Chaos, ended: list[Outcome]):
    executions = chaos.all_executions()
    assert {chaos.machinery.status(each) for each in executions} == {"SUCCEEDED"}
    met = {error for each in executions for error in chaos.machinery.errors(each)}
    assert [error for error in met if error.split(":")[0] not in EXPECTED] == []
    assert chaos.kills["InvokeModel"] > 0
    assert chaos.kills["RunTool"] > 0


def test_every_session_goes_on(product: Product, plays: Plays, ended: list[Outcome]):
    last = {each.run.session_id: each.asked.agent for each in ended}
    started = [
        product.api.runs.start(agent, plays.new(say("and on")), session_id=session)
        for session, agent in last.items()
    ]

    again = [product.api.runs.wait(run.run_id) for run in started]

    assert [(run.status, run.output) for run in again] == [("COMPLETED", "and on")] * len(last)


def planned_calls(script: tuple[Reply, ...]) -> dict[tuple[int, int], str]:
    return {
        (lap, call): name for lap, reply in enumerate(script, 1) for call, (name, _) in enumerate(reply.calls)
    }
