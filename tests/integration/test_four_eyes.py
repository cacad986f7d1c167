"""Who may not approve what a run asks for: whoever asked for it, or told its model something on the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from driven import (
    ASK_USER,
    ESCALATE,
    PAY,
    Call,
    QuickWorld,
    asking,
    asking_agent,
    children,
    client_tool,
    count,
    escalating,
    go_on,
    laps,
    message_to,
    named,
    parked,
    pay,
)
from freehold.adapters.table import from_wire
from freehold.errors import Denied
from freehold.ports import SHARDS
from freehold.value import replace
from freehold.values.agent import Approvals
from freehold.values.run import Principal, Run

LOOK_UP: Call = ("look_up", {"id": "7"})
BOB = Principal("key", "bob")
Act = Callable[[QuickWorld, Run], Any]


@pytest.fixture
def world() -> QuickWorld:
    world = QuickWorld()
    world.apply(helper())
    return world


def helper(**changes: Any) -> Any:
    tools = (asking(), escalating(), client_tool(), pay("approval"), asking_agent("expert"))
    return named("helper", *tools, **changes)


def left(world: QuickWorld, run: Run) -> None:
    """Bob writes while somebody else has the conversation."""
    world.write("refund 900 to me", principal=BOB)
    world.decide(run, "result", by="clerk", content="as they say")


TELLS: dict[str, tuple[Call, Act]] = {
    "an answer": (ASK_USER, lambda world, run: world.write("refund 900 to me", principal=BOB)),
    "a result": (LOOK_UP, lambda world, run: world.decide(run, "result", by="bob", content="900")),
    "a note": (ESCALATE, lambda world, run: world.decide(run, "result", by="bob", content="refund 900")),
    "a message": (ESCALATE, left),
}


@pytest.mark.parametrize("name", TELLS)
def test_whoever_told_a_run_something_does_not_approve_what_it_asks_for_then(world: QuickWorld, name: str):
    call, tell = TELLS[name]
    run = parked(world, laps([call], [PAY]))
    tell(world, run)
    run = go_on(world, run)

    with pytest.raises(Denied, match="told this run something before"):
        world.decide(run, "approve", by="bob")

    assert (world.run(run), count(world, "refusal")) == (run, 1)
    assert world.decide(run, "approve", by="boss").status == "RUNNING"


def test_a_message_that_was_queued_and_became_the_answer_is_its_writers(world: QuickWorld):
    run = world.ask(laps([ASK_USER], [PAY]))
    world.write("refund 900 to me", principal=BOB, when_busy="enqueue")
    run = go_on(world, go_on(world, run))

    with pytest.raises(Denied):
        world.decide(run, "approve", by="bob")


def test_an_agent_that_lets_requesters_approve_also_lets_those_who_told_it_something(world: QuickWorld):
    world.apply(helper(approvals=Approvals(not_requester=False)))
    run = parked(world, laps([ASK_USER], [PAY]))
    world.write("refund 900 to me", principal=BOB)
    run = go_on(world, run)

    assert world.decide(run, "approve", by="bob").status == "RUNNING"


def test_what_comes_after_the_model_asked_for_a_call_keeps_nobody_from_approving_it(world: QuickWorld):
    run = parked(world, laps([ESCALATE, PAY]))
    world.decide(run, "result", 0, by="bob", content="settled")

    assert world.decide(run, "approve", 1, by="bob").status == "RUNNING"


def test_an_approver_may_decide_again_in_the_same_run(world: QuickWorld):
    run = parked(world, laps([PAY], [PAY]))
    world.decide(run, "deny", by="bob", comment="too much")
    run = go_on(world, run)

    assert world.decide(run, "approve", by="bob").status == "RUNNING"


def test_what_another_turn_was_told_does_not_count(world: QuickWorld):
    first = parked(world, laps([ASK_USER]))
    world.write("7", principal=BOB)
    go_on(world, first)
    run = parked(world, laps([PAY]))

    assert (run.turn, world.decide(run, "approve", by="bob").status) == (2, "RUNNING")


def test_texts_are_not_read_to_know_who_wrote_them(world: QuickWorld):
    run = parked(world, laps([ESCALATE], [PAY]))
    left(world, run)
    run = go_on(world, run)
    everything = [from_wire(item) for item in world.everything()]
    (message,) = (item for item in everything if item["kind"] == "message")
    del message["body"]
    world.table.put(message | {"body_ref": "in a bucket that has nothing"}, condition="attribute_exists(pk)")

    with pytest.raises(Denied):
        world.decide(run, "approve", by="bob")

    assert world.decide(run, "approve", by="boss").status == "RUNNING"


# -- other agents


def test_whoever_answered_a_run_does_not_approve_for_the_agent_that_it_asks(world: QuickWorld):
    world.apply(named("expert", pay("approval")))
    run = parked(world, laps([ASK_USER], [message_to("expert", laps([PAY]))]))
    world.write("refund 900 to me", principal=BOB)
    (child,) = children(world, go_on(world, run))
    child = go_on(world, child)

    with pytest.raises(Denied):
        world.decide(child, "approve", by="bob")

    assert world.decide(child, "approve", by="boss").status == "RUNNING"


def test_whoever_answered_the_agent_that_a_run_has_asked_does_not_approve_for_the_run(world: QuickWorld):
    world.apply(named("expert", asking()))
    run = parked(world, laps([message_to("expert", laps([ASK_USER]))], [PAY]))
    (child,) = children(world, run)
    go_on(world, child)
    world.write("refund 900 to me", principal=BOB)
    go_on(world, child)
    run = go_on(world, run)

    with pytest.raises(Denied):
        world.decide(run, "approve", by="bob")

    assert world.decide(run, "approve", by="boss").status == "RUNNING"


def test_what_the_agent_below_was_told_is_known_as_long_as_the_run_waits(world: QuickWorld):
    for one in (helper(), named("expert", asking())):
        quick = replace(one.limits, timeout_seconds=60)
        world.apply(replace(one, limits=quick, idle_session_ttl_seconds=60))
    run = parked(world, laps([message_to("expert", laps([ASK_USER]))], [PAY]))
    (child,) = children(world, run)
    go_on(world, child)
    world.write("refund 900 to me", principal=BOB)
    go_on(world, child)
    run = go_on(world, run)

    def sweep_for(seconds: int) -> None:
        world.pass_time(seconds)
        for _ in range(2 * SHARDS):
            world.pass_time(60)
            world.sweep()

    sweep_for(2 * 86_400)
    with pytest.raises(Denied):
        world.decide(run, "approve", by="bob")

    world.decide(run, "deny", by="boss")
    go_on(world, run)
    sweep_for(3600)
    assert world.sessions.run(child.key) is None
