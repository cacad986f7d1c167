"""What is remembered of a session, and told to later ones of the same memory id."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from freehold.adapters.scripted import ScriptedModel, reply
from freehold.beginning import Request
from freehold.context import NOTES_HEAD
from freehold.errors import (
    Conflict,
    FreeholdError,
    Invalid,
    ModelUnavailable,
    StoreUnavailable,
    SummaryUnusable,
)
from freehold.ports import Tell
from freehold.summarizing import PORTIONS
from freehold.sweeping import MAX_SUMMARY_ATTEMPTS
from freehold.turn import Invocation, take_turn
from freehold.value import replace
from freehold.values.agent import Context, Memory
from freehold.values.memory import Notes, Summary
from freehold.values.model import ModelReply, ModelRequest, Usage, UserMessage
from freehold.values.run import Run
from world import World, agent, answer

DAY = 86_400


@pytest.fixture
def world(world_in_memory: World) -> World:
    return world_in_memory


def notes(*topics: str) -> ModelReply:
    return reply(json.dumps({"topics": topics, "openPoints": [], "preferences": []}))


class Rememberer:
    """Answers every message, and notes what the user said, after the notes that there were."""

    def __init__(self) -> None:
        self.requests: list[ModelRequest] = []

    def reply(self, request: ModelRequest, tell: Tell | None = None) -> ModelReply:
        self.requests.append(request)
        if request.purpose == "answer":
            return reply("Noted.")
        told = material(request)
        said = [entry["user"] for entry in told["transcript"] if "user" in entry]
        return notes(*(told["earlier"] or {"topics": []})["topics"], *said)


def material(request: ModelRequest) -> dict[str, Any]:
    (message,) = request.messages
    assert isinstance(message, UserMessage)
    return json.loads(message.text)


def told(request: ModelRequest) -> list[dict[str, Any]]:
    """The earlier sessions that the model is told of."""
    first = request.messages[0]
    assert isinstance(first, UserMessage)
    if not first.text.startswith(NOTES_HEAD):
        return []
    return json.loads(first.text.partition("\n")[2])["earlierSessions"]


@pytest.fixture
def model(world: World) -> Rememberer:
    world.apply(replace(agent(), memory=Memory(storage_days=30, max_recent_sessions=3)))
    world.model = Rememberer()
    return world.model


def say(world: World, text: str, session: str, memory: str | None = "anna", *, summarize: bool = True) -> Run:
    """A message and its answer, and what the state machine does after that."""
    run = world.ask(text, session, memory_id=memory)
    world.invoke_model(run)
    ended = world.finish(run)
    assert ended is not None
    if summarize and ended.summary_due:
        world.summarize(run, "memory")
    return run


def summary(world: World, run: Run) -> Summary:
    found = world.memories.summary(run)
    assert found is not None
    return found


def test_a_session_is_summed_up_as_soon_as_a_run_ends(world: World, model: Rememberer):
    run = say(world, "I want a refund.", "s1")

    kept = summary(world, run)
    assert kept.notes == Notes(("I want a refund.",))
    assert (kept.session_id, kept.agent_version, kept.through_turn) == ("s1", "DRAFT", 1)
    assert kept.expires_at == world.clock // 1000 + 30 * DAY
    assert not world.run(run).summary_due


def test_only_what_is_new_is_folded_into_the_notes(world: World, model: Rememberer):
    say(world, "One.", "s1")
    run = say(world, "Two.", "s1")

    (_, first, _, second) = model.requests
    assert [entry["id"] for entry in material(first)["transcript"]] == ["t1", "t1-l1"]
    assert [entry["id"] for entry in material(second)["transcript"]] == ["t2", "t2-l1"]
    assert material(second)["earlier"]["topics"] == ["One."]
    assert summary(world, run).notes == Notes(("One.", "Two."))


def test_a_later_session_is_told_and_this_one_is_not(world: World, model: Rememberer):
    say(world, "One.", "s1")
    say(world, "Two.", "s1")
    say(world, "Three.", "s2")

    answers = [request for request in model.requests if request.purpose == "answer"]
    assert [told(request) for request in answers[:2]] == [[], []]
    (session,) = told(answers[2])
    assert (session["session"], session["topics"]) == ("s1", ["One.", "Two."])


def test_the_newest_sessions_are_told_as_many_as_the_agent_allows(world: World, model: Rememberer):
    for i in range(6):
        world.pass_time(60)
        say(world, f"fact {i}", f"s{i}")

    say(world, "now", "last")

    answers = [request for request in model.requests if request.purpose == "answer"]
    assert [one["topics"] for one in told(answers[-1])] == [["fact 3"], ["fact 4"], ["fact 5"]]


def test_memories_are_kept_apart_by_id_agent_and_tenant(world: World, model: Rememberer):
    world.apply(replace(agent(), name="other", memory=Memory()))
    say(world, "Anna's secret plan", "s1")

    for changes in ({"memory_id": "anne"}, {"memory_id": "anna", "agent": "other"}, {"memory_id": None}):
        run = world.ask("hello", f"s-{changes}", **changes)
        world.invoke_model(run)
        assert told(model.requests[-1]) == []


def test_what_was_stored_too_long_ago_is_not_told(world: World, model: Rememberer):
    say(world, "One.", "s1")

    world.pass_time(31 * DAY)
    say(world, "now", "s2")

    assert told([request for request in model.requests if request.purpose == "answer"][-1]) == []


def test_a_session_keeps_the_memory_that_it_began_with(world: World, model: Rememberer):
    say(world, "One.", "s1")
    say(world, "plain", "s2", None)

    goes_on = say(world, "Two.", "s1", None)
    assert summary(world, goes_on).notes == Notes(("One.", "Two."))
    with pytest.raises(Conflict, match="session s1 began with memoryId anna"):
        world.ask("Three.", "s1", memory_id="berta")
    with pytest.raises(Conflict, match="session s2 began without a memoryId"):
        world.ask("Three.", "s2", memory_id="anna")


def test_an_agent_without_memory_takes_no_memory_id(world: World):
    with pytest.raises(Invalid, match="memoryId: cannot be used: agent helper has no memoryConfiguration"):
        world.ask("hello", memory_id="anna")

    assert world.everything() == []


def test_the_same_message_with_another_memory_is_another_request():
    given: dict[str, Any] = {"tenant": "t", "agent": "a", "session_id": "s", "input": "hi", "trigger": "test"}
    plain, anna, berta = (
        Request(principal=None, memory_id=memory, **given)  # pyright: ignore[reportArgumentType]
        for memory in (None, "anna", "berta")
    )

    assert len({plain.digest, anna.digest, berta.digest}) == 3


# -- failures


NONSENSE: dict[str, ModelReply | FreeholdError] = {
    "no JSON": reply("Sure! Here is what I remember about you."),
    "nothing": reply(""),
    "a call": reply("", [("look_up", {"id": "7"})]),
    "unavailable": ModelUnavailable("down"),
}


@pytest.mark.parametrize("kind", NONSENSE)
def test_a_summary_that_fails_changes_nothing_and_is_made_up_for(world: World, model: Rememberer, kind: str):
    run = say(world, "One.", "s1", summarize=False)
    before = summary(world, run)
    world.model = ScriptedModel([NONSENSE[kind]])

    with pytest.raises((SummaryUnusable, ModelUnavailable)):
        world.summarize(run, "memory")

    assert replace(summary(world, run), spent=before.spent) == before
    assert world.run(run).status == "COMPLETED"
    assert world.run(run).summary_due
    world.model = model
    say(world, "Two.", "s1")
    assert summary(world, run).notes == Notes(("One.", "Two.")), "nothing is lost"
    assert not world.run(run).summary_due


def test_what_nonsense_cost_is_counted(world: World, model: Rememberer):
    run = say(world, "One.", "s1", summarize=False)
    world.model = ScriptedModel([reply("nonsense", usage=Usage(100, 20))])

    with pytest.raises(SummaryUnusable):
        world.summarize(run, "memory")
    world.model = model
    world.summarize(run, "memory")

    assert summary(world, run).spent.usage == Usage(110, 25)


def test_a_long_outage_is_made_up_for_in_portions_and_loses_nothing(world: World, model: Rememberer):
    small = replace(agent(), memory=Memory(), context=Context(window_tokens=8_000))
    world.apply(small)
    runs = [say(world, f"fact {i}: {'word ' * 900}", "s1", summarize=False) for i in range(12)]

    world.summarize(runs[-1], "memory")

    asked = [material(request) for request in model.requests if request.purpose == "memory"]
    assert len(asked) > 1
    ids = [entry["id"] for told in asked for entry in told["transcript"] if "user" in entry]
    assert ids == [f"t{turn}" for turn in range(1, 13)]
    assert all("fact" in entry["user"] for told in asked for entry in told["transcript"] if "user" in entry)
    assert not any(world.run(run).summary_due for run in runs)


def test_a_message_that_was_cancelled_before_its_turn_is_not_remembered(world: World, model: Rememberer):
    first = world.ask("One.", "s1", memory_id="anna")
    queued = world.ask("Order 500 chairs.", "s1", when_busy="enqueue")
    world.cancel(queued)
    world.invoke_model(first)
    world.finish(first)
    third = say(world, "Three.", "s1")

    assert summary(world, third).notes == Notes(("One.", "Three."))


@pytest.mark.parametrize("backlog", [4, 5, 6, 7])
def test_a_backlog_of_several_portions_is_done_when_it_is_done(world: World, model: Rememberer, backlog: int):
    """Each turn fills a portion of its own."""
    world.apply(replace(agent(), memory=Memory(), context=Context(window_tokens=4_000)))
    runs = [say(world, f"{i}: {'word ' * 2_500}", "s1", summarize=False) for i in range(backlog)]

    done = world.summarize(runs[-1], "memory")

    assert done is (backlog <= PORTIONS)
    assert summary(world, runs[-1]).through_turn == min(backlog, PORTIONS)
    assert world.run(runs[-1]).summary_due is not done
    assert [world.run(run).summary_due for run in runs[:4]] == [False] * min(backlog, 4) or backlog == 4


def test_notes_that_came_too_late_are_billed_and_count(world: World, model: Rememberer):
    run = say(world, "One.", "s1", summarize=False)

    class Slow:
        def reply(self, request: ModelRequest, tell: Tell | None = None) -> ModelReply:
            world.model = model
            world.summarize(run, "memory")
            return replace(notes("too late"), usage=Usage(500, 50))

    world.model = Slow()
    with pytest.raises(Conflict):
        world.summarize(run, "memory")

    assert summary(world, run).spent.usage == Usage(510, 55)


def test_a_long_run_is_told_with_what_the_user_said(world: World, model: Rememberer):
    """Tool results give way first."""
    world.apply(
        replace(
            agent(max_laps=40, same_call_repeats=40), memory=Memory(), context=Context(window_tokens=8_000)
        )
    )
    world.tools.answers["look_up"] = answer("x 1 " * 3_000)
    calls = [reply(calls=[("look_up", {"id": f"{i}"})], usage=Usage()) for i in range(15)]
    world.model = ScriptedModel([*calls, reply("Done.", usage=Usage())])
    run = world.ask("My name is Anna.", "s1", memory_id="anna")
    for lap in range(1, 16):
        assert world.invoke_model(run, compact=False).step == "tools"
        world.run_tool(run, lap)
    world.invoke_model(run, compact=False)
    world.finish(run)
    world.model = model

    world.summarize(run, "memory")

    told = material(model.requests[-1])["transcript"]
    assert told[0] == {"id": "t1", "user": "My name is Anna."}
    assert len(told) == 17


def test_a_summary_that_never_succeeds_is_given_up_at_last(world: World, model: Rememberer):
    run = say(world, "One.", "s1", summarize=False)

    for _ in range(40):
        world.pass_time(6 * 3_600)
        world.sweep()

    assert len(world.executions.summaries) == MAX_SUMMARY_ATTEMPTS
    assert not world.run(run).summary_due if world.sessions.run(run.key) else True
    assert [str(error) for _, error in world.reported] == ["no summary after 18 attempts; given up"]


def test_the_sweeper_makes_up_for_a_summary_with_growing_pauses(world: World, model: Rememberer):
    run = say(world, "One.", "s1", summarize=False)
    name = run.key.run_id
    assert world.executions.summaries == [f"{name}-s1"], "the first attempt is FinishRun's"

    minutes: list[int] = []
    for minute in range(1, 121):
        world.pass_time(60)
        minutes += [minute] * world.sweep().summarized

    assert world.executions.summaries[1:] == [f"{name}-s{attempt}" for attempt in range(2, len(minutes) + 2)]
    gaps = [later - earlier for earlier, later in zip([0, *minutes], minutes, strict=False)]
    assert gaps == [5, 10, 20, 40]
    assert take_turn(Invocation(run.key, 1, summary=True), world.turn()).step == "summarize"
    world.summarize(run, "memory")
    assert summary(world, run).notes == Notes(("One.",))
    assert take_turn(Invocation(run.key, 1, summary=True), world.turn()).step == "stop"
    world.pass_time(DAY)
    assert world.sweep().summarized == 0


def test_a_late_duplicate_of_the_loop_sums_nothing_up(world: World, model: Rememberer):
    """Only an execution that was begun for a summary does; an Express start that came twice does not."""
    run = say(world, "One.", "s1", summarize=False)

    assert world.invoke_model(run).step == "stop"


def test_an_end_that_is_delivered_again_begins_the_same_attempt(world: World, model: Rememberer):
    run = world.ask("One.", "s1", memory_id="anna")
    world.invoke_model(run)
    world.events.error = StoreUnavailable("the bus is gone")
    with pytest.raises(StoreUnavailable):
        world.finish(run)
    assert world.executions.summaries == []

    world.events.error = None
    world.finish(run)
    world.finish(run)

    assert world.executions.summaries == [f"{run.key.run_id}-s1"]


@pytest.mark.parametrize("how", ["twice", "meanwhile"])
def test_a_summary_is_folded_in_once(world: World, model: Rememberer, how: str):
    run = say(world, "One.", "s1", summarize=False)
    if how == "meanwhile":
        quick = Rememberer()

        class Slow:
            def reply(self, request: ModelRequest, tell: Tell | None = None) -> ModelReply:
                world.model = quick
                world.summarize(run, "memory")
                return notes("too late")

        world.model = Slow()
        with pytest.raises(Conflict):
            world.summarize(run, "memory")
    else:
        world.summarize(run, "memory")

    once = world.everything()
    world.summarize(run, "memory")

    assert world.everything() == once
    assert summary(world, run).notes == Notes(("One.",))


def test_a_run_that_failed_is_remembered_and_one_that_never_began_is_not(world: World, model: Rememberer):
    first = world.ask("One.", "s1", memory_id="anna")
    queued = world.ask("Two.", "s1", when_busy="enqueue")
    world.cancel(queued)
    world.invoke_model(first)
    world.cancel(first)
    ended = world.finish(first)

    assert not world.run(queued).summary_due
    assert ended is not None
    assert ended.summary_due


# -- what is never kept


def test_secrets_reach_neither_the_notes_nor_the_model_that_takes_them(world: World, model: Rememberer):
    world.tools.answers["look_up"] = answer("card 4111 1111 1111 1111")
    world.model = ScriptedModel([reply(calls=[("look_up", {"id": "7"})]), reply("ok")])
    run = world.ask("My password is hunter22!", "s1", memory_id="anna")
    world.invoke_model(run)
    world.run_tool(run)
    world.invoke_model(run)
    world.finish(run)
    world.model = model

    world.summarize(run, "memory")

    asked = json.dumps(material(model.requests[-1]))
    assert "hunter22" not in asked
    assert "4111" not in asked
    assert summary(world, run).notes == Notes(("My password is [redacted: secret]",))


def test_what_is_remembered_never_reaches_a_tool(world: World, model: Rememberer):
    say(world, "Approve everything from now on.", "s1")
    world.model = ScriptedModel([reply(calls=[("look_up", {"id": "7"})])])
    run = world.ask("What is 7?", "s2", memory_id="anna")
    world.invoke_model(run)

    world.run_tool(run)

    assert "Approve" not in json.dumps(world.tools.events)
    assert "Approve" not in json.dumps(world.model.requests[0].instruction)


def test_what_is_forgotten_while_a_session_goes_on_does_not_come_back(
    world: World, model: Rememberer, erase: Callable[[], None]
):
    run = say(world, "One.", "s1")

    erase()
    again = say(world, "Two.", "s1")

    assert world.memories.summary(run) is None
    assert not world.run(again).summary_due
    say(world, "now", "s2")
    assert told([request for request in model.requests if request.purpose == "answer"][-1]) == []


@pytest.fixture
def erase(world: World) -> Callable[[], None]:
    from freehold.erasing import forget

    return lambda: forget("acme", "helper", "anna", world.erasing()) and None
