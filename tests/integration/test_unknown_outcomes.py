"""Calls of which nobody knows what came: reported to the model as unknown, or asked about first."""

from __future__ import annotations

from typing import Any

import pytest

from driven import PAY, QuickWorld, complete, decisions, go_on, laps, named, pay, results, sound
from freehold.errors import Conflict, NotFound, OutcomeUnknown
from freehold.value import replace
from freehold.values.agent import Approvals, Tool
from freehold.values.decision import EXPIRED
from freehold.values.run import UNKNOWN, Run
from world import answer

LOST = OutcomeUnknown("the answer was lost")


@pytest.fixture
def world() -> QuickWorld:
    return QuickWorld()


def asked_about(world: QuickWorld, *more: Any, tool: Tool | None = None, **changes: Any) -> Run:
    """A run one of whose calls has an unknown outcome, which somebody is asked about."""
    world.apply(named("helper", tool or pay(), on_unknown_outcome="ask", **changes))
    world.tools.answers["pay"] = LOST
    return go_on(world, world.ask(laps([PAY], *more)))


def test_a_call_of_unknown_outcome_is_reported_where_nobody_is_to_be_asked(world: QuickWorld):
    world.apply(named("helper", pay()))
    world.tools.answers["pay"] = LOST

    run = go_on(world, world.ask(laps([PAY])))

    (result,) = results(world, run)
    assert (run.status, result.outcome) == ("COMPLETED", "unknown")
    assert UNKNOWN in world.model.told_of("pay")[0]


def test_a_call_of_unknown_outcome_waits_for_somebody_who_knows(world: QuickWorld):
    run = asked_about(world)
    assert [(each.kind, each.call) for each in run.pending] == [("outcome", 0)]

    world.decide(run, "result", content="it was paid")
    run = complete(world, run)

    sound_but_for_effects(world, run)
    (result,) = results(world, run)
    assert (result.outcome, result.content, result.decided_by) == ("success", "it was paid", "key:boss")
    assert len(world.tools.events) == 1


def sound_but_for_effects(world: QuickWorld, run: Run) -> None:
    """The tool was called, though its own answer is not the result."""
    called = len(world.tools.events)
    world.tools.events.clear()
    if [each for each in results(world, run) if each.outcome == "success"]:
        world.tools.events.append({"freehold": {"idempotencyKey": "said by somebody"}})
    sound(world, run)
    assert called == 1


def test_where_nobody_knows_either_the_outcome_stays_unknown_and_is_not_asked_again(world: QuickWorld):
    run = asked_about(world)

    world.decide(run, "deny", comment="no trace of it")
    run = go_on(world, run)

    (result,) = results(world, run)
    assert (run.status, result.outcome, result.decided_by) == ("COMPLETED", "unknown", "key:boss")
    assert UNKNOWN in result.content
    assert "no trace of it" in result.content
    assert len(decisions(world, run)) == len(world.tools.events) == 1


def test_where_nobody_says_anything_the_outcome_stays_unknown(world: QuickWorld):
    run = asked_about(world, approvals=Approvals(expire_after_seconds=600))
    world.pass_time(601)
    assert world.sweep().expired == 1

    run = complete(world, run)

    assert [(each.outcome, each.decided_by) for each in results(world, run)] == [("unknown", EXPIRED)]


def test_an_outcome_is_said_once(world: QuickWorld):
    run = asked_about(world)
    digest = run.pending[0].digest
    world.decide(run, "result", content="it was paid", digest=digest)

    assert world.decide(run, "result", content="it was paid", digest=digest).execution == 2
    with pytest.raises(Conflict, match="decided already"):
        world.decide(run, "result", content="it was not", digest=digest)


def test_an_outcome_cannot_be_approved(world: QuickWorld):
    run = asked_about(world)

    with pytest.raises(Conflict, match="waits for outcome; allowed is result or deny"):
        world.decide(run, "approve")


def test_of_a_call_that_was_approved_the_outcome_is_asked_too(world: QuickWorld):
    run = asked_about(world, tool=pay("approval"))
    assert [each.kind for each in run.pending] == ["approval"]
    world.decide(run, "approve")
    run = go_on(world, run)
    assert [each.kind for each in run.pending] == ["outcome"]

    world.decide(run, "result", content="it was paid")
    run = complete(world, run)

    assert [each.wait for each in decisions(world, run)] == ["approval", "outcome"]
    assert [each.content for each in results(world, run)] == ["it was paid"]
    assert len(world.tools.events) == 1


def test_a_true_answer_that_comes_late_is_kept_beside_what_was_said(world: QuickWorld):
    world.apply(named("helper", pay(), on_unknown_outcome="ask"))
    run = world.ask(laps([PAY]))
    world.invoke_model(run)

    def slow(_: Any) -> Any:
        world.pass_time(600)
        world.run_tool(run)
        there = go_on(world, run)
        assert [each.kind for each in there.pending] == ["outcome"]
        world.decide(run, "result", content="it was paid")
        return answer("paid after all")

    world.tools.answers["pay"] = slow
    world.run_tool(run)

    history = world.history(run)
    assert (history.results[1, 0].content, history.late[1, 0].content) == ("it was paid", "paid after all")
    assert complete(world, run).status == "COMPLETED"


def test_nobody_is_asked_about_an_outcome_that_is_known(world: QuickWorld):
    run = asked_about(world, [PAY])
    world.decide(run, "result", content="it was paid")
    world.tools.answers["pay"] = answer("paid")

    run = go_on(world, run)

    assert run.status == "COMPLETED"
    with pytest.raises((Conflict, NotFound)):
        world.decide(run, "deny", lap=2, digest="")


def test_a_replay_asks_nobody(world: QuickWorld):
    run = asked_about(world)
    world.decide(run, "deny")
    run = complete(world, run)
    world.sessions._put_run(replace(run, status="RUNNING", replays=run.key.run_id, rev=run.rev + 1), run)

    assert world.invoke_model(run).step == "finish"
