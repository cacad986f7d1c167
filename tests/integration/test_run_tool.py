from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from typing import Any

import pytest

from freehold.adapters.scripted import ScriptedModel, reply
from freehold.errors import CallInProgress, OutcomeUnknown, ToolFailed, ToolThrottled, ToolUnavailable
from freehold.values.run import Run
from world import World, agent, answer, tool

ONCE = tool("pay", idempotent=False)


@pytest.fixture
def paying(world: World) -> Run:
    """A run whose first lap asks for one call that may not be repeated."""
    world.apply(agent(ONCE))
    world.model = ScriptedModel([reply(calls=[("pay", {"id": "7"})]), reply("done"), reply("done")])
    world.tools.answers["pay"] = answer("paid")
    run = world.ask()
    world.invoke_model(run)
    return run


@pytest.fixture
def looking(world: World) -> Run:
    """A run whose first lap asks for one call that may be repeated."""
    world.model = ScriptedModel([reply(calls=[("look_up", {"id": "7"})]), reply("done")])
    run = world.ask()
    world.invoke_model(run)
    return run


def test_a_second_invocation_changes_nothing(world: World, paying: Run):
    world.run_tool(paying)
    before = world.everything()

    world.run_tool(paying)

    assert world.everything() == before
    assert len(world.tools.events) == 1
    assert world.history(paying).results[1, 0].content == "paid"


def test_the_event_is_the_one_of_bedrock_agents(world: World, paying: Run):
    world.run_tool(paying)

    assert world.tools.events == [
        {
            "messageVersion": "1.0",
            "agent": {"name": "helper", "id": "helper", "alias": "DRAFT", "version": "DRAFT"},
            "inputText": "hello",
            "sessionId": "s1",
            "actionGroup": "group",
            "function": "pay",
            "parameters": [{"name": "id", "type": "string", "value": "7"}],
            "sessionAttributes": {},
            "promptSessionAttributes": {},
            "freehold": {
                "idempotencyKey": f"{paying.key.run_id}-1-0",
                "runId": paying.key.run_id,
                "tenant": "acme",
                "principal": "key:k1",
                "deadline": world.clock + 60_000,
            },
        }
    ]


def test_of_two_at_the_same_time_one_makes_the_call_and_the_other_waits(world: World, paying: Run):
    entered, go = Event(), Event()

    def slow(_: Any) -> Any:
        entered.set()
        assert go.wait(10)
        return answer("paid")

    world.tools.answers["pay"] = slow
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(world.run_tool, paying)
        assert entered.wait(10)
        with pytest.raises(CallInProgress):
            world.run_tool(paying)
        go.set()
        first.result(10)

    assert len(world.tools.events) == 1
    assert world.history(paying).results[1, 0].content == "paid"


def test_two_calls_that_may_be_repeated_leave_one_result(world: World, looking: Run):
    barrier = Barrier(2)

    def both(_: Any) -> Any:
        return answer(f"answer {barrier.wait(10)}")

    world.tools.answers["look_up"] = both
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: world.run_tool(looking), range(2)))

    assert len(world.tools.events) == 2
    assert len(world.history(looking).results) == 1


def test_a_marked_call_whose_worker_died_is_never_made_again(world: World, paying: Run):
    world.tools.answers["pay"] = KeyboardInterrupt
    world.tools.answers["pay"] = lambda _: (_ for _ in ()).throw(SystemExit("killed"))
    with pytest.raises(SystemExit):
        world.run_tool(paying)

    with pytest.raises(CallInProgress):
        world.run_tool(paying)
    world.pass_time(330 + 60 - 1)
    with pytest.raises(CallInProgress):
        world.run_tool(paying)
    world.pass_time(1)
    world.run_tool(paying)

    assert len(world.tools.events) == 1
    result = world.history(paying).results[1, 0]
    assert result.outcome == "unknown"
    assert "not repeated" in result.content


def test_the_model_is_told_of_an_unknown_outcome_and_the_run_goes_on(world: World, paying: Run):
    world.tools.answers["pay"] = OutcomeUnknown("the line went dead")
    world.run_tool(paying)

    step = world.invoke_model(paying)

    assert step.status == "COMPLETED"
    outcome = world.model.requests[1].messages[-1].outcomes[0]
    assert "unknown" in outcome.content
    assert not outcome.ok


def test_a_true_result_that_comes_after_unknown_is_kept_beside_it(world: World, paying: Run):
    def late(_: Any) -> Any:
        world.pass_time(500)
        world.run_tool(paying)  # Another invocation gives the mark up meanwhile.
        return answer("paid after all")

    world.tools.answers["pay"] = late
    world.run_tool(paying)

    history = world.history(paying)
    assert history.results[1, 0].outcome == "unknown"
    assert history.late[1, 0].content == "paid after all"


def test_an_answer_whose_write_lost_its_response_is_no_late_result(world: World, paying: Run):
    lost: list[Any] = []

    def lose(parsed: Any, **_: Any) -> None:
        lost.append(parsed)
        if len(lost) == 2:  # The first write is the mark, the second the result.
            raise ConnectionResetError("the response was lost")

    world.client.meta.events.register("after-call.dynamodb.PutItem", lose)
    with pytest.raises(ConnectionResetError):
        world.run_tool(paying)
    world.run_tool(paying)

    history = world.history(paying)
    assert history.results[1, 0].content == "paid"
    assert not history.late
    assert len(world.tools.events) == 1


@pytest.mark.parametrize("error", [ToolThrottled("slow down"), ToolUnavailable("no connection")])
def test_a_call_that_surely_did_not_run_is_unmarked_and_tried_again(
    world: World, paying: Run, error: Exception
):
    world.tools.answers["pay"] = error
    with pytest.raises(type(error)):
        world.run_tool(paying)
    assert not world.history(paying).markers

    world.tools.answers["pay"] = answer("paid")
    world.run_tool(paying, attempt=1)

    assert world.history(paying).results[1, 0].content == "paid"


def test_after_its_last_attempt_a_call_becomes_a_failed_result(world: World, paying: Run):
    world.tools.answers["pay"] = ToolThrottled("slow down")

    world.run_tool(paying, attempt=2)

    result = world.history(paying).results[1, 0]
    assert result.outcome == "error"
    assert "3 times" in result.content


def test_a_lost_answer_of_a_call_that_may_be_repeated_is_tried_again(world: World, looking: Run):
    world.tools.answers["look_up"] = OutcomeUnknown("the line went dead")

    with pytest.raises(ToolUnavailable):
        world.run_tool(looking)

    assert not world.history(looking).results


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (ToolFailed("the tool's Lambda raised ValueError: no"), "raised ValueError"),
        (answer("bad luck", function_response={"responseState": "FAILURE"}), "bad luck"),
        ({"nothing": "of the kind"}, "no Bedrock Agents answer"),
        (None, "no Bedrock Agents answer"),
        ([1], "no Bedrock Agents answer"),
    ],
)
def test_a_failed_tool_is_told_to_the_model_and_the_run_goes_on(
    world: World, looking: Run, given: Any, told: str
):
    world.tools.answers["look_up"] = (lambda _: given) if given is None else given
    world.run_tool(looking)

    step = world.invoke_model(looking)

    assert step.status == "COMPLETED"
    outcome = world.model.requests[1].messages[-1].outcomes[0]
    assert told in outcome.content
    assert not outcome.ok


def test_a_cancelled_run_makes_no_further_call(world: World, paying: Run):
    world.cancel(paying)

    world.run_tool(paying)

    assert not world.tools.events
    assert world.invoke_model(paying).status == "CANCELLED"


def test_an_older_execution_makes_no_call(world: World, paying: Run):
    world.sessions.start(world.run(paying), now=world.clock)
    before = world.everything()

    world.run_tool(paying, execution=1)

    assert not world.tools.events
    assert world.everything() == before


def test_a_call_given_up_while_marked_waits_for_its_mark(world: World, paying: Run):
    world.tools.answers["pay"] = lambda _: (_ for _ in ()).throw(SystemExit("killed"))
    with pytest.raises(SystemExit):
        world.run_tool(paying)

    step = world.invoke_model(paying, failed=(0,))

    assert (step.step, step.calls) == ("tools", (0,))
    assert not world.history(paying).results


def test_a_finished_run_keeps_a_slow_tool_from_marking(world: World, paying: Run):
    world.on_write(lambda: world.finish(paying, None))

    world.run_tool(paying)

    assert not world.tools.events
    assert world.history(paying).results[1, 0].outcome == "cancelled"
