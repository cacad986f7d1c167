"""The run protocol (docs/protocol.md) while processes die, messages repeat and executions race."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from chaos import (
    UNKNOWN,
    Machinery,
    Plays,
    at_once,
    meanwhile,
    outcomes,
    payloads,
    state,
    tokens,
    usage,
)
from freehold.values.history import History
from freehold.values.model import Usage
from freehold_client import Run, SessionBusy, Started
from model_server import ask, say
from product_stack import TENANT, Product, eventually, function

pytestmark = pytest.mark.stack

ECHO, PAY = function("echo", idempotent=True), function("pay", timeoutSeconds=2)
HOLD, HOLD_ONCE = function("hold", idempotent=True), function("hold_once")


@pytest.fixture(scope="module")
def plays(product: Product) -> Plays:
    return Plays(product.model)


@pytest.fixture(scope="module")
def machinery(product: Product) -> Machinery:
    return Machinery(product)


@dataclass(frozen=True)
class Gate:
    """Keeps `hold` and `hold_once` from answering until it is opened."""

    path: Path

    @property
    def note(self) -> dict[str, str]:
        return {"note": str(self.path)}

    def open(self) -> None:
        self.path.touch()


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    made = Gate(tmp_path / "open")
    yield made
    made.open()


@pytest.fixture
def model_gate() -> Iterator[threading.Event]:
    made = threading.Event()
    yield made
    made.set()


def made(product: Product, run: str, tool: str) -> int:
    return sum(effect["function"] == tool for effect in product.effects_of(run))


def being_made(product: Product, run: str, tool: str, times: int = 1) -> None:
    eventually(lambda: made(product, run, tool) >= times)


def whole(machinery: Machinery, run: Run, laps: int) -> History:
    """What is left of a run that has ended, after a look at what must hold for each."""

    def delivered() -> History | None:
        # FinishRun answers readers before it has delivered.
        history = machinery.run(run.run_id)
        return None if history.run.undelivered else history

    history = eventually(delivered)
    assert [lap.lap for lap in history.laps] == list(range(1, laps + 1))
    assert not history.markers
    assert "open_shard" not in machinery.product.items_of(run.run_id)[0]
    session = machinery.sessions.session(TENANT, run.session_id)
    assert session is not None
    assert session.active_turn is None
    return history


def next_turn_works(product: Product, plays: Plays, run: Run | Started) -> None:
    session = product.api.runs.get(run.run_id)
    again = product.ask(session.agent, plays.new(say("and on")), session_id=session.session_id)
    assert (again.status, again.output) == ("COMPLETED", "and on")


# -- a process dies


@dataclass(frozen=True)
class Killed:
    """A run of one call that may be repeated and one that may not, whose worker processes were killed."""

    run: Started
    text: str


@pytest.fixture(scope="module")
def killed(
    product: Product, plays: Plays, machinery: Machinery, tmp_path_factory: pytest.TempPathFactory
) -> Killed:
    """Begun by the first test that needs it; the mark runs out while the others go on."""
    gate = Gate(tmp_path_factory.mktemp("killed") / "open")
    # Its mark runs out soon: 20 s of RunTool and 5 s of its own.
    agent = product.agent(HOLD, function("hold_once", timeoutSeconds=5))
    text = plays.new(ask(("hold_once", gate.note), ("hold", gate.note)), say("told"))
    run = product.api.runs.start(agent, text)
    for tool in ("hold_once", "hold"):
        being_made(product, run.run_id, tool)
    assert machinery.kill("RunTool") >= 2
    gate.open()
    return Killed(run, text)


def test_a_call_that_may_be_repeated_is_made_again_when_its_worker_was_killed(
    product: Product, machinery: Machinery, killed: Killed
):
    again = eventually(lambda: machinery.run(killed.run.run_id).results.get((1, 1)))

    assert (again.outcome, again.attempt) == ("success", 1)
    assert made(product, killed.run.run_id, "hold") == 2


def test_a_model_call_that_was_lost_with_its_worker_is_made_again(
    product: Product, plays: Plays, machinery: Machinery, killed: Killed, model_gate: threading.Event
):
    text = plays.new(say("hello", hold=model_gate, usage=Usage(30, 7)))
    run = product.api.runs.start(product.agent(), text)
    plays.asked(text, 1)

    assert machinery.kill("InvokeModel") >= 1
    model_gate.set()
    ended = product.api.runs.wait(run.run_id)

    [lap] = whole(machinery, ended, laps=1).laps
    assert (ended.status, ended.output, lap.attempt) == ("COMPLETED", "hello", 1)
    # What was lost before any write shows in the attempt alone.
    assert plays.served(text) == (2, Usage(60, 14))
    assert usage(ended) == Usage(30, 7)


# -- messages repeat


def test_a_step_that_is_delivered_again_changes_nothing(
    product: Product, plays: Plays, machinery: Machinery, gate: Gate
):
    agent = product.agent(ECHO, PAY, HOLD_ONCE)
    first = ask(("pay", {"note": "1"}), ("hold_once", gate.note), ("echo", {"note": "2"}))
    text = plays.new(first, ask(("pay", {"note": "3"})), say("done"))
    run = product.api.runs.start(agent, text)
    being_made(product, run.run_id, "hold_once")
    eventually(lambda: len(machinery.run(run.run_id).results) == 2)

    during, effects = machinery.written(run.run_id), product.effects_of(run.run_id)
    sent = payloads(machinery.states(machinery.execution(run.run_id)))
    assert [name for name, _ in sent] == ["InvokeModel", "RunTool", "RunTool", "RunTool"]
    answers = [at_once(*[partial(machinery.invoke, name, payload)] * 2) for name, payload in sent]
    assert answers[0][0]["calls"] == answers[0][1]["calls"] == [1]
    assert [answer.get("errorType") for answer in answers[2]] == ["CallInProgress"] * 2
    assert (machinery.written(run.run_id), product.effects_of(run.run_id)) == (during, effects)

    gate.open()
    ended = product.api.runs.wait(run.run_id)
    assert ended.status == "COMPLETED"
    whole(machinery, ended, laps=3)
    after, effects = machinery.written(run.run_id), product.effects_of(run.run_id)
    sent = payloads(machinery.states(machinery.execution(run.run_id)))
    assert Counter(name for name, _ in sent) == {"InvokeModel": 3, "RunTool": 4, "FinishRun": 1}
    for name, payload in sent:
        at_once(*[partial(machinery.invoke, name, payload)] * 2)

    assert (machinery.written(run.run_id), product.effects_of(run.run_id)) == (after, effects)
    assert plays.served(text)[0] == 3
    next_turn_works(product, plays, ended)


def test_two_steps_that_ask_the_model_at_once_leave_one_lap_and_count_both(
    product: Product, plays: Plays, machinery: Machinery, gate: Gate, model_gate: threading.Event
):
    agent, before = product.agent(HOLD), product.model.served
    first = ask(("hold", gate.note), hold=model_gate, usage=Usage(100, 20, 40))
    text = plays.new(first, say("done", usage=Usage(130, 5, 90)))
    run = product.api.runs.start(agent, text)
    plays.asked(text, 1)

    step = {"run": state(run.run_id), "failed": [], "attempt": 0, "events": 0}
    with meanwhile(partial(machinery.invoke, "InvokeModel", step)) as second:
        plays.asked(text, 2)
        model_gate.set()
    gate.open()
    ended = product.api.runs.wait(run.run_id)

    history = whole(machinery, ended, laps=2)
    assert second.result()["step"] == "tools"
    assert [lost.lap for lost in history.discarded] == [1]
    assert tokens(history) == plays.served(text) == (3, Usage(330, 45, 170))
    assert usage(ended) == Usage(330, 45, 170)
    served = product.model.served
    assert served.total - before.total == usage(ended).total


# -- executions race


@pytest.mark.parametrize("mode", ["durable", "fast"])
def test_an_execution_that_is_delivered_twice_is_one_run(
    product: Product, plays: Plays, machinery: Machinery, mode: str, model_gate: threading.Event
):
    agent = product.agent(ECHO, PAY, executionMode=mode)
    text = plays.new(
        ask(("pay", {"note": "1"}), ("echo", {"note": "2"}), ("pay", {"note": "3"}), hold=model_gate),
        ask(("pay", {"note": "4"})),
        say("done"),
    )
    run = product.api.runs.start(agent, text)
    second = machinery.start_again(run.run_id, mode=mode)
    plays.asked(text, 2)
    model_gate.set()
    ended = product.api.runs.wait(run.run_id)
    first = machinery.execution(run.run_id, mode=mode)
    for execution in (first, second):
        eventually(lambda execution=execution: machinery.status(execution) != "RUNNING")

    history = whole(machinery, ended, laps=3)
    assert (ended.status, ended.output) == ("COMPLETED", "done")
    assert set(outcomes(history).values()) == {"success"}
    pays = Counter(effect["key"] for effect in product.effects_of(run.run_id) if effect["function"] == "pay")
    assert sorted(pays.values()) == [1, 1, 1]
    assert tokens(history) == plays.served(text)
    assert [machinery.status(execution) for execution in (first, second)] == ["SUCCEEDED"] * 2
    next_turn_works(product, plays, ended)


def test_a_silent_run_gets_a_new_execution_and_the_old_one_ends_without_a_word(
    product: Product, plays: Plays, machinery: Machinery, model_gate: threading.Event
):
    text = plays.new(ask(("pay", {"note": "1"}), hold=model_gate), say("done"))
    run = product.api.runs.start(product.agent(PAY), text)
    plays.asked(text, 1)

    machinery.age(run.run_id, 600)
    machinery.sweep()
    plays.asked(text, 2)
    model_gate.set()
    ended = product.api.runs.wait(run.run_id)

    history = whole(machinery, ended, laps=2)
    assert (ended.status, history.run.execution) == ("COMPLETED", 2)
    assert made(product, run.run_id, "pay") == 1
    assert tokens(history) == plays.served(text)
    stale = machinery.execution(run.run_id)
    eventually(lambda: machinery.status(stale) == "SUCCEEDED")
    assert machinery.states(stale)[-1][0] == "Superseded"


@pytest.mark.parametrize("mode", ["durable", "fast"])
def test_a_lost_execution_is_followed_by_the_next_one(
    product: Product, plays: Plays, machinery: Machinery, mode: str
):
    text = plays.new(ask(("pay", {"note": "1"})), say("done"))
    agent = product.agent(PAY, executionMode=mode)
    with machinery.broken(mode):
        run = product.api.runs.start(agent, text)
        eventually(lambda: machinery.status(machinery.execution(run.run_id, 1, mode)) == "FAILED")

    # Of an Express execution nobody can tell how it is, so that more patience is needed.
    machinery.age(run.run_id, 31 if mode == "durable" else 600)
    machinery.sweep()
    ended = product.api.runs.wait(run.run_id)

    assert (ended.status, ended.output) == ("COMPLETED", "done")
    assert whole(machinery, ended, laps=2).run.execution == 2
    assert made(product, run.run_id, "pay") == 1


def test_a_run_whose_executions_all_get_lost_fails_and_its_session_goes_on(
    product: Product, plays: Plays, machinery: Machinery
):
    agent = product.agent()
    with machinery.broken():
        run = product.api.runs.start(agent, plays.new(say("never")))
        for number in (1, 2, 3, 4):
            lost = machinery.execution(run.run_id, number)
            eventually(lambda lost=lost: machinery.status(lost) == "FAILED")
            machinery.age(run.run_id, 31)
            machinery.sweep()
    ended = product.api.runs.wait(run.run_id)

    assert ended.error is not None
    assert (ended.status, ended.error.type) == ("FAILED", "ExecutionLost")
    whole(machinery, ended, laps=0)
    next_turn_works(product, plays, ended)


def test_an_execution_that_an_operator_stopped_makes_the_run_cancelled(
    product: Product, plays: Plays, machinery: Machinery, gate: Gate
):
    text = plays.new(ask(("hold", gate.note), ("hold_once", gate.note)), say("never"))
    run = product.api.runs.start(product.agent(HOLD, HOLD_ONCE), text)
    for tool in ("hold", "hold_once"):
        being_made(product, run.run_id, tool)

    machinery.stop(machinery.execution(run.run_id))
    machinery.sweep()
    assert product.api.runs.get(run.run_id).status == "RUNNING", "its own steps may still be at work"
    machinery.age(run.run_id, 31)
    machinery.sweep()
    ended = product.api.runs.wait(run.run_id)

    assert (ended.status, ended.stop_reason) == ("CANCELLED", "executionStopped")
    history = whole(machinery, ended, laps=1)
    assert outcomes(history) == {(1, 0): "cancelled", (1, 1): "unknown"}
    next_turn_works(product, plays, ended)
    gate.open()
    # The call was under way; what it really came to is kept beside what the model was told.
    eventually(lambda: machinery.run(run.run_id).late)
    assert outcomes(machinery.run(run.run_id)) == {(1, 0): "cancelled", (1, 1): "unknown"}


# -- runs are cancelled, wait and meet their limits


def test_cancelling_takes_effect_before_the_next_call(
    product: Product, plays: Plays, machinery: Machinery, gate: Gate
):
    agent = product.agent(HOLD, PAY, limits={"maxConcurrentTools": 1})
    text = plays.new(ask(("hold", gate.note), ("pay", {"note": "1"})), say("never"))
    run = product.api.runs.start(agent, text)
    being_made(product, run.run_id, "hold")

    assert product.api.runs.cancel(run.run_id).status == "RUNNING"
    gate.open()
    ended = product.api.runs.wait(run.run_id)

    assert (ended.status, ended.stop_reason, ended.laps) == ("CANCELLED", "cancelRequested", 1)
    history = whole(machinery, ended, laps=1)
    assert outcomes(history) == {(1, 0): "success", (1, 1): "cancelled"}
    assert made(product, run.run_id, "pay") == 0
    assert plays.served(text)[0] == 1
    next_turn_works(product, plays, ended)


def test_cancelling_while_the_model_answers_keeps_the_answer_and_makes_no_call(
    product: Product, plays: Plays, machinery: Machinery, model_gate: threading.Event
):
    text = plays.new(ask(("pay", {"note": "1"}), hold=model_gate), say("never"))
    run = product.api.runs.start(product.agent(PAY), text)
    plays.asked(text, 1)

    product.api.runs.cancel(run.run_id)
    model_gate.set()
    ended = product.api.runs.wait(run.run_id)

    assert ended.status == "CANCELLED"
    history = whole(machinery, ended, laps=1)
    assert outcomes(history) == {(1, 0): "cancelled"}
    assert product.effects_of(run.run_id) == []
    assert (usage(ended).total, plays.served(text)[0]) == (15, 1)
    next_turn_works(product, plays, ended)


def test_messages_that_queue_run_in_order_and_a_cancelled_one_is_passed_over(
    product: Product, plays: Plays, machinery: Machinery, model_gate: threading.Event
):
    agent = product.agent()
    texts = [plays.new(say("one", hold=model_gate)), *(plays.new(say(text)) for text in ("two", "three"))]
    first = product.api.runs.start(agent, texts[0])
    start = partial(product.api.runs.start, agent, session_id=first.session_id)
    plays.asked(texts[0], 1)

    with pytest.raises(SessionBusy) as busy:
        start(plays.new(say("never")))
    second, dropped, third = (
        start(text, when_busy="enqueue") for text in (texts[1], plays.new(say("never")), texts[2])
    )
    assert [run.status for run in (second, dropped, third)] == ["QUEUED"] * 3
    assert product.api.runs.cancel(dropped.run_id).status == "CANCELLED"
    model_gate.set()
    ended = [product.api.runs.wait(run.run_id) for run in (first, second, third)]

    assert busy.value.run_id == first.run_id
    assert [run.output for run in ended] == ["one", "two", "three"]
    assert ended[0].finished_at <= (ended[1].started_at or "") < (ended[2].started_at or "")
    said = [message["content"] for message in plays.requests[texts[2]][0]["messages"][1:]]
    assert said == [texts[0], "one", texts[1], "two", texts[2]]
    whole(machinery, ended[2], laps=1)


def echoing(lap: int) -> Any:
    return ask(("echo", {"note": str(lap)}))


@pytest.mark.parametrize(
    ("reason", "limits", "play", "laps"),
    [
        ("maxLaps", {"maxLaps": 2}, echoing, 2),
        ("maxTokens", {"maxTokens": 40}, echoing, 3),
        ("sameCallRepeats", {"sameCallRepeats": 2}, lambda lap: ask(("echo", {"note": "again"})), 2),
    ],
)
def test_a_run_stops_at_a_limit_with_what_it_has_reached(
    product: Product,
    plays: Plays,
    machinery: Machinery,
    reason: str,
    limits: dict[str, int],
    play: Callable[[int], Any],
    laps: int,
):
    text = plays.play(play)

    ended = product.ask(product.agent(ECHO, limits=limits), text)

    assert (ended.status, ended.stop_reason, ended.laps) == ("STOPPED", reason, laps)
    history = whole(machinery, ended, laps)
    told = {**dict.fromkeys(((lap, 0) for lap in range(1, laps)), "success"), (laps, 0): "cancelled"}
    assert outcomes(history) == told
    assert usage(ended) == plays.served(text)[1]
    next_turn_works(product, plays, ended)


def test_a_run_stops_when_its_time_is_over(product: Product, plays: Plays, machinery: Machinery, gate: Gate):
    text = plays.new(ask(("hold", gate.note)), say("never"))
    run = product.api.runs.start(product.agent(HOLD, limits={"timeoutSeconds": 4}), text)
    being_made(product, run.run_id, "hold")

    deadline = machinery.run(run.run_id).run.deadline_at or 0
    eventually(lambda: time.time() * 1000 > deadline)
    gate.open()
    ended = product.api.runs.wait(run.run_id)

    assert (ended.status, ended.stop_reason, ended.laps) == ("STOPPED", "timeoutSeconds", 1)
    assert outcomes(whole(machinery, ended, laps=1)) == {(1, 0): "success"}
    next_turn_works(product, plays, ended)


# -- what the state machine does


def test_a_lap_with_m_calls_is_three_plus_m_transitions_and_its_state_is_small(
    product: Product, plays: Plays, machinery: Machinery
):
    agent = product.agent(ECHO, limits={"maxConcurrentTools": 40})
    many = ask(*(("echo", {"note": f"{i} " * 500, "times": 4}) for i in range(30)))
    laps = (many, ask(("echo", {"note": "x"})), say("y" * 50_000))
    text = plays.play(lambda lap: laps[lap - 1], f"{uuid.uuid4().hex} " * 1_500)

    ended = product.ask(agent, text)

    assert (ended.status, ended.calls) == ("COMPLETED", 31)
    execution = machinery.execution(ended.run_id)
    events = machinery.history(execution)
    entered = [name for name, _ in machinery.states(execution)]
    lap = ["InvokeModel", "WhatNext"]
    assert entered == [*lap, "RunTools", *lap, "RunTools", *lap, "FinishRun"]
    # The local Step Functions lists no states inside the Map, but each task that was made there.
    tasks = sum(event["type"] == "TaskScheduled" for event in events)
    inside = tasks - entered.count("InvokeModel") - entered.count("FinishRun")
    assert len(entered) + inside == (3 + 30) + (3 + 1) + 3
    carried = [
        details.get("input") or details.get("output") or ""
        for event in events
        for name, details in event.items()
        if name.endswith("EventDetails")
    ]
    assert max(len(text) for text in carried) < 4096


# -- last, because its mark has run out by now


def test_a_call_that_may_not_be_repeated_is_never_made_again_and_the_model_is_told(
    product: Product, plays: Plays, machinery: Machinery, killed: Killed
):
    eventually(lambda: product.api.runs.get(killed.run.run_id).ended, seconds=90)
    ended = product.api.runs.get(killed.run.run_id)

    assert (ended.status, ended.output) == ("COMPLETED", "told")
    history = whole(machinery, ended, laps=2)
    assert outcomes(history) == {(1, 0): "unknown", (1, 1): "success"}
    assert made(product, ended.run_id, "hold_once") == 1
    assert not history.late
    told = [message["content"] for message in plays.requests[killed.text][1]["messages"][-2:]]
    assert UNKNOWN in told[0]
    assert told[1] == "released"
    assert len(plays.requests[killed.text]) == 2
    next_turn_works(product, plays, ended)
