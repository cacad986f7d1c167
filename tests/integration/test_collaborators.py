"""Agents that ask other agents: how deep, with whose identity and time, and what becomes of a call left alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from driven import (
    ASK_USER,
    PAY,
    Call,
    QuickWorld,
    all_runs,
    asking,
    asking_agent,
    children,
    client_tool,
    complete,
    go_on,
    laps,
    message_to,
    named,
    of_agent,
    parked,
    pay,
    results,
    settle,
    sound,
)
from freehold.collaborating import MOST_LEVELS
from freehold.ending import Ending
from freehold.erasing import erase_session
from freehold.errors import Conflict, Denied, SessionBusy
from freehold.value import replace
from freehold.values.agent import Approvals
from freehold.values.run import Run, RunKey
from steering import Died, Requests, died_after, outcome, race
from world import TENANT

ASK_EXPERT = message_to("expert", "what is 7?")


@pytest.fixture
def world() -> QuickWorld:
    """`helper` asks `expert`, who asks nobody."""
    world = QuickWorld()
    world.apply(named("helper", asking_agent("expert"), client_tool(), pay()))
    world.apply(named("expert"))
    return world


def delegated(world: QuickWorld, *calls: Call, **asked: Any) -> tuple[Run, Run]:
    """A run that waits for another agent's, and that."""
    run = parked(world, laps(calls or (ASK_EXPERT,)), **asked)
    child, *_ = children(world, run)
    return run, child


def chain(world: QuickWorld, *names: str) -> str:
    """Agents each of whom asks the next one; what the first one is asked."""
    for name, following in zip(names, (*names[1:], None), strict=True):
        world.apply(named(name, *((asking_agent(following),) if following else ())))
    asked = "and what is 7?"
    for name in reversed(names[1:]):
        asked = laps([message_to(name, asked)])
    return asked


# -- depth and cycles


def test_agents_ask_one_another_three_deep(world: QuickWorld):
    asked = chain(world, "helper", "expert", "oracle")

    run = complete(world, world.ask(asked))

    sound(world, run)
    (expert,), (oracle,) = of_agent(world, "expert"), of_agent(world, "oracle")
    assert oracle.parent
    assert (oracle.parent.run_id, oracle.parent.agents) == (expert.key.run_id, ("helper", "expert"))
    assert children(world, expert) == [oracle]
    assert [each.content for each in results(world, run)] == ["So: So: and what is 7?"]


def test_no_more_agents_wait_for_one_another_than_are_allowed(world: QuickWorld):
    names = ["helper", *(f"agent-{n}" for n in range(2, MOST_LEVELS + 2))]

    run = complete(world, world.ask(chain(world, *names)))

    assert len(all_runs(world)) == MOST_LEVELS
    assert f"{MOST_LEVELS} agents wait for one another, which is the most" in results(world, run)[0].content


def test_a_circle_of_several_agents_is_refused_where_it_would_close(world: QuickWorld):
    world.apply(named("expert", asking_agent("oracle")))
    world.apply(named("oracle", asking_agent("helper")))
    asked = laps([message_to("expert", laps([message_to("oracle", laps([message_to("helper", "7?")]))]))])

    run = complete(world, world.ask(asked))

    assert len(all_runs(world)) == 3
    assert (
        "agent helper waits for this answer itself: helper > expert > oracle"
        in results(world, run)[0].content
    )


def test_an_agent_that_is_not_there_is_a_failed_call_and_the_run_goes_on(world: QuickWorld):
    world.apply(named("helper", asking_agent("nobody")))

    run = complete(world, world.ask(laps([message_to("nobody", "7?")])))

    (result,) = results(world, run)
    assert (run.status, result.outcome) == ("COMPLETED", "error")
    assert "The agent could not be asked" in result.content


def test_an_agent_that_was_deleted_is_a_failed_call(world: QuickWorld):
    world.agents.delete(TENANT, "expert", now=world.clock)

    run = complete(world, world.ask(laps([ASK_EXPERT])))

    assert [each.outcome for each in results(world, run)] == ["error"]
    assert run.children == ()


# -- one conversation with each


def test_the_same_agent_asked_twice_in_one_lap_answers_one_after_the_other(world: QuickWorld):
    run, _ = delegated(world, message_to("expert", "one"), message_to("expert", "two"))
    first, second = children(world, run)
    assert (first.session_id, first.status, second.status) == (second.session_id, "RUNNING", "QUEUED")

    run = complete(world, run)

    sound(world, run)
    assert [each.content for each in sorted(results(world, run), key=lambda each: each.call)] == [
        "So: one",
        "So: two",
    ]


def test_an_agent_knows_what_it_was_asked_before_in_the_conversation(world: QuickWorld):
    run = complete(world, world.ask(laps([message_to("expert", "one")], [message_to("expert", "two")])))

    first, second = of_agent(world, "expert")
    assert (second.conversation, second.turn) == (first.conversation, 2)
    sound(world, run)


def test_two_conversations_do_not_share_the_agents_that_they_ask(world: QuickWorld):
    one, other = (delegated(world, session=session)[1] for session in ("s1", "s2"))

    assert one.conversation != other.conversation
    assert one.session_id != other.session_id


def test_an_agent_has_the_identity_and_no_more_time_than_its_caller_has_left(world: QuickWorld):
    world.apply(
        replace(
            named("helper", asking_agent("expert")), limits=replace(named("x").limits, timeout_seconds=90)
        )
    )
    asked = world.ask(laps([ASK_EXPERT]))
    world.pass_time(30)

    run = go_on(world, asked)

    (child,) = children(world, run)
    assert (child.principal, child.trigger) == (run.principal, "agent")
    assert (child.timeout_seconds, child.deadline_at) == (60, world.clock + 60_000)


def test_an_agent_that_runs_out_of_time_is_told_to_its_caller(world: QuickWorld):
    world.apply(
        replace(named("expert", client_tool()), limits=replace(named("x").limits, timeout_seconds=60))
    )
    run, child = delegated(world)
    world.pass_time(61)
    settle(world)

    assert world.run(child).status == "STOPPED"
    run = complete(world, run)
    assert "its run ended as STOPPED (timeoutSeconds)" in results(world, run)[0].content


# -- while it waits


def test_an_agent_that_waits_for_approval_holds_its_caller_up(world: QuickWorld):
    world.apply(named("expert", pay("approval")))
    run, child = delegated(world, message_to("expert", laps([PAY])))
    child = go_on(world, child)
    assert (child.status, world.run(run).status) == ("AWAITING", "AWAITING")

    with pytest.raises(Denied):
        world.decide(child, "approve", by="k1", scopes=("run", "approve"))
    world.decide(child, "approve")
    run = complete(world, run)

    sound(world, child)
    assert [each.content for each in results(world, run)] == ["So: paid"]


def test_nobody_but_the_agent_answers_a_call_to_it(world: QuickWorld):
    run, _ = delegated(world)

    for verdict in ("approve", "deny", "result"):
        with pytest.raises(Conflict, match="another agent answers it"):
            world.decide(run, verdict, content="it is 42", scopes=("admin",))

    assert world.run(run) == run


@pytest.mark.parametrize("state", ["QUEUED", "RUNNING", "AWAITING"])
def test_a_cancel_reaches_the_agents_that_were_asked(world: QuickWorld, state: str):
    world.apply(named("expert", client_tool()))
    run, first = delegated(world, message_to("expert", laps([("look_up", {"id": "7"})])), ASK_EXPERT)
    if state == "AWAITING":
        go_on(world, first)
    child = {each.status: each for each in children(world, run)}[state]  # type: ignore[index]

    assert world.cancel(run, by="key:k9").status == "CANCELLED"

    if state == "RUNNING":
        assert world.run(child).cancel_requested_at is not None
        assert not world.run(child).ended
    else:
        assert world.run(child).status == "CANCELLED"
    settle(world)
    assert {(each.status, each.cancelled_by) for each in all_runs(world)} == {("CANCELLED", "key:k9")}
    assert world.waits.listed() == []


def test_a_cancel_that_comes_while_an_agent_is_asked_reaches_it(world: QuickWorld):
    for seed in range(60):
        world = QuickWorld()
        world.apply(named("helper", asking_agent("expert")))
        world.apply(named("expert"))
        run = world.ask(laps([ASK_EXPERT]))

        race(
            world.helm,
            seed,
            lambda world=world, run=run: go_on(world, run),
            lambda world=world, run=run: world.cancel(run, by="key:k9"),
        )
        settle(world)

        told = {(each.status, each.cancelled_by) for each in all_runs(world)}
        assert told == {("CANCELLED", "key:k9")}, seed


def test_an_agent_whose_caller_waits_no_longer_is_cancelled(world: QuickWorld):
    asking = named("helper", asking_agent("expert"))
    world.apply(replace(asking, approvals=Approvals(expire_after_seconds=600)))
    run, child = delegated(world)
    world.pass_time(601)

    assert world.sweep().expired == 1

    assert world.run(child).cancel_requested_at is not None
    assert world.run(child).cancelled_by is None
    run = complete(world, run)
    assert [each.content for each in results(world, run)] == ["The other agent has not answered in time."]
    assert run.status == "COMPLETED"


def test_an_answer_that_comes_after_the_callers_end_changes_nothing(world: QuickWorld):
    run, child = delegated(world)
    world.cancel(run)
    ended = world.run(run)

    world.finish(child, Ending("COMPLETED"))

    assert world.run(run) == ended
    assert not world.run(child).undelivered


def test_an_agent_that_is_cancelled_by_itself_is_a_failed_call(world: QuickWorld):
    run, child = delegated(world)
    world.cancel(child)

    run = complete(world, run)

    (result,) = results(world, run)
    assert (run.status, result.outcome) == ("COMPLETED", "error")
    assert "its run ended as CANCELLED (cancelRequested)" in result.content


def test_an_answer_whose_delivery_died_is_delivered_by_the_sweeper(world: QuickWorld):
    run, child = delegated(world)
    with world.helm.held(Requests(1, died_after, ("publish",))), pytest.raises(Died):
        world.finish(child, Ending("COMPLETED"))
    assert world.run(run).status == "AWAITING"

    world.pass_time(31)
    assert world.sweep().delivered == 1

    assert world.run(run).status == "RUNNING"
    sound(world, complete(world, run))


def test_an_answer_that_meets_a_crowd_is_not_forgotten(world: QuickWorld):
    """Somebody else writes to the run at each attempt to answer it."""
    run, child = delegated(world)

    def crowded(operation: str, request: Any) -> Any:
        if operation == "transact_write_items" and world.run(child).ended:
            there = world.run(run)
            world.waits.put(replace(there, rev=there.rev + 1), before=there)
        return request()

    with world.helm.held(crowded):
        assert isinstance(outcome(lambda: world.finish(child, Ending("COMPLETED"))), Conflict)

    assert world.run(child).undelivered
    sound(world, complete(world, run))


# -- asked once


def test_an_agent_is_asked_once_though_something_else_was_said_before_it_was_told(world: QuickWorld):
    """The step dies once the agent is asked. When that is repeated, it would be asked something else."""
    run = world.ask(laps([ASK_EXPERT, ("look_up", {"id": "7"})]))
    with world.helm.held(Requests(1, died_after, ("publish",))), pytest.raises(Died):
        go_on(world, run)
    first = Requests(1, died_after, ("transact_write_items",))
    world.pass_time(31)
    with world.helm.held(first), pytest.raises(Died):
        world.sweep()
    assert len(of_agent(world, "expert")) == 1

    world.decide(run, "result", 1, by="k1", content="found", session_attributes={"order": "7"})
    run = complete(world, run)

    sound(world, run)
    assert [each.content for each in results(world, run) if each.tool == "expert"] == ["So: what is 7?"]


def test_an_agent_that_needs_approval_is_asked_only_then(world: QuickWorld):
    world.apply(named("helper", asking_agent("expert", "approval")))
    run = parked(world, laps([ASK_EXPERT]))
    assert of_agent(world, "expert") == []

    world.decide(run, "deny")

    sound(world, complete(world, run))
    assert of_agent(world, "expert") == []


@pytest.mark.parametrize("number", range(1, 12))
def test_a_message_that_comes_twice_at_once_names_the_users_run_although_an_agent_further_down_has_it(
    number: int, world: QuickWorld
):
    world.apply(named("expert", asking()))
    run, child = delegated(world, message_to("expert", laps([ASK_USER])))
    go_on(world, child)
    once: list[Run] = []

    def meanwhile(request: Callable[[], Any]) -> Any:
        once.append(world.write("7", idempotency_key="m1"))
        return request()

    with world.helm.held(Requests(number, meanwhile, ("get_item", "query"))):
        again = world.write("7", idempotency_key="m1")

    assert {each.key for each in (*once, again)} == {run.key}


# -- erasing


def test_erasing_a_session_takes_what_its_agents_were_asked(world: QuickWorld):
    asked = chain(world, "helper", "expert", "oracle")
    complete(world, world.ask(asked))
    assert len({each.conversation for each in all_runs(world)}) == 3

    erased = erase_session(TENANT, "s1", world.erasing())

    assert erased.runs == 3
    assert {item["kind"]["S"] for item in world.everything()} <= {"lease", "idempotency"}


def test_erasing_a_session_that_waits_for_an_agent_cancels_both_and_is_done_once_that_has_ended(
    world: QuickWorld,
):
    run, child = delegated(world)

    with pytest.raises(SessionBusy) as busy:
        erase_session(TENANT, "s1", world.erasing())

    assert (busy.value.run_id, world.run(run).status) == (child.key.run_id, "CANCELLED")
    settle(world)
    assert erase_session(TENANT, "s1", world.erasing()).runs == 2
    assert all_runs(world) == []


def test_records_of_the_agents_that_were_asked_form_a_tree(world: QuickWorld):
    run, child = delegated(world)

    assert run.children == (child.key.run_id,)
    assert child.parent
    assert RunKey.parse(TENANT, child.parent.run_id) == run.key
    assert json.dumps(child.parent.agents) == '["helper"]'
