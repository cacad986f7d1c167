"""A run once more on another model: the same past and input, and tools that answer by the record alone."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest

from freehold.adapters.scripted import ScriptedModel, reply
from freehold.beginning import start_run
from freehold.built_in_tools import TOOLS
from freehold.ending import Ending
from freehold.errors import Conflict, NotFound
from freehold.replaying import ReplayCollaborators, begin_replay
from freehold.value import replace
from freehold.values.agent import Agent, Memory, ModelChoice
from freehold.values.content import Image
from freehold.values.conversation import Compaction, Place
from freehold.values.model import Message, ModelReply, ModelRequest, ToolMessage, Usage, UserMessage
from freehold.values.run import Principal, Result, Run, RunKey
from world import TENANT, World, agent, answer, tool

PAY = tool("pay", idempotent=False)
OTHER = ModelChoice("another", "rehearsal")


def go(world: World, run: Run, *replies: ModelReply) -> Run:
    """The run as its execution would take it, to its end."""
    world.model = ScriptedModel(replies)
    step = world.invoke_model(run)
    while step.step == "tools":
        for call in step.calls:
            world.run_tool(run, step.lap, call)
        step = world.invoke_model(run)
    assert step.step == "finish"
    assert step.status is not None
    world.finish(run, Ending(step.status, step.reason))
    return world.run(run)


def asked(world: World, text: str, *replies: ModelReply, **more: Any) -> Run:
    return go(world, world.ask(text, **more), *replies)


def replay(world: World, original: Run | RunKey) -> Run:
    """Begin a replay, and start its first execution."""

    def pin(run: Run) -> str:
        return world.agents.replay_snapshot(TENANT, run.agent, run.agent_digest, OTHER)

    using = ReplayCollaborators(
        sessions=world.sessions,
        agents=world.agents,
        pin=pin,
        now=world.now,
        new_conversation=lambda: f"C{next(world.ids):025d}",
        new_session_id=world.new_id,
    )
    key = original if isinstance(original, RunKey) else original.key
    run = begin_replay(key, Principal("key", "k2"), using)
    return start_run(run, world.sessions, world.executions, now=world.clock)


def results(world: World, run: Run) -> list[Result]:
    return [result for _, result in sorted(world.history(run).results.items())]


def told(request: ModelRequest) -> list[str]:
    """What the model read of users and tools."""
    return [text for message in request.messages for text in _texts(message)]


def _texts(message: Message) -> Iterator[str]:
    if isinstance(message, UserMessage):
        yield message.text
    if isinstance(message, ToolMessage):
        yield from (outcome.content for outcome in message.outcomes)


@pytest.fixture
def paid(world: World) -> Run:
    """A run that looked something up and paid, once each."""
    world.apply(agent(tool(), PAY))
    world.tools.answers |= {"look_up": answer("42"), "pay": answer("paid")}
    calls = [("look_up", {"id": "7"}), ("pay", {"id": "7"})]
    return asked(world, "Pay 7.", reply(calls=calls), reply("Done."))


def test_a_replay_is_asked_the_same_on_the_other_model_alone(world: World, paid: Run):
    run = replay(world, paid)
    there = world.agents.snapshot(TENANT, run.agent, run.agent_digest)
    before = world.agents.snapshot(TENANT, paid.agent, paid.agent_digest)
    ended = go(world, run, reply("Paid already."))

    assert there == replace(before, model=OTHER, fallback_models=())
    assert (ended.status, ended.replays, ended.trigger) == ("COMPLETED", paid.key.run_id, "replay")
    assert (ended.input, ended.turn, ended.principal) == ("Pay 7.", paid.turn, Principal("key", "k2"))
    assert ended.conversation != paid.conversation
    assert world.executions.started[-1] == f"{ended.key.run_id}-1"


def test_no_tool_is_called_and_none_is_marked(world: World, paid: Run):
    world.tools.events.clear()
    world.tools.answers.clear()
    run = replay(world, paid)
    calls = [("pay", {"id": "7"}), ("look_up", {"id": "7"})]
    world.model = ScriptedModel([reply(calls=calls)])
    world.invoke_model(run)
    writes: list[str] = []
    world.client.meta.events.register(
        "provide-client-params.dynamodb.PutItem",
        lambda params, **_: writes.append(params["Item"]["kind"]["S"]),
    )

    for call in (0, 1):
        world.run_tool(run, call=call)

    assert [result.content for result in results(world, run)] == ["paid", "42"]
    assert world.tools.events == []
    assert writes == ["result", "result"]


def test_arguments_are_the_same_in_any_order_and_spacing(world: World):
    pair = tool(
        input_schema={"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}}
    )
    world.apply(agent(pair))
    original = asked(world, "go", reply(calls=[("look_up", '{"a": "1", "b": "2"}')]), reply("ok"))
    run = replay(world, original)

    go(world, run, reply(calls=[("look_up", '{"b":"2",  "a":"1"}')]), reply("ok"))

    assert [result.content for result in results(world, run)] == ["found it"]


def test_a_call_that_was_made_several_times_answers_in_turn_and_then_as_at_last(world: World):
    numbers = iter(range(9))
    world.tools.answers["look_up"] = lambda _: answer(f"answer {next(numbers)}")
    same = ("look_up", {"id": "7"})
    world.apply(agent(same_call_repeats=9))
    original = asked(world, "go", reply(calls=[same]), reply(calls=[same, same]), reply("ok"))
    run = replay(world, original)

    go(
        world,
        run,
        reply(calls=[same, ("look_up", {"id": "8"}), same]),
        reply(calls=[same]),
        reply(calls=[same]),
        reply("ok"),
    )

    found = {(each.lap, each.call): each.content for each in results(world, run) if each.outcome == "success"}
    assert found == {(1, 0): "answer 0", (1, 2): "answer 1", (2, 0): "answer 2", (3, 0): "answer 2"}


def test_a_call_without_a_record_fails_and_names_those_that_there_are(world: World, paid: Run):
    run = replay(world, paid)

    go(world, run, reply(calls=[("pay", {"id": "8"})]), reply("I could not."))

    (result,) = results(world, run)
    assert result.outcome == "error"
    assert "no record of this call" in result.content
    assert '{"id": "7"}' in result.content
    assert len(world.tools.events) == 2


def test_a_call_that_the_end_of_the_run_forestalled_has_no_record(world: World):
    original = world.ask("go")
    world.model = ScriptedModel([reply(calls=[("look_up", {"id": "7"})])])
    world.invoke_model(original)
    world.cancel(original)
    world.finish(original)
    run = replay(world, original)

    go(world, run, reply(calls=[("look_up", {"id": "7"})]), reply("ok"))

    assert "no record" in results(world, run)[0].content


def test_failures_and_unknown_outcomes_are_told_as_they_were(world: World, paid: Run):
    failing = answer("out of stock", function_response={"responseState": "FAILURE"})
    world.tools.answers["look_up"] = failing
    original = asked(world, "again", reply(calls=[("look_up", {"id": "9"})]), reply("ok"))
    run = replay(world, original)

    go(world, run, reply(calls=[("look_up", {"id": "9"})]), reply("ok"))

    (then,), (now,) = results(world, original), results(world, run)
    assert (now.outcome, now.content) == (then.outcome, then.content) == ("error", now.content)


def test_attributes_are_what_they_were_and_become_what_the_record_says(world: World):
    world.tools.answers["look_up"] = answer("42", sessionAttributes={"tier": "gold"})
    call = reply(calls=[("look_up", {"id": "7"})])
    given = {"session_attributes": {"who": "me"}, "prompt_session_attributes": {"channel": "mail"}}
    original = asked(world, "go", call, reply("ok"), **given)
    run = replay(world, original)

    go(world, run, call, reply("ok"))

    history = world.history(run)
    assert (run.session_attributes, run.prompt_session_attributes) == tuple(given.values())
    assert history.session_attributes == {"who": "me", "tier": "gold"}
    assert history.laps[1].prompt_session_attributes == {"channel": "mail"}


def test_a_built_in_clock_is_set_back_to_the_time_of_the_run(world: World):
    world.apply(agent(TOOLS["current_time"]))
    call = reply(calls=[("current_time", {})])
    original = asked(world, "go", call, reply("ok"))
    world.pass_time(3 * 86_400)
    run = replay(world, original)
    world.pass_time(60)

    go(world, run, call, reply("ok"))

    assert results(world, original)[0].content.startswith("2027-01-15T08:00:00")
    assert results(world, run)[0].content.startswith("2027-01-15T08:01:00")


def test_read_more_reads_on_in_the_turns_before_and_in_the_replays_own(world: World):
    world.apply(agent(tool(), TOOLS["read_more"]))
    world.tools.answers["look_up"] = answer("of the first turn")
    asked(world, "first", reply(calls=[("look_up", {"id": "1"})]), reply("one"))
    original = asked(world, "second", reply("two"))
    run = replay(world, original)

    reads = [("read_more", {"call": call}) for call in ("t1-l1-c0", "t2-l1-c0")]
    go(world, run, reply(calls=[("look_up", {"id": "2"})]), reply(calls=reads), reply("ok"))

    _, before, own = (result.content for result in results(world, run))
    assert before.startswith("of the first turn")
    assert own.startswith("There is no record of this call")


def test_a_replay_of_a_later_turn_reads_the_turns_before_it_and_none_after(world: World):
    asked(world, "first", reply(calls=[("look_up", {"id": "1"})]), reply("one"))
    original = asked(world, "second", reply("two"))
    asked(world, "third", reply("three"))
    run = replay(world, original)

    go(world, run, reply("another two"))

    assert told(world.model.requests[0]) == ["first", "found it", "second"]


def test_what_stood_for_the_oldest_part_stands_for_it_in_the_replay(world: World):
    first = asked(world, "first", reply("one"))
    asked(world, "second", reply("two"))
    made = Compaction(2, 1, "c1", world.clock, Place(2), "They began.", "scripted", Usage(), 5)
    second = world.run(replace(first.key, turn=2))
    world.sessions.add_compaction(made, replace(second, rev=second.rev + 1), before=second)
    original = asked(world, "third", reply("three"))
    later = replace(made, turn=3, id="c2", text="All of it.", begins=Place(3))
    world.sessions.add_compaction(later, replace(original, rev=original.rev + 1), before=original)
    run = replay(world, original)

    go(world, run, reply("another three"))

    notes, *rest = told(world.model.requests[0])
    assert "They began." in notes
    assert "All of it." not in notes
    assert rest == ["second", "third"]


def test_a_replay_that_compacts_goes_on_from_its_own_compaction(world: World, paid: Run):
    original = asked(world, "And now?", reply(calls=[("look_up", {"id": "7"})]), reply("ok"))
    run = replay(world, original)
    world.model = ScriptedModel([reply(calls=[("look_up", {"id": "7"})]), reply("ok")])
    world.invoke_model(run)
    world.run_tool(run)
    before = world.run(run)
    made = Compaction(run.turn, 1, "c1", world.clock, Place(run.turn), "It was paid.", "another", Usage(), 5)
    world.sessions.add_compaction(made, replace(before, rev=before.rev + 1), before=before)

    world.invoke_model(run)

    notes, *rest = told(world.model.requests[1])
    assert "It was paid." in notes
    assert rest == ["And now?", "42"]
    assert world.sessions.compaction(original.key) is None


def test_a_replay_has_images_of_its_own(world: World):
    image = Image("png", base64.b64encode(b"a picture").decode(), size=9)
    original = asked(world, "What is this?", reply("a cat"), images=(image,))
    run = replay(world, original)
    world.conversations.erase(_lease(world, original))

    go(world, run, reply("a dog"))

    (message,) = world.model.requests[0].messages
    assert isinstance(message, UserMessage)
    assert [each.data for each in message.images] == [image.data]


def _lease(world: World, run: Run) -> Any:
    found = world.conversations.lease(TENANT, run.conversation)
    assert found is not None
    return found


def test_a_replay_whose_original_was_erased_is_told_that_it_is_gone(world: World, paid: Run):
    original = asked(world, "And now?", reply("ok"))
    run = replay(world, original)
    world.conversations.erase(_lease(world, original))

    ended = go(world, run, reply(calls=[("pay", {"id": "7"})]), reply("I could not."))

    assert ended.status == "COMPLETED"
    assert told(world.model.requests[0]) == ["And now?"]
    assert [(result.outcome, "not there any more" in result.content) for result in results(world, run)] == [
        ("error", True)
    ]
    assert len(world.tools.events) == 2


def test_a_message_to_the_session_of_a_replay_begins_a_new_conversation(world: World, paid: Run):
    run = replay(world, paid)

    message = asked(world, "hello", reply("hi"), session=run.session_id)
    ended = go(world, run, reply("Paid already."))

    assert (message.conversation != run.conversation, message.turn) == (True, 1)
    assert told(world.model.requests[0]) == ["Pay 7."]
    assert ended.status == "COMPLETED"
    session = world.sessions.session(TENANT, run.session_id)
    assert session is not None
    assert session.conversation == message.conversation


def test_the_original_stays_as_it_was(world: World, paid: Run):
    def of_original() -> list[dict[str, Any]]:
        named = (paid.conversation, paid.session_id)
        return [item for item in world.everything() if item["pk"]["S"].rpartition("#")[2] in named]

    before = of_original()

    go(world, replay(world, paid), reply(calls=[("pay", {"id": "7"})]), reply("Paid already."))

    assert of_original() == before


def remembering() -> Agent:
    return replace(agent(), memory=Memory())


def test_nothing_of_a_replay_is_remembered(world: World):
    world.apply(remembering())
    original = asked(world, "I like tea.", reply("Noted."), memory_id="m1")
    before = list(world.memories.all(TENANT, "helper", "m1"))
    run = replay(world, original)

    ended = go(world, run, reply("I see."))

    assert (ended.memory_id, ended.summary_due) == (None, False)
    assert list(world.memories.all(TENANT, "helper", "m1")) == before
    assert len(before) == 1


def test_limits_hold_in_a_replay(world: World):
    world.apply(agent(max_laps=2))
    call = reply(calls=[("look_up", {"id": "7"})])
    original = asked(world, "go", call, reply("ok"))
    run = replay(world, original)

    ended = go(world, run, call, reply(calls=[("look_up", {"id": "8"})]))

    assert (ended.status, ended.stop_reason) == ("STOPPED", "maxLaps")


def test_a_replay_can_be_cancelled(world: World, paid: Run):
    run = replay(world, paid)
    world.model = ScriptedModel([reply(calls=[("pay", {"id": "7"})])])
    world.invoke_model(run)

    world.cancel(run)
    world.run_tool(run)
    step = world.invoke_model(run)
    world.finish(run)

    assert (step.step, step.status) == ("finish", "CANCELLED")
    assert [result.outcome for result in results(world, run)] == ["cancelled"]


def test_the_event_of_its_end_names_the_run_that_it_replays(world: World, paid: Run):
    go(world, replay(world, paid), reply("Paid already."))

    (_, original), (_, replayed) = world.events.published
    assert "replays" not in original
    assert replayed["replays"] == paid.key.run_id


def test_a_run_that_has_not_ended_is_not_replayed(world: World):
    run = world.ask()
    before = world.everything()

    with pytest.raises(Conflict, match="has not ended"):
        replay(world, run)

    assert world.everything() == before


def test_a_replay_is_not_replayed_and_the_refusal_names_its_original(world: World, paid: Run):
    run = go(world, replay(world, paid), reply("Paid already."))

    with pytest.raises(Conflict, match=paid.key.run_id):
        replay(world, run)


def test_a_run_that_is_not_there_is_not_found(world: World):
    with pytest.raises(NotFound):
        replay(world, RunKey(TENANT, "C0", 1))
