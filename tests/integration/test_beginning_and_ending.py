from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor

import pytest

from freehold.adapters.scripted import ScriptedModel, reply
from freehold.beginning import continue_run, start_run
from freehold.ending import Ending
from freehold.errors import Conflict, NotFound, SessionBusy, StaleWrite, StoreUnavailable
from freehold.values.model import AssistantMessage, ToolMessage, UserMessage
from freehold.values.run import RunError
from world import START, World, agent, tool

CALL = ("look_up", {"id": "7"})


def test_a_message_begins_session_conversation_and_run(world: World):
    run = world.ask("hello")

    session = world.sessions.session("acme", "s1")
    assert session is not None
    assert (session.conversation, session.active_turn, session.next_turn) == (run.conversation, 1, 2)
    assert (run.status, run.execution, run.turn) == ("RUNNING", 1, 1)
    assert world.executions.started == [f"{run.key.run_id}-1"]


def test_a_busy_session_refuses_with_the_run_it_is_busy_with(world: World):
    run = world.ask()
    before = world.everything()

    with pytest.raises(SessionBusy) as refused:
        world.ask("me too")

    assert refused.value.run_id == run.key.run_id
    assert world.everything() == before


def test_messages_that_queue_run_in_order_each_after_the_one_before(world: World):
    first = world.ask("one")
    second, third = (world.ask(text, when_busy="enqueue") for text in ("two", "three"))
    assert (second.status, third.status) == ("QUEUED", "QUEUED")

    world.finish(first)
    assert (world.run(second).status, world.run(third).status) == ("RUNNING", "QUEUED")
    world.finish(second)
    world.finish(third)

    names = [f"{run.key.run_id}-1" for run in (first, second, third)]
    assert world.executions.started == names
    session = world.sessions.session("acme", "s1")
    assert session is not None
    assert session.active_turn is None


def test_a_queued_turn_counts_its_deadline_from_when_it_runs(world: World):
    first = world.ask("one")
    second = world.ask("two", when_busy="enqueue")
    world.pass_time(800)

    world.finish(first)

    assert world.run(second).deadline_at == START + 800_000 + 900_000


def test_many_messages_at_once_are_all_queued_once(world: World):
    with ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda i: world.ask(f"m{i}", when_busy="enqueue"), range(24)))

    assert sorted(run.turn for run in runs) == list(range(1, 25))
    assert sum(run.status == "RUNNING" for run in runs) == 1


def test_a_repeated_request_with_the_same_key_is_the_same_run(world: World):
    first = world.ask("pay", idempotency_key="k")
    again = world.ask("pay", idempotency_key="k")

    assert again.key == first.key
    assert set(world.executions.started) == {f"{first.key.run_id}-1"}
    with pytest.raises(Conflict):
        world.ask("pay twice", idempotency_key="k")


def test_a_key_whose_day_is_over_begins_another_run_though_its_record_is_still_there(world: World):
    first = world.ask("pay", idempotency_key="k")

    world.pass_time(86_400)
    assert world.ask("pay", idempotency_key="k").key == first.key
    world.pass_time(1)
    another = world.ask("pay twice", session="s2", idempotency_key="k")

    assert another.key != first.key
    assert world.ask("pay twice", session="s2", idempotency_key="k").key == another.key


def test_a_begin_whose_response_was_lost_leaves_one_run_for_its_key(world: World):
    lost: list[int] = []

    def lose(**_: object) -> None:
        lost.append(1)
        if len(lost) == 1:
            raise ConnectionResetError("the response was lost")

    world.client.meta.events.register("after-call.dynamodb.TransactWriteItems", lose)
    with pytest.raises(ConnectionResetError):
        world.ask("pay", idempotency_key="k")
    run = world.ask("pay", idempotency_key="k")

    assert run.turn == 1
    assert world.executions.started == [f"{run.key.run_id}-1"]


def test_an_expired_session_id_begins_a_conversation_that_knows_nothing(world: World):
    world.model = ScriptedModel([reply("hi"), reply("who are you?")])
    first = world.ask("my name is Ana")
    world.invoke_model(first)
    world.finish(first)

    world.pass_time(86_400 + 1)
    second = world.ask("what is my name?")
    world.invoke_model(second)

    assert second.conversation != first.conversation
    assert world.model.requests[1].messages == (UserMessage("what is my name?"),)


def test_a_session_goes_on_with_what_was_said(world: World):
    world.model = ScriptedModel([reply("hi Ana"), reply("Ana")])
    first = world.ask("my name is Ana", session_attributes={"tier": "gold"})
    world.invoke_model(first)
    world.finish(first)

    second = world.ask("what is my name?")
    world.invoke_model(second)

    told = world.model.requests[1].messages
    assert told == (
        UserMessage("my name is Ana"),
        AssistantMessage("hi Ana"),
        UserMessage("what is my name?"),
    )
    assert second.session_attributes == {"tier": "gold"}


def test_a_session_stays_with_the_version_it_began_with(world: World):
    world.agents.freeze("acme", "helper", now=START)
    world.agents.put_alias("acme", "helper", "live", [("1", 100)], now=START)
    first = world.ask("one", alias="live")
    world.finish(first)
    world.apply(agent(tool("other")))
    world.agents.freeze("acme", "helper", now=START)
    world.agents.put_alias("acme", "helper", "live", [("2", 100)], now=START)

    assert world.ask("two").agent_version == "1"
    assert world.ask("three", session="new", alias="live").agent_version == "2"
    assert world.ask("four", session="draft").agent_version == "DRAFT"


def test_a_session_belongs_to_one_agent(world: World):
    world.finish(world.ask("one"))

    with pytest.raises(Conflict, match="belongs to agent helper"):
        world.ask("two", agent="other")


def test_an_unknown_agent_is_not_found_and_nothing_is_stored(world: World):
    with pytest.raises(NotFound):
        world.ask(agent="nobody")

    assert world.everything() == []


def test_starting_twice_is_one_start(world: World):
    run = world.ask()

    again = start_run(run, world.sessions, world.executions, now=world.clock)

    assert again.execution == 1
    assert world.executions.started == [f"{run.key.run_id}-1"] * 2


def test_continuing_twice_raises_the_execution_once(world: World):
    run = world.ask()
    for _ in range(2):
        continue_run(run.key, 1, world.sessions, world.executions, now=world.clock)

    assert world.run(run).execution == 2
    assert world.executions.started[1:] == [f"{run.key.run_id}-2"] * 2


def test_finishing_twice_changes_nothing_and_tells_the_bus_once(world: World):
    world.model = ScriptedModel([reply("hi")])
    run = world.ask()
    world.invoke_model(run)
    world.finish(run)
    before = world.everything()

    world.finish(run, Ending("FAILED", error=RunError("Late", "too late")))

    assert world.everything() == before
    ((name, detail),) = world.events.published
    assert (name, detail["principal"], detail["trigger"]) == ("Agent Run Completed", "key:k1", "test")
    assert "hello" not in str(world.events.published), "an event carries ids and totals, never content"


def test_two_finishes_at_once_leave_one_ending(world: World):
    run = world.ask()
    endings = [Ending("FAILED", error=RunError("A", "a")), Ending("STOPPED", "maxLaps")]

    with ThreadPoolExecutor(2) as pool:
        ended = list(pool.map(lambda ending: world.finish(run, ending), endings))

    assert ended[0] is not None
    assert ended[1] is not None
    assert ended[0].status == ended[1].status == world.run(run).status


def test_a_finish_whose_response_was_lost_still_delivers(world: World):
    run = world.ask("one")
    queued = world.ask("two", when_busy="enqueue")
    lost: list[int] = []

    def lose(**_: object) -> None:
        lost.append(1)
        if len(lost) == 1:
            raise ConnectionResetError("the response was lost")

    world.client.meta.events.register("after-call.dynamodb.TransactWriteItems", lose)
    with pytest.raises(ConnectionResetError):
        world.finish(run)
    assert world.run(run).undelivered
    world.finish(run)

    assert not world.run(run).undelivered
    assert len(world.events.published) == 1
    assert world.executions.started[-1] == f"{queued.key.run_id}-1"


def test_a_bus_that_is_down_leaves_the_ending_to_be_delivered_later(world: World):
    run = world.ask()
    world.events.error = StoreUnavailable("no bus")
    with pytest.raises(StoreUnavailable):
        world.finish(run)
    assert world.run(run).status == "COMPLETED"

    world.events.error = None
    world.pass_time(60)
    swept = world.sweep()

    assert swept.delivered == 1
    assert len(world.events.published) == 1
    assert not world.run(run).undelivered


@pytest.mark.parametrize("steps", range(6))
def test_whatever_ended_the_run_the_next_turn_has_a_history_that_is_whole(world: World, steps: int):
    world.apply(agent(tool(), tool("pay", idempotent=False)))
    script = [
        reply("let me see", calls=[CALL, ("pay", {"id": "1"}), ("nope", {})]),
        reply(calls=[CALL]),
        reply("done"),
    ]
    world.model = ScriptedModel([*script[: 1 if steps < 4 else 2], reply("next")])
    run = world.ask("one")
    acts = [
        lambda: world.invoke_model(run),
        lambda: world.run_tool(run, call=0),
        lambda: world.run_tool(run, call=1),
        lambda: world.invoke_model(run),
        lambda: world.run_tool(run, lap=2),
    ]
    for act in acts[:steps]:
        act()
    if steps == 0:
        world.model = ScriptedModel([reply("next")])
    world.finish(run, Ending("STOPPED", "maxLaps"))

    second = world.ask("two")
    assert world.invoke_model(second).status == "COMPLETED"

    messages = world.model.requests[-1].messages
    roles = [type(message) for message in messages]
    assert messages[-1] == UserMessage("two")
    for before, after in itertools.pairwise(messages):
        assert not (isinstance(before, UserMessage) and isinstance(after, UserMessage)), roles
        if isinstance(before, AssistantMessage) and before.calls:
            assert isinstance(after, ToolMessage)
            assert [use.id for use in before.calls] == [outcome.id for outcome in after.outcomes]


def test_laps_that_came_after_the_end_are_ignored(world: World):
    world.model = ScriptedModel([reply("too late"), reply("next")])
    run = world.ask("one")
    # The model answers while the run is being ended.
    world.on_write(lambda: world.finish(run, Ending("STOPPED", "maxLaps"), execution=1))
    world.invoke_model(run)
    assert world.run(run).last_lap == 0

    second = world.ask("two")
    world.invoke_model(second)

    assert "too late" not in str(world.model.requests[-1].messages)


def test_cancelling_a_queued_run_leaves_the_active_one_alone(world: World):
    first = world.ask("one")
    second = world.ask("two", when_busy="enqueue")
    third = world.ask("three", when_busy="enqueue")

    assert world.cancel(second).status == "CANCELLED"
    assert world.run(first).status == "RUNNING"
    world.finish(first)

    assert world.run(third).status == "RUNNING"
    assert world.executions.started[-1] == f"{third.key.run_id}-1"


def test_cancelling_takes_effect_before_the_next_model_call(world: World):
    world.model = ScriptedModel([])
    run = world.ask()

    world.cancel(run)
    world.cancel(run)
    step = world.invoke_model(run)

    assert (step.status, world.model.calls) == ("CANCELLED", 0)


def test_cancelling_what_has_ended_changes_nothing(world: World):
    run = world.ask()
    world.finish(run)
    before = world.everything()

    assert world.cancel(run).status == "COMPLETED"
    assert world.everything() == before


def test_a_session_that_vanished_does_not_keep_its_run_from_ending(world: World):
    first = world.ask("one")
    second = world.ask("two", when_busy="enqueue")
    world.client.delete_item(
        TableName="sessions", Key={"pk": {"S": "SESSION#acme#s1"}, "sk": {"S": "SESSION"}}
    )

    world.finish(first)

    assert world.run(first).status == "COMPLETED"
    assert world.run(second).status == "RUNNING"


def test_a_stale_start_is_refused(world: World):
    run = world.ask()
    world.sessions.start(run, now=world.clock)

    with pytest.raises(StaleWrite):
        world.sessions.start(run, now=world.clock)
