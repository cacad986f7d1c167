"""What the rehearsal model promises beyond good choices: that it says what it is, counts, and is careful with acts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from freehold.adapters.rehearsal import Rehearsal
from freehold.values.agent import Inference
from freehold.values.model import (
    AssistantMessage,
    Message,
    ModelReply,
    ModelRequest,
    ToolMessage,
    ToolOutcome,
    ToolSpec,
    ToolUse,
    UserMessage,
)


def tool(
    name: str, description: str, required: tuple[str, ...] = (), **properties: dict[str, Any]
) -> ToolSpec:
    schema = {"type": "object", "properties": properties, "required": list(required)}
    return ToolSpec(name, description, schema)


GET_PARCEL = tool("get_parcel", "Look up a parcel", ("code",), code={"type": "string", "pattern": r"^P-\d+$"})
STOP_PARCEL = tool("stop_parcel", "Stop a parcel", ("code",), code={"type": "string", "pattern": r"^P-\d+$"})
BOTH = (GET_PARCEL, STOP_PARCEL)


def ask(*said: str | Message, tools: tuple[ToolSpec, ...] = BOTH, **more: Any) -> ModelReply:
    messages = tuple(UserMessage(one) if isinstance(one, str) else one for one in said)
    return Rehearsal("openai.gpt-5.5").reply(ModelRequest("m", "Help.", messages, tools, **more))


def made(reply: ModelReply) -> list[tuple[str, dict[str, Any]]]:
    return [(use.name, json.loads(use.arguments)) for use in reply.calls]


def answered(reply: ModelReply, *contents: str, ok: bool = True) -> tuple[Message, Message]:
    """The reply and the outcomes of its calls, as they stand in the history."""
    outcomes = tuple(
        ToolOutcome(use.id, content, ok) for use, content in zip(reply.calls, contents, strict=True)
    )
    return AssistantMessage(reply.text, reply.calls), ToolMessage(outcomes)


def test_the_first_answer_says_what_it_is_and_how_to_get_a_real_model():
    first = ask("Hello")
    second = ask("Hello", AssistantMessage(first.text), "What can you do?")

    assert "rehearsal model, standing in for openai.gpt-5.5" in first.text
    assert "FREEHOLD_MODEL_URL" in first.text
    assert "rehearsal" not in second.text


def test_the_first_answer_may_come_after_calls():
    looked_up = ask("Where is P-7?")

    answer = ask("Where is P-7?", *answered(looked_up, '{"place": "depot"}'))

    assert made(looked_up) == [("get_parcel", {"code": "P-7"})]
    assert "rehearsal model" in answer.text
    assert "depot" in answer.text


def test_it_answers_under_its_own_name_and_counts_four_characters_as_a_token():
    reply = ask("Hello", tools=())

    assert reply.model == "rehearsal"
    assert reply.usage.input_tokens == -(-len("Help." + "Hello") // 4)
    assert reply.usage.output_tokens == -(-len(reply.text) // 4)


def test_more_to_read_is_more_tokens():
    short, long = ask("Hello"), ask("Hello", AssistantMessage("x" * 4000), "Hello")

    assert 1000 <= long.usage.input_tokens - short.usage.input_tokens <= 1010


def test_a_limit_on_the_answer_is_kept():
    reply = ask("Hello", inference=Inference(maximum_length=5))

    assert (len(reply.text), reply.stop) == (20, "length")


def test_calls_stop_for_tools_and_have_ids_of_their_own():
    reply = ask("Where are P-7 and P-8?")

    assert made(reply) == [("get_parcel", {"code": "P-7"}), ("get_parcel", {"code": "P-8"})]
    assert len({use.id for use in reply.calls}) == 2
    assert reply.stop == "tools"


@pytest.mark.parametrize(
    "said",
    [
        "Stop P-7",
        "please stop P-7",
        "Could you stop parcel P-7?",
        "I want to stop P-7",
        "Hi, I'd like to stop my parcel P-7.",
        "Thanks. Now stop P-7",
        "I need you to please stop P-7",
    ],
)
def test_an_act_is_done_where_it_is_asked_for(said: str):
    assert made(ask(said)) == [("stop_parcel", {"code": "P-7"})]


@pytest.mark.parametrize(
    "said",
    [
        "Did you stop P-7?",
        "Where does P-7 stop?",
        "Don't stop P-7",
        "I do not want to stop P-7",
        "Was P-7 stopped?",
        "How can I stop P-7?",
        "The stop of P-7 was long",
        "Can I stop P-7?",
    ],
)
def test_an_act_is_not_done_where_it_is_only_spoken_of(said: str):
    assert "stop_parcel" not in [name for name, _ in made(ask(said))]


def test_the_same_call_is_never_made_twice_in_a_run():
    first = ask("Where is P-7? Tell me where P-7 is.")

    second = ask("Where is P-7? Tell me where P-7 is.", *answered(first, "in a van"))

    assert len(first.calls) == 1
    assert second.calls == ()
    assert "in a van" in second.text


def test_a_failed_call_is_told_and_not_repeated():
    first = ask("Where is P-7?")

    second = ask("Where is P-7?", *answered(first, '{"error": "the depot is closed"}', ok=False))

    assert second.calls == ()
    assert "failed: the depot is closed" in second.text


def test_a_missing_value_is_asked_for_in_plain_words_and_taken_from_the_answer():
    question = ask("Stop my parcel please")

    done = ask("Stop my parcel please", AssistantMessage(question.text), "it is P-12")

    assert question.calls == ()
    assert "To stop a parcel I still need the code" in question.text
    assert made(done) == [("stop_parcel", {"code": "P-12"})]


def test_a_question_left_unanswered_gives_way_to_another_matter():
    question = ask("Stop my parcel please")

    reply = ask("Stop my parcel please", AssistantMessage(question.text), "Where is parcel P-3?")

    assert made(reply) == [("get_parcel", {"code": "P-3"})]


def test_a_value_told_earlier_is_used_again():
    first = ask("Where is P-7?")
    history = (
        "Where is P-7?",
        *answered(first, '{"code": "P-7", "place": "depot"}'),
        AssistantMessage("At the depot."),
    )

    assert made(ask(*history, "Then stop it")) == [("stop_parcel", {"code": "P-7"})]


def test_an_act_on_one_of_several_is_not_guessed():
    listing = tool("list_parcels", "List my parcels")
    tools = (listing, *BOTH)
    first = ask("List my parcels", tools=tools)
    outcome = '[{"code": "P-1", "name": "books"}, {"code": "P-2", "name": "shoes"}]'
    history = ("List my parcels", *answered(first, outcome), AssistantMessage("Two."))

    unclear, clear = ask(*history, "stop it", tools=tools), ask(*history, "stop the shoes", tools=tools)

    assert unclear.calls == ()
    assert "books (P-1) or shoes (P-2)" in unclear.text
    assert made(clear) == [("stop_parcel", {"code": "P-2"})]


def test_text_in_a_refusal_is_no_value_to_go_on_with():
    first = ask("Where is P-7?")
    refusal = '{"message": "no parcel P-7 (they look like P-1)"}'

    reply = ask("Where is P-7?", *answered(first, refusal), AssistantMessage("Sorry."), "Stop the second one")

    assert reply.calls == ()


def test_a_long_list_is_cut_and_counted():
    listing = tool("list_parcels", "List my parcels")
    first = ask("List my parcels", tools=(listing,))
    rows = json.dumps({"parcels": [{"code": f"P-{i}"} for i in range(40)]})

    answer = ask("List my parcels", *answered(first, rows), tools=(listing,))

    assert "40 found" in answer.text
    assert "… and 34 more" in answer.text
    assert "P-39" not in answer.text


def test_what_was_asked_about_comes_first():
    first = ask("What does P-7 weigh?")
    fields = {"sender": "Ana", "route": "north", "van": 7, "colour": "brown", "weight": "3 kg"}

    told = ask("What is the weight of P-7?", *answered(first, json.dumps(fields))).text.splitlines()

    facts = [line for line in told if line.startswith("- ")]
    assert facts[0] == "- weight: 3 kg"
    assert len(facts) == 5


def test_without_tools_it_says_so():
    assert "no tools" in ask("Where is P-7?", tools=()).text


def test_it_says_what_it_can_do_where_no_tool_fits():
    answer = ask("Who wrote Hamlet?").text

    assert "no tool that fits" in answer
    assert "- Look up a parcel (needs the code)" in answer


def test_a_history_that_it_did_not_make_itself_is_understood():
    history = (
        UserMessage("hi"),
        AssistantMessage("", (ToolUse("x", "gone_tool", "no json at all"),)),
        ToolMessage((ToolOutcome("x", "{broken"), ToolOutcome("y", "never asked for"))),
    )

    assert ask(*history).text
    assert made(ask(*history, "Where is P-7?")) == [("get_parcel", {"code": "P-7"})]
