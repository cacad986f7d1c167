"""Any prefix of any history makes a request that providers accept, whatever ended the turns before."""

from __future__ import annotations

import itertools
import json
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from freehold import context
from freehold.adapters.openai_compatible import request_body
from freehold.adapters.rehearsal import Rehearsal
from freehold.values.agent import Agent, ModelChoice
from freehold.values.model import (
    AssistantMessage,
    Message,
    ModelEntry,
    ModelRequest,
    ToolMessage,
    ToolSpec,
    Usage,
    UserMessage,
)
from freehold.values.run import Call, History, Lap, Marker, Principal, Result, Run, Status
from model_server import what_is_wrong

TEXTS = st.text(max_size=30)
ARGUMENTS = st.one_of(
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=2).map(json.dumps),
    st.just("{oops"),
    st.just("[1]"),
)


def run(turn: int, status: Status, text: str, last_lap: int | None) -> Run:
    return Run(
        "t", "C1", turn, "s", "a", "1", "d", "DRAFT", "durable", status, Principal("key", "k"), "test", text, 0, 900,
        last_lap=last_lap, stop_reason=None if status == "COMPLETED" else "maxLaps",
    )  # fmt: skip


@st.composite
def calls(draw: st.DrawFn) -> Call:
    arguments = draw(ARGUMENTS)
    refused = draw(st.booleans()) or not isinstance(
        json.loads(arguments) if arguments[1:2] != "o" else None, dict
    )
    return Call(draw(st.sampled_from(("look_up", "pay"))), arguments, "no" if refused else None)


@st.composite
def turns(draw: st.DrawFn, turn: int, *, ended: bool) -> History:
    """A turn as the protocol leaves it: in an ended one every call has a result, in the present one perhaps not."""
    laps = tuple(
        Lap(n, f"id{n}", 0, "m", draw(TEXTS), tuple(draw(st.lists(calls(), max_size=3))), Usage(), 0, "end",
            Decimal(0), reasoning=(thought := draw(st.none() | st.just("{}"))), reasoning_by=thought and "api:m")
        for n in range(1, draw(st.integers(0, 3)) + 1)
    )  # fmt: skip
    statuses: tuple[Status, ...] = ("COMPLETED", "FAILED", "STOPPED", "CANCELLED") if ended else ("RUNNING",)
    told = draw(st.text(min_size=1, max_size=30))
    made = run(turn, draw(st.sampled_from(statuses)), told, len(laps) if ended else None)
    results, markers = {}, {}
    for lap in laps:
        for i in lap.open_calls:
            outcome = draw(st.sampled_from(("success", "error", "unknown", "cancelled")))
            present = ended or draw(st.sampled_from(("result", "marker", "nothing")))
            if present in (True, "result"):
                results[lap.lap, i] = Result(lap.lap, i, "look_up", outcome, draw(TEXTS), 0)
            elif present == "marker":
                markers[lap.lap, i] = Marker(lap.lap, i, "look_up", "me", 0, 0)
    return History(made, laps, results, markers)


@st.composite
def conversations(draw: st.DrawFn) -> tuple[list[History], History]:
    past = [draw(turns(n, ended=True)) for n in range(1, draw(st.integers(0, 3)) + 1)]
    return past, draw(turns(len(past) + 1, ended=False))


@settings(max_examples=200, deadline=None)
@given(conversations())
def test_every_call_is_answered_and_the_speakers_take_turns(conversation: tuple[list[History], History]):
    told = context.messages(*conversation)

    assert isinstance(told[0], UserMessage)
    for before, after in itertools.pairwise(told):
        assert allowed(before, after), (before, after)
    assert not (isinstance(told[-1], AssistantMessage) and told[-1].calls)
    ids = [use.id for message in told if isinstance(message, AssistantMessage) for use in message.calls]
    assert len(ids) == len(set(ids))


def allowed(before: Message, after: Message) -> bool:
    if isinstance(before, AssistantMessage) and before.calls:
        answered = isinstance(after, ToolMessage) and [each.id for each in after.outcomes]
        return answered == [use.id for use in before.calls]
    if isinstance(before, UserMessage):
        return isinstance(after, AssistantMessage)
    return isinstance(after, AssistantMessage | UserMessage)


@settings(max_examples=100, deadline=None)
@given(conversations())
def test_each_adapter_accepts_it(conversation: tuple[list[History], History]):
    agent = Agent("a", ModelChoice("m"), "Help.")
    tools = tuple(ToolSpec(name, name, {"type": "object", "properties": {}}) for name in ("look_up", "pay"))
    told = context.messages(*conversation)
    request = ModelRequest("m", context.instruction(agent, {}), told, tools)

    assert what_is_wrong(json.loads(json.dumps(request_body(request)))) is None
    assert Rehearsal().reply(request).model == "rehearsal"


def test_reasoning_goes_back_to_the_model_that_it_came_from_and_to_no_other():
    thought = Lap(
        1, "id", 0, "m", "yes", (), Usage(), 0, "end", reasoning="{}", reasoning_by="converse:claude"
    )
    past = [History(run(1, "COMPLETED", "hello", 1), (thought,))]

    def replayed(entry: ModelEntry) -> str | None:
        reply = context.messages(past, History(run(2, "RUNNING", "and?", None)), entry)[1]
        assert isinstance(reply, AssistantMessage)
        return reply.reasoning

    assert replayed(ModelEntry("claude", "converse")) == "{}"
    assert replayed(ModelEntry("claude", "responses")) is None
    assert replayed(ModelEntry("nova", "converse")) is None


def test_a_turn_that_never_began_is_left_out():
    cancelled = History(run(1, "CANCELLED", "forget it", 0))

    told = context.messages([cancelled], History(run(2, "RUNNING", "hello", None)))

    assert told == (UserMessage("hello"),)


def test_attributes_of_one_request_are_shown_as_data():
    shown = context.instruction(Agent("a", ModelChoice("m"), "Help."), {"today": "Monday"})

    assert shown.startswith("Help.\n\n")
    assert '{"today": "Monday"}' in shown
