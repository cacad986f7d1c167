"""Runs that wait: parked, decided about, and gone on with."""

from __future__ import annotations

from typing import Any

import pytest

from freehold.adapters import keys
from freehold.adapters.scripted import ScriptedModel, reply
from freehold.beginning import Request, begin_run
from freehold.closing import end_session
from freehold.ending import Ending
from freehold.erasing import erase_session
from freehold.errors import Conflict, Denied, NotFound, SessionBusy
from freehold.parking import announce
from freehold.value import replace
from freehold.values.agent import Collaborator, Tool
from freehold.values.decision import EXPIRED, ParentCall
from freehold.values.model import ToolMessage
from freehold.values.run import Principal, Run
from world import World, agent, answer, tool

PAY = ("pay", {"id": "7"})
ASK = ("ask_user", {"question": "Which order?"})
LOOK_UP = ("look_up", {"id": "7"})


@pytest.fixture
def world(world_in_memory: World) -> World:
    return world_in_memory


def guarded(*guards: Any) -> Tool:
    arn = "arn:aws:lambda:us-east-1:123456789012:function:pay"
    return tool("pay", lambda_arn="", guarded_lambda=arn, idempotent=False, guards=guards)


def asking() -> Tool:
    schema = {"type": "object", "properties": {"question": {"type": "string"}}, "required": ["question"]}
    return tool("ask_user", lambda_arn="", built_in="ask_user", input_schema=schema)


def parked(world: World, *calls: Any, tools: tuple[Tool, ...], then: str = "done", **asked: Any) -> Run:
    """A run whose first reply makes these calls, as far as it gets by itself."""
    world.apply(replace(agent(*tools), idle_session_ttl_seconds=600))
    world.model = ScriptedModel([reply("I have to.", calls=calls), reply(then)])
    run = world.ask(**asked)
    step = world.invoke_model(run)
    if step.step == "tools":
        for call in step.calls:
            world.run_tool(run, call=call)
        step = world.invoke_model(run)
    assert step.step == "wait"
    assert world.park(run) == "parked"
    return world.run(run)


def told(world: World) -> list[str]:
    """What the model was told of the calls of the lap before."""
    last = world.model.requests[-1].messages[-1]
    assert isinstance(last, ToolMessage)
    return [outcome.content for outcome in last.outcomes]


def go_on(world: World, run: Run) -> Run:
    """What the execution does that a decision has started."""
    run = world.run(run)
    step = world.invoke_model(run)
    if step.step == "tools":
        for call in step.calls:
            world.run_tool(run, call=call)
        step = world.invoke_model(run)
    assert step.step == "finish"
    ended = world.finish(run)
    assert ended is not None
    return ended


def test_an_approved_call_is_made_once_it_is_approved(world: World):
    world.tools.answers["pay"] = answer("paid")
    run = parked(world, PAY, tools=(guarded("approval"),))

    assert (run.status, [each.kind for each in run.pending], world.tools.events) == (
        "AWAITING",
        ["approval"],
        [],
    )
    world.decide(run, "approve", comment="fine by me")

    assert world.executions.started == [f"{run.key.run_id}-1", f"{run.key.run_id}-2"]
    assert go_on(world, run).status == "COMPLETED"
    assert len(world.tools.events) == 1
    assert told(world) == ["paid\n[Comment on the approval: fine by me]"]


def test_a_denied_call_is_never_made_and_the_model_reads_why(world: World):
    run = parked(world, PAY, tools=(guarded("confirmation"),))

    world.decide(run, "deny", by="k1", comment="too much")

    assert go_on(world, run).status == "COMPLETED"
    assert world.tools.events == []
    assert told(world) == ["The user did not confirm this call, so it was not made. Comment: too much"]


@pytest.mark.parametrize(
    ("guard", "by", "scopes"),
    [
        ("confirmation", "boss", ("approve", "admin")),
        ("approval", "k1", ("approve", "admin")),
        ("approval", "other", ("run", "read")),
    ],
)
def test_the_wrong_person_is_refused_and_that_is_recorded(world: World, guard: Any, by: str, scopes: Any):
    run = parked(world, PAY, tools=(guarded(guard),))

    with pytest.raises(Denied):
        world.decide(run, "approve", by=by, scopes=scopes)

    assert world.run(run) == run
    refused = [item for item in world.everything() if item.get("kind") == {"S": "refusal"}]
    assert [item["by"]["S"] for item in refused] == [f"key:{by}"]


def test_a_decision_about_other_arguments_is_refused(world: World):
    run = parked(world, PAY, tools=(guarded("approval"),))

    with pytest.raises(Conflict, match="argumentsDigest"):
        world.decide(run, "approve", digest="0" * 64)

    assert world.run(run) == run


def test_the_same_decision_again_changes_nothing_and_another_one_is_refused(world: World):
    run = parked(world, PAY, tools=(guarded("approval"),))
    digest = run.pending[0].digest
    world.decide(run, "approve")

    again = world.decide(run, "approve", digest=digest)
    with pytest.raises(Conflict, match="decided already: approve by key:boss"):
        world.decide(run, "deny", digest=digest)

    assert (again.status, again.execution) == ("RUNNING", 2)


def test_calls_that_wait_for_nobody_are_made_meanwhile_and_others_one_by_one(world: World):
    run = parked(world, PAY, LOOK_UP, ("pay", {"id": "8"}), tools=(guarded("approval"), tool()))
    assert [event["function"] for event in world.tools.events] == ["look_up"]

    assert world.decide(run, "deny", call=0).status == "AWAITING"
    assert world.decide(run, "approve", call=2).status == "RUNNING"

    go_on(world, run)
    assert [event["parameters"][0]["value"] for event in world.tools.events] == ["7", "8"]


def test_a_call_that_needs_both_is_confirmed_first_and_then_approved(world: World):
    run = parked(world, PAY, tools=(guarded("confirmation", "approval"),))

    confirmed = world.decide(run, "approve", by="k1")
    assert (confirmed.status, [each.kind for each in confirmed.pending]) == ("AWAITING", ["approval"])
    world.decide(run, "approve")

    go_on(world, run)
    assert len(world.tools.events) == 1


def test_the_same_person_may_be_asked_twice(world: World):
    run = parked(world, PAY, tools=(guarded("confirmation", "approval"),))
    first = run.pending[0].digest

    confirmed = world.decide(run, "approve", by="k1")
    again = world.decide(run, "approve", by="k1", digest=first)

    assert first != confirmed.pending[0].digest
    assert again == confirmed


def test_a_wait_that_expires_is_denied_by_the_sweeper(world: World):
    run = parked(world, PAY, tools=(guarded("approval"),))
    world.pass_time(259_199)
    assert world.sweep().expired == 0
    world.pass_time(2)

    swept = world.sweep()

    assert (swept.awaiting, swept.expired) == (1, 1)
    go_on(world, run)
    assert told(world) == ["Nobody approved this call in time, so it was not made."]
    assert world.tools.events == []
    assert world.sessions.decisions(run.key, 1)[0].by == EXPIRED


def test_a_decision_that_comes_too_late_is_refused(world: World):
    run = parked(world, PAY, tools=(guarded("approval"),))
    world.pass_time(259_200)

    with pytest.raises(Conflict, match="time is over"):
        world.decide(run, "approve")


def test_time_that_a_run_waits_does_not_count(world: World):
    run = parked(world, PAY, tools=(guarded("approval"),))
    world.pass_time(100_000)

    world.decide(run, "approve")

    assert go_on(world, run).status == "COMPLETED"


def test_a_decision_before_the_run_is_parked_is_taken(world: World):
    world.apply(agent(guarded("approval")))
    world.model = ScriptedModel([reply(calls=[PAY]), reply("done")])
    run = world.ask()
    world.invoke_model(run)
    from freehold.waiting import digest

    lap = world.sessions.lap(run.key, 1)
    assert lap
    world.decide(run, "approve", digest=digest(run.key, lap, 0, "approval"))

    assert world.park(run) == "again"
    assert world.executions.started == [f"{run.key.run_id}-1"]
    go_on(world, run)
    assert len(world.tools.events) == 1


def test_a_result_comes_from_whoever_asked(world: World):
    run = parked(world, LOOK_UP, tools=(tool(lambda_arn="", returns_control=True),))

    world.decide(run, "result", by="k1", scopes=("run",), content="it is 42")

    go_on(world, run)
    assert told(world) == ["it is 42"]
    with pytest.raises(Conflict):
        world.decide(run, "result", by="k1", scopes=("run",), content="no, 43")


def test_the_next_message_answers_a_question(world: World):
    run = parked(world, ASK, tools=(asking(),))

    same = world.write("order 7")

    assert (same.key, same.status, same.execution) == (run.key, "RUNNING", 2)
    go_on(world, run)
    assert told(world) == ["order 7"]


def test_a_message_that_was_queued_before_the_question_answers_it(world: World):
    world.apply(agent(asking()))
    world.model = ScriptedModel([reply(calls=[ASK]), reply("done")])
    run = world.ask()
    queued = world.write("order 7, by the way", when_busy="enqueue")
    world.invoke_model(run)

    world.park(run)

    assert world.run(queued).stop_reason == "answeredQuestion"
    go_on(world, run)
    assert told(world) == ["order 7, by the way"]


def test_a_message_to_a_session_that_waits_for_approval_is_refused(world: World):
    run = parked(world, PAY, tools=(guarded("approval"),))

    with pytest.raises(SessionBusy, match="awaits a decision") as busy:
        world.write("hello?")

    assert busy.value.run_id == run.key.run_id


def test_a_parked_run_is_cancelled_at_once(world: World):
    run = parked(world, PAY, tools=(guarded("approval"),))

    assert world.cancel(run).status == "CANCELLED"

    assert world.waits.listed() == []
    with pytest.raises(Conflict, match="has ended"):
        world.decide(run, "approve", digest="x")
    assert world.ask("and now?").status == "RUNNING"


def test_a_decision_about_a_call_that_waits_for_none_is_refused(world: World):
    run = parked(world, PAY, tools=(guarded("approval"),))

    with pytest.raises(NotFound):
        world.decide(run, "approve", call=5)


# -- a person


def escalating() -> Tool:
    schema = {"type": "object", "properties": {"reason": {}, "summary": {}}}
    return tool("escalate_to_human", lambda_arn="", built_in="escalate_to_human", input_schema=schema)


def test_a_person_has_the_conversation_until_they_hand_it_back(world: World):
    call = ("escalate_to_human", {"reason": "a dispute", "summary": "refund of 900"})
    run = parked(world, call, tools=(escalating(),))
    session = world.sessions.session("acme", "s1")
    assert session
    assert session.escalation
    assert (session.escalation.reason, session.escalation.summary) == ("a dispute", "refund of 900")

    assert world.write("is anybody there?").key == run.key
    world.write("hello?")
    world.decide(run, "result", content="refunded by hand")

    go_on(world, run)
    assert told(world) == [
        '{"handedBackWith": "refunded by hand", "userWroteMeanwhile": ["is anybody there?", "hello?"]}'
    ]
    session = world.sessions.session("acme", "s1")
    assert session
    assert session.escalation is None
    asked_by = [(name, detail["principal"], detail["trigger"]) for name, detail in world.events.published]
    assert asked_by[:2] == [
        ("Agent Run Awaiting Decision", "key:k1", "test"),
        ("Agent Escalated", "key:k1", "test"),
    ]


# -- another agent


def asking_agent(name: str, **more: Any) -> Tool:
    schema = {"type": "object", "properties": {"message": {"type": "string"}}}
    return tool(name, lambda_arn="", collaborator=Collaborator(name, **more), input_schema=schema)


def delegated(world: World, **changes: Any) -> tuple[Run, Run]:
    """A run that waits for another agent's, and that."""
    world.apply(replace(agent(tool()), name="expert", **changes))
    run = parked(world, ("expert", {"message": "what is 7?"}), tools=(asking_agent("expert"),))
    (child,) = run.children
    found = world.sessions.run(type(run.key).parse("acme", child))  # pyright: ignore
    assert found
    return run, found


def test_another_agent_answers_in_a_session_of_its_own(world: World):
    run, child = delegated(world)
    assert (child.agent, child.input, child.principal) == ("expert", "what is 7?", run.principal)
    assert child.parent
    assert child.parent.run_id == run.key.run_id

    world.model = ScriptedModel([reply("it is 42")])
    assert world.invoke_model(child).step == "finish"
    world.finish(child)

    world.model = ScriptedModel([reply("thanks")])
    assert go_on(world, run).status == "COMPLETED"
    assert told(world) == ["it is 42"]


def test_a_cancelled_run_cancels_the_runs_that_it_waits_for(world: World):
    run, child = delegated(world)

    world.cancel(run)

    assert world.run(child).cancel_requested_at is not None


def test_a_failure_of_the_other_agent_is_told(world: World):
    run, child = delegated(world)
    world.cancel(child)
    world.finish(child, Ending("CANCELLED", "cancelRequested"))

    world.model = ScriptedModel([reply("a pity")])
    go_on(world, run)

    (content,) = told(world)
    assert content.startswith("Agent expert gave no answer: its run ended as")


def test_agents_do_not_wait_for_one_another_in_a_circle(world: World):
    run = parked(world, ("helper", {"message": "x"}), tools=(asking_agent("helper"),))

    assert run.status == "RUNNING"
    go_on(world, run)
    assert "waits for this answer itself" in told(world)[0]


def test_a_child_is_begun_once_however_long_its_caller_could_not_be_announced(world: World):
    run, child = delegated(world)
    parked = world.run(run)
    world.waits.put(replace(parked, rev=parked.rev + 1, undelivered=True), before=parked)
    world.table.delete(
        keys.idempotency("acme", f"agent call {run.key.run_id} 1 0"), condition="attribute_exists(pk)"
    )
    world.pass_time(60)

    world.sweep()

    assert world.run(run).children == (child.key.run_id,)


def test_an_execution_that_has_parked_its_run_does_not_end_it(world: World):
    run = parked(world, PAY, tools=(guarded("approval"),))
    decided = replace(run, status="RUNNING", rev=run.rev + 1, pending=(), resumed_from=1)
    world.waits.put(decided, before=run)

    world.finish(run, Ending("FAILED"), execution=1)

    assert world.run(run).status == "RUNNING"
    assert world.park(run, execution=1) == "parked"
    assert world.run(run).execution == 2


def test_what_another_agent_asks_is_no_answer_to_the_user(world: World):
    """Its run lies in the same session as the one that asks its user."""
    run = parked(world, ASK, tools=(asking(),))
    request = Request(
        "acme",
        "helper",
        "s1",
        "a question of another agent",
        run.principal,
        "agent",
        when_busy="enqueue",
        parent=ParentCall("other-1", 1, 0, ("other",)),
    )
    queued = begin_run(request, world.beginning())

    announce(replace(world.run(run), undelivered=True), world.parking())

    assert (world.run(queued).status, world.run(run).status) == ("QUEUED", "AWAITING")


def test_a_message_that_finds_the_session_waiting_by_now_is_the_answer(world: World):
    world.apply(agent(asking()))
    world.model = ScriptedModel([reply(calls=[ASK]), reply("done")])
    run = world.ask()
    world.invoke_model(run)
    read, session = [True], world.sessions.session

    def parked_meanwhile(tenant: str, session_id: str) -> Any:
        """The first look finds it at work; by the next it is parked."""
        found = session(tenant, session_id)
        if read and read.pop():
            world.park(run)
        return found

    world.sessions.session = parked_meanwhile  # pyright: ignore

    same = world.write("order 7", when_busy="enqueue")

    assert same.key == run.key
    assert world.run(run).status == "RUNNING"


def test_a_run_that_nobody_waits_for_ends_before_it_begins(world: World):
    run, child = delegated(world)
    parent = world.run(run)
    world.waits.put(replace(parent, rev=parent.rev + 1, pending=()), before=parent)

    step = world.invoke_model(child)

    assert (step.step, step.status) == ("finish", "CANCELLED")


def test_an_execution_that_was_stopped_after_it_parked_is_followed_by_the_next(world: World):
    run = parked(world, PAY, tools=(guarded("approval"),))
    world.waits.put(replace(run, status="RUNNING", rev=run.rev + 1, pending=(), resumed_from=1), before=run)
    world.executions.states[f"{run.key.run_id}-1"] = "aborted"
    world.pass_time(60)

    assert world.sweep().restarted == 1
    assert world.executions.started[-1] == f"{run.key.run_id}-2"


def test_a_session_with_a_parked_run_is_erased_with_what_is_queued_behind_it(world: World):
    parked(world, PAY, tools=(guarded("approval"),))
    world.write("and this", when_busy="enqueue")

    erase_session("acme", "s1", world.erasing())

    assert world.sessions.session("acme", "s1") is None


def asked_by_agent(world: World, call: Any, tool: Tool) -> tuple[Run, Run]:
    """A run that waits for another agent's, which waits for a person itself."""
    run, child = delegated(world)
    world.apply(replace(agent(tool), name="expert"))
    fresh = replace(child, agent_digest=world.agents.draft("acme", "expert").digest, rev=child.rev + 1)
    world.waits.put(fresh, before=child)
    world.model = ScriptedModel([reply(calls=[call]), reply("it is 42"), reply("thanks")])
    assert world.invoke_model(child).step == "wait"
    world.park(child)
    return run, world.run(child)


def test_a_question_of_an_agent_further_down_is_answered_by_the_next_message_of_the_users_session(
    world: World,
):
    run, child = asked_by_agent(world, ASK, asking())

    came_to = world.write("order 7", idempotency_key="m1")
    again = world.write("order 7", idempotency_key="m1")

    assert came_to.key == again.key == run.key
    assert world.run(child).status == "RUNNING"
    go_on(world, child)
    assert told(world) == ["order 7"]
    go_on(world, run)
    assert told(world) == ["it is 42"]


def test_a_person_whom_an_agent_further_down_has_called_gets_what_the_user_writes(world: World):
    call = ("escalate_to_human", {"reason": "a dispute", "summary": "refund of 900"})
    run, child = asked_by_agent(world, call, escalating())

    assert world.write("hello?").key == run.key

    assert [message.text for message in world.waits.messages(child.key)] == ["hello?"]


def test_whoever_answers_an_agent_further_down_is_a_writer_of_the_users_session(world: World):
    run, _ = asked_by_agent(world, ASK, asking())

    world.write("order 7", principal=Principal("key", "bob"))

    session = world.sessions.session("acme", "s1")
    assert session
    assert session.principals == ("key:k1", "key:bob")
    assert world.sessions.is_linked(run.key, Principal("key", "bob"))


def test_a_child_that_is_started_before_its_parent_names_it_goes_on(world: World):
    run, child = delegated(world)
    parent = world.run(run)
    world.waits.put(replace(parent, rev=parent.rev + 1, children=()), before=parent)
    world.model = ScriptedModel([reply("it is 42")])

    assert world.invoke_model(child).status == "COMPLETED"


def test_a_session_with_a_message_behind_a_parked_run_is_not_ended(world: World):
    run = parked(world, PAY, tools=(guarded("approval"),))
    world.write("and this", when_busy="enqueue")

    with pytest.raises(SessionBusy):
        end_session("acme", "s1", world.endings())

    assert world.run(run).status == "AWAITING"


def test_a_comment_makes_an_approver_no_user_of_the_session_and_is_erased_with_them(world: World):
    run = parked(world, PAY, tools=(guarded("approval"),))

    world.decide(run, "approve", comment="fine by me")

    boss = Principal("key", "boss")
    assert not world.sessions.is_linked(run.key, boss)
    links = [link for page in world.conversations.links("acme", boss) for link in page]
    assert [(link.conversation, link.decided) for link in links] == [(run.conversation, True)]
