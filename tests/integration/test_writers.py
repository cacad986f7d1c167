"""Whoever wrote something while a run waited: it is erased with them, and what is kept of their attempts is bounded."""

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
    client_tool,
    count,
    escalating,
    go_on,
    laps,
    named,
    parked,
    pay,
    settle,
)
from freehold.beginning import MOST_NAMED
from freehold.erasing import ErasureReport, erase_principal
from freehold.errors import Denied
from freehold.values.agent import Memory
from freehold.values.run import Principal, Run
from steering import Requests, outcome
from world import TENANT

LOOK_UP: Call = ("look_up", {"id": "7"})
BOB = Principal("key", "bob")
Act = Callable[[QuickWorld, Run], Any]


@pytest.fixture
def world() -> QuickWorld:
    world = QuickWorld()
    world.apply(named("helper", asking(), escalating(), client_tool(), pay("approval")))
    return world


def erased(world: QuickWorld, principal: Principal) -> ErasureReport:
    return erase_principal(TENANT, principal, world.erasing(), lambda: False)


WRITES: dict[str, tuple[Call, Act]] = {
    "an answer": (ASK_USER, lambda world, run: world.write("7, says Bob", principal=BOB)),
    "a message": (ESCALATE, lambda world, run: world.write("hello, says Bob", principal=BOB)),
    "a note": (ESCALATE, lambda world, run: world.decide(run, "result", by="bob", content="settled")),
    "a result": (LOOK_UP, lambda world, run: world.decide(run, "result", by="bob", content="42")),
    "a comment": (PAY, lambda world, run: world.decide(run, "approve", by="bob", comment="fine")),
}


@pytest.mark.parametrize("name", WRITES)
def test_what_somebody_wrote_while_a_run_waited_is_erased_with_them(world: QuickWorld, name: str):
    call, write = WRITES[name]
    run = parked(world, laps([call]))
    write(world, run)
    if world.run(run).status == "RUNNING":
        settle(world)

    report = erased(world, BOB)

    assert (report.erased.sessions, report.busy) == (1, ())
    assert world.sessions.run(run.key) is None


def test_what_is_remembered_of_it_is_erased_after_its_session(world: QuickWorld):
    world.apply(named("helper", asking(), memory=Memory()))
    run = parked(world, laps([ASK_USER]), memory_id="m1")

    world.write("7, says Bob", principal=BOB)

    pages = list(world.conversations.links(TENANT, BOB))
    assert [(link.conversation, link.memory_id) for page in pages for link in page] == [
        (run.conversation, "m1"),
        (run.conversation, None),
    ]


def test_whoever_approves_without_a_word_has_written_nothing(world: QuickWorld):
    run = parked(world, laps([PAY]))

    world.decide(run, "approve", by="bob")
    settle(world)

    assert erased(world, BOB).erased.sessions == 0


def test_the_session_names_who_wrote_and_links_them_once(world: QuickWorld):
    parked(world, laps([ESCALATE]))

    for text in ("one", "two"):
        world.write(text, principal=BOB)

    session = world.sessions.session(TENANT, "s1")
    assert session
    assert session.principals == ("key:k1", "key:bob")
    assert count(world, "link") == 2


def test_a_user_whom_the_session_has_no_room_to_name_may_send_a_result(world: QuickWorld):
    for number in range(MOST_NAMED):
        go_on(world, world.ask(principal=Principal("key", f"user{number}")))
    go_on(world, world.ask(principal=BOB))
    run = parked(world, laps([LOOK_UP]), principal=Principal("key", "user0"))

    with pytest.raises(Denied):
        world.decide(run, "result", by="eve", scopes=("run",), content="43")
    taken = world.decide(run, "result", by="bob", scopes=("run",), content="42")

    assert taken.status == "RUNNING"


def test_attempts_at_calls_that_there_are_none_of_fill_no_table(world: QuickWorld):
    """Of a run that waits, and of one that has ended."""
    run = parked(world, laps([PAY]))

    def attempts() -> None:
        for lap in range(1, 30):
            for verdict in ("approve", "deny", "result"):
                outcome(lambda v=verdict, n=lap: world.decide(run, v, 5, by="eve", lap=n, digest="0" * 64))

    attempts()
    assert count(world, "refusal") == 1
    world.cancel(run)
    attempts()
    assert count(world, "refusal") == 2


def test_of_two_equal_answers_at_once_each_is_known_by_its_own_key(world: QuickWorld):
    run = parked(world, laps([ASK_USER]))

    def another_is_quicker(request: Callable[[], Any]) -> Any:
        world.write("yes", idempotency_key="two")
        return request()

    with world.helm.held(Requests(1, another_is_quicker, ("transact_write_items",))):
        world.write("yes", idempotency_key="one")
    settle(world)

    assert world.run(run).status == "COMPLETED"
    for key in ("one", "two"):
        assert world.write("yes", idempotency_key=key).key == run.key
