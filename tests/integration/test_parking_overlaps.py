"""Steps around a parked run that die, are lost, repeat or come at once: the run goes on once, and nothing is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import combinations_with_replacement
from typing import Any

import pytest

from driven import (
    ASK_USER,
    ESCALATE,
    PAY,
    Call,
    QuickWorld,
    all_runs,
    asking,
    asking_agent,
    client_tool,
    complete,
    escalating,
    go_on,
    laps,
    message_to,
    named,
    parked,
    pay,
    results,
    sound,
)
from freehold.ending import Ending
from freehold.errors import StoreUnavailable
from freehold.values.agent import Tool
from freehold.values.run import Run, RunError
from freehold.waiting import digest
from steering import DONE, WRITES, At, Died, Requests, died_after, lost_after, race, refused

Act = Callable[[QuickWorld, Run], Any]
ORDERS = 6
ASK_EXPERT = message_to("expert", "what is 7?")


@dataclass(frozen=True)
class Scene:
    """A run that makes one call, as far as it is before something happens to it."""

    call: Call
    tool: Tool
    waits: bool = True

    def begin(self) -> tuple[QuickWorld, Run]:
        world = QuickWorld()
        world.apply(named("helper", self.tool, escalation_target="arn:aws:sqs:us-east-1:123456789012:people"))
        world.apply(named("expert"))
        text = laps([self.call])
        return world, parked(world, text) if self.waits else world.ask(text)


APPROVED = Scene(PAY, pay("approval"))
RETURNED = Scene(("look_up", {"id": "7"}), client_tool())
ASKED = Scene(ASK_USER, asking())
ESCALATED = Scene(ESCALATE, escalating())
DELEGATED = Scene(ASK_EXPERT, asking_agent("expert"))
ALLOWED_TO_ASK = Scene(ASK_EXPERT, asking_agent("expert", "approval"))
SCENES = {
    "approval": APPROVED,
    "return of control": RETURNED,
    "question": ASKED,
    "escalation": ESCALATED,
    "agent": DELEGATED,
    "agent after an approval": ALLOWED_TO_ASK,
}


# -- what happens to it


def step(world: QuickWorld, run: Run) -> Run:
    return go_on(world, run)


def approve(world: QuickWorld, run: Run) -> Run:
    return world.decide(run, "approve", digest=run.pending[0].digest)


def deny(world: QuickWorld, run: Run) -> Run:
    return world.decide(run, "deny", by="eve", digest=run.pending[0].digest)


def result(world: QuickWorld, run: Run) -> Run:
    return world.decide(run, "result", digest=run.pending[0].digest, content="it is done")


def message(text: str) -> Act:
    return lambda world, run: world.write(text, idempotency_key=text)


def cancel(world: QuickWorld, run: Run) -> Run:
    return world.cancel(run)


def expire(world: QuickWorld, run: Run) -> None:
    """The sweeper after all the time that the run had."""
    world.clock = max(world.clock, run.waits_until + 1)
    world.sweep()


def sweep(world: QuickWorld, run: Run) -> None:
    world.pass_time(40)
    world.sweep()


def child_steps(world: QuickWorld, run: Run) -> None:
    for each in world.run(run).children:
        key = type(run.key).parse(run.tenant, each)
        assert key
        if world.run(key).status == "RUNNING":
            go_on(world, key)


ACTS: dict[str, tuple[Scene, Act]] = {
    "parks": (Scene(PAY, pay("approval"), waits=False), step),
    "parks for a person": (Scene(ESCALATE, escalating(), waits=False), step),
    "parks for an agent": (Scene(ASK_EXPERT, asking_agent("expert"), waits=False), step),
    "is approved": (APPROVED, approve),
    "is denied": (APPROVED, deny),
    "may ask an agent": (ALLOWED_TO_ASK, approve),
    "has its result": (RETURNED, result),
    "is answered": (ASKED, message("order 7")),
    "has a message for a person": (ESCALATED, message("hello?")),
    "is handed back": (ESCALATED, result),
    "has an answer of another agent": (DELEGATED, child_steps),
    "is cancelled": (APPROVED, cancel),
    "is cancelled while an agent works": (DELEGATED, cancel),
    "expires": (APPROVED, expire),
    "expires while an agent works": (DELEGATED, expire),
}


def happens(name: str, at: At, among: tuple[str, ...]) -> Iterator[tuple[QuickWorld, Run, Act]]:
    """The act again and again, each time in a world of its own, with `at` at one more of its requests."""
    scene, act = ACTS[name]
    for number in range(1, 100):
        world, run = scene.begin()
        requests = Requests(number, at, among)
        with world.helm.held(requests), suppress(Died, StoreUnavailable):
            act(world, run)
        if not requests.reached:
            assert number > 1
            return
        # The sweeper says what it met.
        world.reported.clear()
        yield world, run, act


@pytest.mark.parametrize("name", ACTS)
def test_whatever_dies_after_any_of_its_writes_is_gone_on_with(name: str):
    for world, run, _ in happens(name, died_after, WRITES + DONE):
        complete(world, run)

        sound(world, run)


@pytest.mark.parametrize("name", ACTS)
def test_whoever_heard_nothing_of_a_write_asks_again_and_hears_the_same(name: str):
    for world, run, act in happens(name, lost_after, WRITES):
        act(world, run)
        complete(world, run)

        sound(world, run)


@pytest.mark.parametrize("name", [name for name in ACTS if name != "may ask an agent"])
def test_what_could_not_be_told_is_told_later(name: str):
    for world, run, _ in happens(name, refused, ("start", "publish", "send")):
        complete(world, run)

        sound(world, run)


AT_ONCE: list[tuple[Scene, dict[str, Act]]] = [
    (ACTS["parks"][0], {"step": step, "cancel": cancel, "sweep": sweep}),
    (ACTS["parks for a person"][0], {"step": step, "message": message("hello?"), "sweep": sweep}),
    (ACTS["parks for an agent"][0], {"step": step, "cancel": cancel, "sweep": sweep}),
    (APPROVED, {"approve": approve, "deny": deny, "cancel": cancel, "expire": expire, "step": step}),
    (ALLOWED_TO_ASK, {"approve": approve, "cancel": cancel, "sweep": sweep, "expire": expire}),
    (RETURNED, {"result": result, "deny": deny, "cancel": cancel, "expire": expire}),
    (ASKED, {"answer": message("7"), "other": message("8"), "cancel": cancel, "expire": expire}),
    (ESCALATED, {"message": message("a"), "more": message("b"), "back": result, "cancel": cancel}),
    (ESCALATED, {"message": message("a"), "expire": expire, "sweep": sweep}),
    (DELEGATED, {"answer": child_steps, "cancel": cancel, "expire": expire, "sweep": sweep}),
]
PAIRS = [
    pytest.param(scene, acts[one], acts[other], id=f"{number}-{one}-{other}")
    for number, (scene, acts) in enumerate(AT_ONCE)
    for one, other in combinations_with_replacement(acts, 2)
]


@pytest.mark.parametrize(("scene", "one", "other"), PAIRS)
def test_of_two_things_at_once_neither_spoils_the_other(scene: Scene, one: Act, other: Act):
    for seed in range(ORDERS):
        world, run = scene.begin()

        race(world.helm, seed, partial(one, world, run), partial(other, world, run))
        complete(world, run)

        sound(world, run)


def test_a_decision_that_comes_while_the_run_is_parked_counts():
    counted: Counter[Any] = Counter()
    for seed in range(30):
        world, run = Scene(PAY, pay("approval"), waits=False).begin()
        assert world.invoke_model(run).step == "wait"
        lap = world.sessions.lap(run.key, 1)
        assert lap

        parks, approved = race(
            world.helm,
            seed,
            partial(world.park, run),
            partial(world.decide, run, "approve", digest=digest(run.key, lap, 0, "approval")),
        )

        assert isinstance(approved, Run), (seed, approved)
        counted[parks] += 1
        assert world.run(run).status == "RUNNING"
        sound(world, complete(world, run))
        assert len(world.tools.events) == 1
    assert set(counted) == {"parked", "again"}


def test_an_execution_that_has_parked_its_run_ends_it_no_more():
    """Neither while it waits nor after the next one was started, whatever became of that execution."""
    world, run = APPROVED.begin()
    failed = Ending("FAILED", error=RunError("States.Timeout", "it took too long"))

    world.finish(run, failed, execution=1)
    assert world.run(run) == run
    approve(world, run)
    world.finish(run, failed, execution=1)

    assert (world.run(run).status, world.run(run).execution) == ("RUNNING", 2)
    sound(world, complete(world, run))


def test_an_execution_that_is_over_parks_nothing():
    world, run = APPROVED.begin()
    approve(world, run)
    there = world.everything()

    assert world.park(run, 1) == "parked"

    assert world.everything() == there


def test_a_question_that_is_answered_before_a_queued_message_is_taken_for_it_leaves_that_in_the_queue():
    world, run = Scene(ASK_USER, asking(), waits=False).begin()
    assert world.invoke_model(run).step == "wait"
    queued = world.write("and the other?", when_busy="enqueue")

    def answered(request: Callable[[], Any]) -> Any:
        world.write("order 7")
        return request()

    with world.helm.held(Requests(1, answered, ("publish",))):
        assert world.park(run) == "parked"

    complete(world, run)
    assert [each.content for each in results(world, run)] == ["order 7"]
    assert world.run(queued).status == "COMPLETED"


def test_no_message_is_lost_or_doubled_while_a_question_is_put():
    for seed in range(30):
        world, run = Scene(ASK_USER, asking(), waits=False).begin()
        texts = [f"message {number}" for number in range(2)]

        race(
            world.helm,
            seed,
            partial(step, world, run),
            *(partial(world.write, text, when_busy="enqueue", idempotency_key=text) for text in texts),
        )
        complete(world, run)

        sound(world, run)
        answered = [each.content for each in results(world, run)]
        asked = [
            each.input for each in all_runs(world) if each.status == "COMPLETED" and each != world.run(run)
        ]
        assert len(answered) == 1
        # `complete` says 7 where nobody else has answered.
        assert sorted(set(answered + asked) - {"7"}) == texts, seed
        assert len(answered + asked) == len(set(answered + asked))
