from __future__ import annotations

from freehold.adapters.scripted import ScriptedModel, reply
from freehold.sweeping import Swept
from freehold.value import replace
from world import World, agent, tool

PATIENCE = 420


def test_a_run_at_work_is_left_alone(world: World):
    run = world.ask()
    before = world.everything()

    world.pass_time(PATIENCE - 1)

    assert world.sweep(PATIENCE) == Swept(seen=1)
    assert world.everything() == before
    assert world.executions.started == [f"{run.key.run_id}-1"]


def test_a_silent_run_gets_a_new_execution_and_the_old_one_does_nothing_more(world: World):
    world.model = ScriptedModel([reply("hi")])
    run = world.ask()
    world.pass_time(PATIENCE)

    assert world.sweep(PATIENCE).restarted == 1

    assert world.executions.started[-1] == f"{run.key.run_id}-2"
    assert world.invoke_model(run, execution=1).step == "stop"
    assert world.invoke_model(run, execution=2).status == "COMPLETED"


def test_a_run_that_was_begun_but_never_started_is_started(world: World):
    run = world.ask()
    begun = replace(run, execution=0, started_at=None, rev=run.rev + 1)
    world.sessions._put_run(begun, run)
    world.pass_time(PATIENCE)

    assert world.sweep(PATIENCE).restarted == 1
    assert world.run(run).execution == 1


def test_after_three_starts_without_a_new_item_the_run_is_lost(world: World):
    run = world.ask()
    for _ in range(3):
        world.pass_time(PATIENCE)
        assert world.sweep(PATIENCE).restarted == 1

    world.pass_time(PATIENCE)
    swept = world.sweep(PATIENCE)

    lost = world.run(run)
    assert swept.lost == 1
    assert lost.status == "FAILED"
    assert lost.error is not None
    assert lost.error.type == "ExecutionLost"
    assert world.events.published[-1][0] == "Agent Run Failed"


def test_a_new_item_gives_a_run_its_three_starts_again(world: World):
    world.apply(agent(tool(), timeout_seconds=86_400))
    world.model = ScriptedModel([reply(calls=[("look_up", {"id": "1"})])])
    run = world.ask()
    for _ in range(3):
        world.pass_time(PATIENCE)
        world.sweep(PATIENCE)
    world.invoke_model(run, execution=4)

    world.pass_time(PATIENCE)

    assert world.sweep(PATIENCE).restarted == 1
    assert world.run(run).lost_starts == 1


def test_an_execution_that_an_operator_stopped_cancels_the_run(world: World):
    run = world.ask()
    queued = world.ask("two", when_busy="enqueue")
    world.executions.states[f"{run.key.run_id}-1"] = "aborted"
    world.pass_time(60)

    assert world.sweep(PATIENCE).cancelled == 1
    assert world.run(run).status == "CANCELLED"
    assert world.run(queued).status == "RUNNING"


def test_an_execution_that_is_known_to_be_dead_is_replaced_at_once(world: World):
    run = world.ask()
    world.executions.states[f"{run.key.run_id}-1"] = "dead"
    world.pass_time(60)

    assert world.sweep(PATIENCE).restarted == 1


def test_a_queued_run_that_everybody_forgot_is_run(world: World):
    first = world.ask("one")
    second = world.ask("two", when_busy="enqueue")
    # As if the first run had ended without looking at its queue.
    ended = replace(first, status="FAILED", last_lap=0, rev=first.rev + 1)
    world.sessions._put_run(ended, first)
    session = world.sessions.session("acme", "s1")
    assert session is not None
    idle = replace(session, active_turn=None, rev=session.rev + 1)
    world.sessions.change(idle, before=session)

    swept = world.sweep(PATIENCE)

    assert swept.activated == 1
    assert world.run(second).status == "RUNNING"
    assert world.executions.started[-1] == f"{second.key.run_id}-1"


def test_a_run_that_cannot_be_tended_keeps_no_other_from_its_turn(world: World):
    runs = [world.ask(session=f"s{i}") for i in range(4)]
    poisoned = {"pk": {"S": f"CONV#acme#{runs[0].conversation}"}, "sk": {"S": "RUN#000001"}}
    world.client.update_item(
        TableName="sessions",
        Key=poisoned,
        UpdateExpression="SET execution = :x",
        ExpressionAttributeValues={":x": {"S": "?"}},
    )
    world.pass_time(PATIENCE)

    swept = world.sweep(PATIENCE)

    assert (swept.restarted, swept.failed) == (3, 1)
    assert [key for key, _ in world.reported] == [runs[0].key]


def test_an_ended_run_leaves_the_sweepers_index(world: World):
    world.finish(world.ask())

    assert world.sweep(PATIENCE) == Swept()
