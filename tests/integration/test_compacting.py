"""A conversation that grows stays within its window: its oldest part is compacted, also in the middle of a run."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from freehold.adapters.scripted import ScriptedModel, reply
from freehold.context import NOTES_HEAD
from freehold.conversation import estimate
from freehold.errors import ModelUnavailable, SummaryUnusable
from freehold.ports import Tell
from freehold.value import replace
from freehold.values.agent import Agent, Context, Memory
from freehold.values.conversation import Place
from freehold.values.memory import Notes
from freehold.values.model import (
    AssistantMessage,
    ModelReply,
    ModelRequest,
    ToolMessage,
    Usage,
    UserMessage,
)
from freehold.values.run import Run
from freehold.window import count
from world import World, agent, answer, tool

WINDOW = 4_000
# About 200 tokens.
LONG = "The parcel is late, and I want to know why. " * 16


@pytest.fixture
def world(world_in_memory: World) -> World:
    return world_in_memory


def small(*tools: Any, **limits: Any) -> Agent:
    return replace(agent(*tools, **limits), context=Context(window_tokens=WINDOW))


class Chatty:
    """Answers each message at length, and sums up by naming what it was shown. It counts as our estimate does."""

    def __init__(self) -> None:
        self.requests: list[ModelRequest] = []

    def reply(self, request: ModelRequest, tell: Tell | None = None) -> ModelReply:
        self.requests.append(request)
        usage = Usage(count(request.messages), 20)
        if request.purpose == "compaction":
            (message,) = request.messages
            assert isinstance(message, UserMessage)
            told = json.loads(message.text)
            ids = ", ".join(entry["id"] for entry in told["transcript"])
            return reply(f"[{told['earlier']}] then {ids}", usage=usage)
        return reply(LONG, usage=usage)

    @property
    def answers(self) -> list[ModelRequest]:
        return [request for request in self.requests if request.purpose == "answer"]

    @property
    def compactions(self) -> list[ModelRequest]:
        return [request for request in self.requests if request.purpose == "compaction"]


def say(world: World, text: str = LONG, session: str = "s1") -> Run:
    """One message and its answer, with the compaction that the loop asks for on the way."""
    run = world.ask(text, session)
    step = world.invoke_model(run)
    if step.step == "compact":
        world.summarize(run, "compact")
        step = world.invoke_model(run)
    assert step.status == "COMPLETED"
    world.finish(run)
    return run


def notes_of(request: ModelRequest) -> dict[str, Any]:
    first = request.messages[0]
    if not isinstance(first, UserMessage) or not first.text.startswith(NOTES_HEAD):
        return {}
    return json.loads(first.text.partition("\n")[2])


@pytest.fixture
def chatty(world: World) -> Chatty:
    world.apply(small())
    world.model = Chatty()
    return world.model


def test_a_long_conversation_never_fills_its_window(world: World, chatty: Chatty):
    for _ in range(40):
        say(world)

    sizes = [count(request.messages) for request in chatty.answers]
    assert max(sizes) < WINDOW * 0.75
    assert len(chatty.compactions) >= 5


def test_the_oldest_part_gives_way_to_a_compaction_and_stays_readable(world: World, chatty: Chatty):
    runs = [say(world, f"{i}: {LONG}") for i in range(12)]

    compaction = world.sessions.compaction(runs[-1].key)
    assert compaction is not None
    last = chatty.answers[-1]
    assert notes_of(last)["earlierInThisConversation"] == compaction.text
    shown = [message.text for message in last.messages if isinstance(message, UserMessage)]
    assert shown[1].startswith(f"{compaction.begins.turn - 1}: ")
    assert world.history(runs[0]).run.input == f"0: {LONG}"
    assert world.history(runs[0]).laps[0].text == LONG


def test_each_turn_is_summed_up_once_and_what_was_summed_up_goes_into_the_next(world: World, chatty: Chatty):
    for i in range(30):
        say(world, f"{i}: {LONG}")

    summed: list[str] = []
    earlier: list[str | None] = []
    for request in chatty.compactions:
        (message,) = request.messages
        assert isinstance(message, UserMessage)
        told = json.loads(message.text)
        summed += [entry["id"] for entry in told["transcript"] if "user" in entry]
        earlier.append(told["earlier"])
    assert summed == [f"t{turn}" for turn in range(1, len(summed) + 1)]
    assert earlier[0] is None
    assert all(text is not None and text.startswith("[") for text in earlier[1:])


def test_the_request_goes_on_to_begin_as_the_one_before_until_the_next_compaction(
    world: World, chatty: Chatty
):
    """What a provider has cached is good for as long as the beginning of the requests stays the same."""
    for i in range(20):
        say(world, f"{i}: {LONG}")

    kept = changed = 0
    for before, after in zip(chatty.requests, chatty.requests[1:], strict=False):
        if before.purpose == after.purpose == "answer":
            assert after.messages[: len(before.messages)] == before.messages
            kept += 1
        else:
            changed += 1
    assert kept > 8
    assert changed == 2 * len(chatty.compactions)


def test_a_run_is_compacted_in_its_middle_and_its_question_stays(world: World):
    world.apply(small(max_laps=50, same_call_repeats=100))
    world.tools.answers["look_up"] = answer("x" * 1_000)
    calls = [reply(calls=[("look_up", {"id": str(i)})]) for i in range(40)]
    world.model = Scripted([*calls, reply("done")])
    run = world.ask("find it")

    steps = drive(world, run)

    assert steps.count("compact") >= 2
    assert world.finish(run) is not None
    for request in world.model.answers:
        questions = [m.text for m in request.messages if isinstance(m, UserMessage)]
        assert any(text.startswith("find it") for text in questions)
        assert count(request.messages) < WINDOW * 0.75
        parted = [m for m in request.messages if isinstance(m, ToolMessage | AssistantMessage)]
        assert sum(isinstance(m, ToolMessage) for m in parted) == sum(
            bool(m.calls) for m in parted if isinstance(m, AssistantMessage)
        )
    ended = world.run(run)
    assert ended.totals is not None
    assert (ended.totals.laps, ended.totals.calls) == (41, 40)


class Scripted:
    """A script of answers; compactions are answered beside it."""

    def __init__(self, replies: list[ModelReply]) -> None:
        self._script = ScriptedModel(replies)
        self.compacted = 0

    @property
    def answers(self) -> list[ModelRequest]:
        return self._script.requests

    def reply(self, request: ModelRequest, tell: Tell | None = None) -> ModelReply:
        if request.purpose == "compaction":
            self.compacted += 1
            return reply("It looked things up.", usage=Usage(1_000, 100))
        # A provider that counts nothing leaves our own estimate as it is.
        return replace(self._script.reply(request, tell), usage=Usage(0, 5))


def drive(world: World, run: Run) -> list[str]:
    """Every step up to the answer."""
    steps: list[str] = []
    while True:
        step = world.invoke_model(run)
        steps.append(step.step)
        if step.step == "compact":
            world.summarize(run, "compact")
        elif step.step == "tools":
            for call in step.calls:
                world.run_tool(run, step.lap, call)
        else:
            return steps


def test_what_compactions_cost_counts_in_the_run(world: World):
    world.apply(small(max_laps=50, same_call_repeats=100))
    world.tools.answers["look_up"] = answer("x" * 1_000)
    model = Scripted([*[reply(calls=[("look_up", {"id": str(i)})]) for i in range(20)], reply("done")])
    world.model = model
    run = world.ask("find it")

    drive(world, run)
    world.finish(run)

    totals = world.run(run).totals
    assert totals is not None
    assert totals.usage == Usage(model.compacted * 1_000, 21 * 5 + model.compacted * 100)
    cost = 21 * 2 * 5 + model.compacted * (1_000 + 2 * 100)
    assert totals.cost_usd == Decimal(cost) / 1_000_000


def test_limits_count_the_laps_that_a_compaction_stands_for(world: World):
    world.apply(small(max_laps=15, same_call_repeats=100))
    world.tools.answers["look_up"] = answer("x" * 1_000)
    world.model = Scripted([reply(calls=[("look_up", {"id": str(i)})]) for i in range(30)])
    run = world.ask("find it")

    steps = drive(world, run)
    ended = world.finish(run)

    assert "compact" in steps
    assert len(world.model.answers) == 15
    assert ended is not None


# -- failures


def fill(world: World, chatty: Chatty) -> Run:
    """A run whose next step is a compaction."""
    for _ in range(50):
        run = world.ask(LONG)
        if world.invoke_model(run).step == "compact":
            return run
        world.finish(run)
    raise AssertionError("the window never filled")


def test_a_compaction_that_fails_leaves_everything_as_it_was_and_the_run_goes_on(
    world: World, chatty: Chatty
):
    run = fill(world, chatty)
    before = world.everything()
    world.model = ScriptedModel([ModelUnavailable("down"), reply(LONG)])

    with pytest.raises(ModelUnavailable):
        world.summarize(run, "compact")
    assert world.everything() == before
    step = world.invoke_model(run, compact=False)

    assert (step.status, step.compact) == ("COMPLETED", False)
    assert count(world.model.requests[-1].messages) < WINDOW


@pytest.mark.parametrize(
    "nonsense",
    [reply(""), reply("  \n"), reply("", [("look_up", {"id": "7"})])],
    ids=["empty", "blank", "call"],
)
def test_an_answer_that_sums_nothing_up_is_no_compaction(world: World, chatty: Chatty, nonsense: ModelReply):
    run = fill(world, chatty)
    world.model = ScriptedModel([nonsense])

    with pytest.raises(SummaryUnusable):
        world.summarize(run, "compact")

    assert world.sessions.compaction(run.key) is None


def test_an_endless_answer_is_cut(world: World, chatty: Chatty):
    run = fill(world, chatty)
    world.model = ScriptedModel([reply("word " * 100_000)])

    world.summarize(run, "compact")

    compaction = world.sessions.compaction(run.key)
    assert compaction is not None
    assert len(compaction.text) < WINDOW


def test_a_compaction_is_made_once_however_often_its_step_runs(world: World, chatty: Chatty):
    run = fill(world, chatty)

    world.summarize(run, "compact")
    once = world.everything()
    world.summarize(run, "compact")

    assert world.everything() == once
    assert world.invoke_model(run).status == "COMPLETED"


def test_a_step_of_an_older_execution_compacts_nothing(world: World, chatty: Chatty):
    run = fill(world, chatty)
    world.sessions.start(world.run(run), now=world.clock)
    before = world.everything()

    world.summarize(run, "compact", execution=1)

    assert world.everything() == before


def test_an_answer_that_is_no_compaction_is_billed_and_counts(world: World, chatty: Chatty):
    run = fill(world, chatty)
    world.model = ScriptedModel([reply("", usage=Usage(500, 1))])

    with pytest.raises(SummaryUnusable):
        world.summarize(run, "compact")

    assert world.run(run).compacting.usage == Usage(500, 1)


@pytest.mark.parametrize("how", ["superseded", "forestalled", "ended"])
def test_a_compaction_that_came_too_late_is_billed_and_counts(world: World, chatty: Chatty, how: str):
    run = fill(world, chatty)

    class Slow:
        def reply(self, request: ModelRequest, tell: Tell | None = None) -> ModelReply:
            world.model = Scripted([])
            if how == "superseded":
                world.sessions.start(world.run(run), now=world.clock)
            elif how == "forestalled":
                world.summarize(run, "compact")
            else:
                world.cancel(run)
                world.finish(run)
            return reply("too late", usage=Usage(500, 50))

    world.model = Slow()
    world.summarize(run, "compact")

    others = Usage(1_000, 100) if how == "forestalled" else Usage()
    assert world.run(run).compacting.usage == Usage(500, 50) + others
    compaction = world.sessions.compaction(run.key)
    assert compaction is None or compaction.text != "too late"
    totals = world.run(run).totals
    assert totals is None or totals.usage == Usage(500, 50)


@pytest.mark.parametrize(("timeout", "seconds"), [(900, 45), (120, 30)])
def test_a_compaction_leaves_the_run_time_for_its_answer(world: World, timeout: int, seconds: int):
    world.apply(small(timeout_seconds=timeout))
    world.model = Chatty()
    run = fill(world, world.model)

    world.summarize(run, "compact")

    assert world.model.compactions[-1].timeout_seconds == seconds


def test_what_invoke_model_asks_for_is_what_can_be_done(world: World, chatty: Chatty):
    """With notes of other sessions and a model that counts more tokens than we do, both judge alike."""
    world.apply(replace(small(), memory=Memory(), context=Context(window_tokens=8_000)))
    notes = Notes(
        tuple("n" * 390 + f" {i}" for i in range(20)), tuple("o" * 390 + f" {i}" for i in range(20))
    )
    past = world.ask("hello", "before", memory_id="anna")
    told = world.memories.summary(past)
    assert told is not None
    world.memories.fold(replace(told, through_turn=1, notes=notes), before=told)
    counting = Counting(2.5)
    world.model = counting

    for i in range(20):
        run = world.ask(f"{i}: {LONG}", "s1", memory_id="anna")
        steps = 0
        while (step := world.invoke_model(run)).step == "compact":
            assert world.summarize(run, "compact"), "or it would be asked for again and again"
            steps += 1
        assert step.status == "COMPLETED"
        assert steps <= 1
        world.finish(run)
    assert counting.compacted > 0


class Counting(Chatty):
    """A model that counts more tokens than we do."""

    def __init__(self, ratio: float) -> None:
        super().__init__()
        self._ratio = ratio

    @property
    def compacted(self) -> int:
        return len(self.compactions)

    def reply(self, request: ModelRequest, tell: Tell | None = None) -> ModelReply:
        return replace(super().reply(request, tell), usage=Usage(int(estimate(request) * self._ratio), 20))


def test_nothing_is_asked_for_that_makes_little_difference(world: World):
    """The question alone fills the window, and each lap adds a little."""
    world.apply(replace(small(max_laps=50, same_call_repeats=100), context=Context(window_tokens=8_000)))
    model = Scripted([*[reply(calls=[("look_up", {"id": str(i)})]) for i in range(12)], reply("done")])
    world.model = model

    steps = drive(world, world.ask("what of this? " * 1_600))

    assert steps.count("compact") <= 1


def test_a_long_message_is_summed_up_to_its_end(world: World, chatty: Chatty):
    world.apply(replace(small(), context=Context(window_tokens=20_000)))
    say(world, f"{'My story is long. ' * 800}The contract has the number C-77.")
    for _ in range(60):
        say(world)

    (message,) = chatty.compactions[0].messages
    assert isinstance(message, UserMessage)
    assert "C-77" in message.text


def test_a_run_that_ended_meanwhile_needs_no_compaction(world: World, chatty: Chatty):
    run = fill(world, chatty)

    class Slow:
        def reply(self, request: ModelRequest, tell: Tell | None = None) -> ModelReply:
            world.finish(run)
            return reply("too late")

    world.model = Slow()

    world.summarize(run, "compact")

    assert world.sessions.compaction(run.key) is None
    assert world.run(run).status == "COMPLETED"


def test_where_nothing_can_give_way_the_model_is_asked_all_the_same(world: World):
    """A single message that fills the window is not compacted again and again."""
    world.apply(small())
    world.model = ScriptedModel([reply("too much")])

    step = world.invoke_model(world.ask("x" * 12_000))

    assert step.status == "COMPLETED"


def test_a_compaction_begins_where_a_past_turn_does(world: World, chatty: Chatty):
    run = fill(world, chatty)
    world.summarize(run, "compact")

    compaction = world.sessions.compaction(run.key)

    assert compaction is not None
    assert compaction.begins == Place(compaction.begins.turn, 0)
    assert 1 < compaction.begins.turn <= run.turn
    assert (compaction.turn, compaction.lap) == (run.turn, 0)


# -- long results


def test_what_was_cut_from_a_result_is_read_with_read_more(world: World):
    read_more = tool(
        "read_more",
        built_in="read_more",
        lambda_arn="",
        arguments=(),
        input_schema={
            "type": "object",
            "properties": {"call": {"type": "string"}, "from": {"type": "integer"}},
            "required": ["call"],
        },
    )
    world.apply(small(tool(), read_more))
    text = "".join(f"{i:06d}\n" for i in range(3_000))
    world.tools.answers["look_up"] = answer(text)
    world.model = ScriptedModel([reply(calls=[("look_up", {"id": "7"})]), reply("?"), reply("ok")])
    run = world.ask("find it")
    world.invoke_model(run)
    world.run_tool(run)
    world.invoke_model(run)
    shown = world.model.requests[1].messages[2].outcomes[0].content
    head, _, mark = shown.partition("\n[… cut here: ")
    call, start = json.loads(mark.partition("read_more ")[2].partition("}")[0] + "}").values()
    world.finish(run)

    world.model = ScriptedModel([reply(calls=[("read_more", {"call": call, "from": start})]), reply("ok")])
    second = world.ask("and then?")
    world.invoke_model(second)
    world.run_tool(second)

    result = world.history(second).results[1, 0]
    assert (result.outcome, start) == ("success", len(head))
    assert text.startswith(head + result.content.rpartition("\n[")[0][:500])
    assert world.tools.events[0]["function"] == "look_up"
    assert len(world.tools.events) == 1, "a built-in tool calls nobody"
