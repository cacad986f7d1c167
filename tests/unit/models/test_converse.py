"""What a model on Bedrock answers, as a reply: every stubbed answer is one that botocore's model describes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ParamValidationError

from converse_rules import converse_problems
from freehold.errors import ModelRejected, ModelUnavailable
from freehold.values.model import (
    AssistantMessage,
    Message,
    ModelReply,
    ModelRequest,
    ToolMessage,
    ToolOutcome,
    ToolUse,
    Usage,
)
from stubbed_bedrock import BOOK, OPUS, REQUEST, Bedrock, client, use

SIGNED = {"reasoningText": {"text": "Two books.", "signature": "c2lnbmVk"}}
REDACTED = {"redactedContent": b"\x00\xffsecret"}


@pytest.fixture
def bedrock() -> Iterator[Bedrock]:
    with Bedrock() as stubbed:
        yield stubbed


def test_a_text_comes_back_with_the_tokens_that_bedrock_counted(bedrock: Bedrock):
    bedrock.answers({"text": "hi"})

    assert bedrock.reply() == ModelReply("hi", (), Usage(10, 5), "end", OPUS.id)


def test_the_client_waits_no_longer_than_the_request_may(bedrock: Bedrock):
    bedrock.answers({"text": "hi"})

    bedrock.reply()

    assert bedrock.seconds == [31]


def test_a_field_that_bedrock_does_not_know_fails_a_stubbed_answer(bedrock: Bedrock):
    with pytest.raises(ParamValidationError, match="mood"):
        bedrock.answers({"text": "hi", "mood": "good"})


def test_a_field_that_bedrock_does_not_know_fails_a_request():
    messages: Any = [{"role": "user", "content": [{"text": "hi", "mood": "good"}]}]

    with pytest.raises(ParamValidationError, match="mood"):
        client().converse(modelId=OPUS.id, messages=messages)
    assert "mood" in converse_problems({"modelId": OPUS.id, "messages": messages, "mood": "good"})[0]


def test_all_of_several_calls_come_back_in_order(bedrock: Bedrock):
    bedrock.answers({"text": "Looking."}, use("a"), use("b", input={"name": "Bücher"}), stop="tool_use")

    reply = bedrock.reply()

    assert reply.calls == (
        ToolUse("a", "get_book", '{"id": 1}'),
        ToolUse("b", "get_book", '{"name": "Bücher"}'),
    )
    assert (reply.text, reply.stop) == ("Looking.", "tools")


@pytest.mark.parametrize(
    ("given", "arguments"),
    [({}, "{}"), ([], "[]"), ("{oops", "{oops"), ({"id": float("nan")}, '{"id": NaN}')],
)
def test_arguments_come_back_as_the_text_that_the_model_wrote(bedrock: Bedrock, given: Any, arguments: str):
    bedrock.answers(use("a", input=given), stop="tool_use")

    assert bedrock.reply().calls[0].arguments == arguments


def test_a_tool_that_bedrock_runs_itself_is_no_call_of_ours(bedrock: Bedrock):
    bedrock.answers(use("a", "nova_grounding", type="server_tool_use"), {"text": "Found."})

    assert bedrock.reply() == ModelReply("Found.", (), Usage(10, 5), "end", OPUS.id)


def test_texts_around_a_call_are_paragraphs(bedrock: Bedrock):
    bedrock.answers({"text": "First."}, {"text": ""}, {"text": "Second."})

    assert bedrock.reply().text == "First.\n\nSecond."


def test_tokens_that_a_cache_gave_or_took_are_part_of_the_input(bedrock: Bedrock):
    counted = {"cacheReadInputTokens": 800, "cacheWriteInputTokens": 90, "totalTokens": 905}
    bedrock.answers({"text": "hi"}, usage=counted)

    assert bedrock.reply().usage == Usage(900, 5, 800, 90)


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        ("end_turn", "end"),
        ("stop_sequence", "end"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("guardrail_intervened", "filtered"),
        ("content_filtered", "filtered"),
        ("refusal", "filtered"),
        ("tool_use", "end"),
        ("a_reason_of_tomorrow", "end"),
    ],
)
def test_why_the_model_stopped_is_told(bedrock: Bedrock, reason: str, stop: str):
    bedrock.answers({"text": "some text"}, stop=reason)

    assert bedrock.reply().stop == stop


@pytest.mark.parametrize("reason", ["malformed_model_output", "malformed_tool_use"])
def test_what_bedrock_could_not_read_may_be_asked_for_again(bedrock: Bedrock, reason: str):
    bedrock.answers({"text": "get_book(1"}, stop=reason)

    with pytest.raises(ModelUnavailable, match=rf"{reason}\): get_book\(1"):
        bedrock.reply()


def test_every_stop_reason_of_the_service_model_is_decided():
    shape = client().meta.service_model.shape_for("StopReason")

    assert set(shape.enum) == {
        "end_turn",
        "tool_use",
        "max_tokens",
        "stop_sequence",
        "guardrail_intervened",
        "content_filtered",
        "malformed_model_output",
        "malformed_tool_use",
        "model_context_window_exceeded",
    }


@pytest.mark.parametrize("reason", ["max_tokens", "model_context_window_exceeded"])
def test_a_call_that_was_cut_off_is_not_made(bedrock: Bedrock, reason: str):
    bedrock.answers({"text": "Looking."}, use("a"), use("b", input={}), stop=reason)

    reply = bedrock.reply()

    assert [call.id for call in reply.calls] == ["a"]
    assert reply.stop == "length"


def test_calls_before_a_text_that_was_cut_off_are_whole(bedrock: Bedrock):
    bedrock.answers(use("a"), {"text": "And th"}, stop="max_tokens")

    assert [call.id for call in bedrock.reply().calls] == ["a"]


def test_what_was_filtered_is_not_called(bedrock: Bedrock):
    bedrock.answers({"text": "I cannot."}, use("a"), stop="guardrail_intervened")

    assert bedrock.reply() == ModelReply("I cannot.", (), Usage(10, 5), "filtered", OPUS.id)


def test_calls_count_whatever_reason_is_given(bedrock: Bedrock):
    bedrock.answers(use("a"))

    assert bedrock.reply().stop == "tools"


def test_an_empty_answer_is_an_answer(bedrock: Bedrock):
    bedrock.answers()

    assert bedrock.reply() == ModelReply("", (), Usage(10, 5), "end", OPUS.id)


def test_a_stop_for_a_tool_that_is_not_named_may_be_asked_for_again(bedrock: Bedrock):
    bedrock.answers(stop="tool_use")

    with pytest.raises(ModelUnavailable, match="called none"):
        bedrock.reply()


def after(reply: ModelReply) -> ModelRequest:
    """The request that follows a reply with calls."""
    messages: list[Message] = [*REQUEST.messages, AssistantMessage(reply.text, reply.calls, reply.reasoning)]
    messages.append(ToolMessage(tuple(ToolOutcome(call.id, "Dune") for call in reply.calls)))
    return ModelRequest(OPUS.id, "Be kind.", tuple(messages), (BOOK,))


def test_reasoning_goes_back_as_it_came(bedrock: Bedrock):
    bedrock.answers({"reasoningContent": SIGNED}, {"reasoningContent": REDACTED}, use("a"), stop="tool_use")
    bedrock.answers({"text": "Dune."})

    second = bedrock.reply(after(bedrock.reply()))

    assert (second.text, second.reasoning) == ("Dune.", None)
    assert bedrock.requests[1]["messages"][1]["content"] == [
        {"reasoningContent": SIGNED},
        {"reasoningContent": REDACTED},
        use("a"),
    ]


@pytest.mark.parametrize(
    "message",
    [
        "The model returned the following errors: messages.1.content.0: Invalid `signature` in `thinking` block",
        "messages.1.content.1: `thinking` or `redacted_thinking` blocks in the latest assistant message cannot be"
        " modified",
        "This model doesn't support the reasoningContent.reasoningText.signature field.",
        "User messages cannot contain reasoning content. Please remove the reasoning content and try again.",
    ],
)
def test_reasoning_that_is_refused_is_left_out_and_the_session_goes_on(bedrock: Bedrock, message: str):
    bedrock.answers({"reasoningContent": SIGNED}, use("a"), stop="tool_use")
    bedrock.fails("ValidationException", message)
    bedrock.answers({"text": "Dune."})

    reply = bedrock.reply(after(bedrock.reply()))

    assert reply.text == "Dune."
    assert bedrock.requests[2]["messages"][1]["content"] == [use("a")]
    assert len(bedrock.requests) == 3


def test_a_request_without_reasoning_is_asked_once(bedrock: Bedrock):
    bedrock.fails("ValidationException", "Invalid `signature` in `thinking` block")

    with pytest.raises(ModelRejected, match="Invalid `signature`"):
        bedrock.reply()

    assert len(bedrock.requests) == 1
