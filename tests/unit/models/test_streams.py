"""An answer that comes as a stream is the same reply, or the same error, as one that comes whole."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.adapters.chat_stream import ChatStream
from freehold.adapters.converse_reply import read_reply as read_converse
from freehold.adapters.converse_stream import gathered
from freehold.adapters.openai_compatible import read_reply as read_completion
from freehold.adapters.responses_reply import read_response
from freehold.adapters.responses_stream import ResponseStream
from freehold.adapters.spoken import Spoken
from freehold.errors import ContextTooLong, FreeholdError, ModelRejected, ModelThrottled, ModelUnavailable
from freehold.values.model import ModelReply
from streamed import Item, chat_events, converse_events, response_stream

from .bedrock_server import call, message, reasoning, refusal, response

TEXT = st.text(st.sampled_from('ab \n"\\{é\U0001f600'), max_size=12)
ARGUMENTS = st.sampled_from(["", "{}", '{"id": 7}', '{"a": [1.0, "\u00fc"]}', "{oops", "[1]", '"text"'])


def cut_by(size: int) -> Callable[[str], list[str]]:
    return lambda text: [text[i : i + size] for i in range(0, len(text), size)]


def in_parts(content: bytes, size: int) -> Iterator[bytes]:
    """As the network may bring it."""
    return (content[i : i + size] for i in range(0, len(content), size))


def told(read: Callable[[Spoken], ModelReply]) -> tuple[ModelReply | type[FreeholdError], str]:
    """The reply or its error, and the text that was told before it came."""
    pieces: list[str] = []
    spoken = Spoken(pieces.append)
    return outcome(lambda: spoken.settled(read(spoken))), "".join(pieces)


def outcome(read: Callable[[], ModelReply]) -> ModelReply | type[FreeholdError]:
    try:
        return read()
    except FreeholdError as error:
        return type(error)


def same(
    streamed: tuple[ModelReply | type[FreeholdError], str], whole: ModelReply | type[FreeholdError]
) -> None:
    reply, text = streamed
    assert reply == whole
    if isinstance(reply, ModelReply):
        assert text == reply.text


# -- chat completions

CHAT_CALLS = st.builds(
    lambda number, name, arguments: {
        "id": number, "type": "function", "function": {"name": name, "arguments": arguments},
    },
    st.uuids().map(str), st.sampled_from(["f", "g", ""]), ARGUMENTS,
)  # fmt: skip
COMPLETIONS = st.builds(
    lambda content, refusal, calls, finish, usage: {
        "model": "m-1",
        "choices": [
            {
                "message": {"content": content, "refusal": refusal, "tool_calls": calls},
                "finish_reason": finish,
            }
        ],
        "usage": usage,
    },
    st.none() | TEXT,
    st.none() | TEXT,
    st.lists(CHAT_CALLS, max_size=3),
    st.sampled_from(["stop", "length", "tool_calls", "content_filter"]),
    st.sampled_from([None, {"prompt_tokens": 10, "completion_tokens": 5}]),
)


def chat(parts: Iterable[bytes]) -> Callable[[Spoken], ModelReply]:
    def read(spoken: Spoken) -> ModelReply:
        stream, came = ChatStream("here", spoken), b""
        for part in parts:
            came += part
            stream.hear(part)
        return read_completion(stream.completion(came), "m", "here", came)

    return read


@given(COMPLETIONS, st.integers(1, 4), st.integers(1, 400))
def test_a_completion_is_the_same_reply_streamed_and_whole(completion: Item, size: int, packet: int):
    streamed = told(chat(in_parts(b"".join(chat_events(completion, cut_by(size))), packet)))

    same(streamed, outcome(lambda: read_completion(completion, "m", "here", b"")))


# -- responses

OUTPUT = st.lists(
    st.one_of(
        TEXT.map(message),
        TEXT.map(lambda text: message(text, phase="commentary")),
        st.builds(
            lambda one, two: message("", content=message(one)["content"] + message(two)["content"]),
            TEXT,
            TEXT,
        ),
        TEXT.map(refusal),
        st.builds(call, st.sampled_from(["f", "g"]), ARGUMENTS),
        st.just(call("f", '{"i', status="incomplete")),
        st.integers(0, 9).map(lambda number: reasoning(f"rs_{number}")),
    ),
    max_size=4,
)
STATES: list[Item] = [
    {},
    {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
    {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}},
    {"status": "failed", "error": {"code": "server_error", "message": "no"}},
    {"status": "failed", "error": {"code": "rate_limit_exceeded", "message": "no"}},
    {"status": "failed", "error": {"code": "invalid_prompt", "message": "no"}},
    {"usage": None},
]


def responses(parts: Iterable[bytes]) -> Callable[[Spoken], ModelReply]:
    def read(spoken: Spoken) -> ModelReply:
        stream, came = ResponseStream("here", spoken), b""
        for part in parts:
            came += part
            stream.hear(part)
        return read_response(stream.response(came), "m", "here", came)

    return read


@given(OUTPUT, st.sampled_from(STATES), st.integers(1, 4), st.integers(1, 400))
def test_a_response_is_the_same_reply_streamed_and_whole(
    output: list[Item], state: Item, size: int, packet: int
):
    made = response(*output, **state)
    streamed = told(responses(in_parts(b"".join(response_stream(made, cut_by(size))), packet)))

    same(streamed, outcome(lambda: read_response(made, "m", "here", b"")))


# -- Converse

DOCUMENTS = st.sampled_from([{}, {"id": 7}, {"deep": [1, None, 2.5, {"ü": True}]}, "text", [1]])
BLOCKS = st.lists(
    st.one_of(
        TEXT.map(lambda text: {"text": text}),
        st.builds(
            lambda name, given: {"toolUse": {"toolUseId": f"id_{name}", "name": name, "input": given}},
            st.sampled_from(["f", "g"]),
            DOCUMENTS,
        ),
        st.just({"toolUse": {"toolUseId": "s", "name": "f", "type": "server_tool_use", "input": {}}}),
        st.just({"toolUse": {"toolUseId": "n", "name": "f"}}),
        TEXT.map(lambda text: {"reasoningContent": {"reasoningText": {"text": text, "signature": "s=="}}}),
        TEXT.map(lambda text: {"reasoningContent": {"reasoningText": {"text": text}}}),
        st.just({"reasoningContent": {"redactedContent": b"\x00\xffsecret"}}),
    ),
    max_size=4,
)
REASONS = [
    "end_turn", "tool_use", "max_tokens", "stop_sequence", "guardrail_intervened", "content_filtered", "refusal",
    "model_context_window_exceeded", "malformed_model_output", "malformed_tool_use", "made_up",
]  # fmt: skip
COUNTED = {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15, "cacheReadInputTokens": 3}


@given(BLOCKS, st.sampled_from(REASONS), st.sampled_from([{}, {"usage": COUNTED}]), st.integers(1, 4))
def test_converse_gives_the_same_reply_streamed_and_whole(
    content: list[Item], reason: str, more: Item, size: int
):
    answer: dict[str, Any] = {"output": {"message": {"content": content}}, "stopReason": reason, **more}
    events = list(converse_events(answer, cut_by(size)))
    streamed = told(lambda spoken: read_converse(gathered(events, "m", spoken), "m"))

    same(streamed, outcome(lambda: read_converse(answer, "m")))


# -- what a stream alone can do


def events(*told: object) -> list[bytes]:
    return [f"data: {each if isinstance(each, str) else json.dumps(each)}\n\n".encode() for each in told]


def delta(finish: str | None = None, **told: Any) -> Item:
    return {"choices": [{"index": 0, "delta": told, "finish_reason": finish}]}


def piece(index: int | None, name: str | None = None, function: str = "", arguments: str = "") -> Item:
    """Part of a tool call, with what the server sends of it."""
    sent = {"index": index, "id": name, "function": {"name": function, "arguments": arguments}}
    sent["function"] = {key: value for key, value in sent["function"].items() if value}
    return {key: value for key, value in sent.items() if value is not None}


def test_halves_of_a_character_that_come_apart_are_one_again():
    sent = events(
        '{"choices": [{"delta": {"content": "a\\ud83d"}}]}',
        '{"choices": [{"delta": {"content": "\\ude00b"}}]}',
        delta(tool_calls=[piece(0, "c", "f", '{"a": "')]),
        '{"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"arguments": "\\ud83d"}}]}}]}',
        '{"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"arguments": "\\ude00\\"}"}}]}}]}',
        "[DONE]",
    )

    reply, text = told(chat(sent))

    assert isinstance(reply, ModelReply)
    assert (reply.text, text) == ("a\U0001f600b", "a\U0001f600b")
    assert reply.calls[0].arguments == '{"a": "\U0001f600"}'


def test_half_a_character_that_nothing_follows_is_told_as_it_is():
    reply, text = told(chat(events('{"choices": [{"delta": {"content": "a\\ud83d"}}]}', "[DONE]")))

    assert isinstance(reply, ModelReply)
    assert reply.text == text == "a\ud83d"


@pytest.mark.parametrize(
    "sent",
    [
        [[piece(0, "a", "f", "{}"), piece(0, "b", "g", "{}")]],
        [[piece(None, "a", "f", "{}")], [piece(None, "b", "g", "{}")]],
        [[piece(None, None, "f", "{}")], [piece(None, None, "g", "{}")]],
        [[piece(0, "a", "f"), piece(1, "b", "g")], [piece(1, None, "", "{}"), piece(0, None, "", "{}")]],
        [[piece(0, "a", "f", "{")], [piece(0, "a", "f", "}")], [piece(1, "b", "g", "{}")]],
        [[piece(None, "a", "f", "{")], [piece(None, None, "", "}")], [piece(None, "b", "g", "{}")]],
    ],
)
def test_calls_are_kept_apart_however_servers_number_them(sent: list[list[Item]]):
    reply, _ = told(chat(events(*(delta(tool_calls=calls) for calls in sent), "[DONE]")))

    assert isinstance(reply, ModelReply)
    assert [(use.name, use.arguments) for use in reply.calls] == [("f", "{}"), ("g", "{}")]


def test_comments_names_and_other_choices_are_passed_over():
    sent = [
        b": waiting\r\n\r\n",
        b"event: message\r\nid: 1\r\n",
        *events(delta(content="one")),
        *events({"choices": [{"index": 1, "delta": {"content": "another"}}]}),
        b'data: {"choices": [{"delta": {"content": " two"}, "finish_reason": "stop"}]}',
    ]

    reply, text = told(chat(sent))

    assert isinstance(reply, ModelReply)
    assert reply.text == text == "one two"


def test_an_answer_that_was_no_stream_after_all_is_told_at_once():
    completion = {"choices": [{"message": {"content": "all of it"}, "finish_reason": "stop"}]}

    reply, text = told(chat([json.dumps(completion, indent=1).encode()]))

    assert isinstance(reply, ModelReply)
    assert reply.text == text == "all of it"


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (events(delta(content="so")), ModelUnavailable),
        (events(delta(content="so"), "{broken"), ModelUnavailable),
        ([b"<html>busy</html>"], ModelUnavailable),
        ([b""], ModelUnavailable),
        (events("[DONE]"), ModelUnavailable),
        (events(delta(content="so"), {"error": {"message": "slow down", "code": 429}}), ModelThrottled),
        (events({"error": {"message": "no", "type": "rate_limit_error"}}), ModelThrottled),
        (events({"error": {"message": "oops", "code": "502"}}), ModelUnavailable),
        (events({"error": "it fell over"}), ModelUnavailable),
        ([b'error: {"error": {"code": 500, "message": "llama"}}\n\n'], ModelUnavailable),
        (events({"error": {"message": "no", "type": "invalid_request_error"}}), ModelRejected),
        (events({"error": {"message": "no", "code": 400}}), ModelRejected),
        (events({"error": {"message": "the prompt is too long", "code": 400}}), ContextTooLong),
    ],
)
def test_a_completion_that_breaks_off_is_the_error_that_it_stands_for(
    sent: list[bytes], error: type[FreeholdError]
):
    assert told(chat(sent))[0] is error


@pytest.mark.parametrize(
    ("last", "error"),
    [
        ({"type": "error", "code": "server_error", "message": "oops"}, ModelUnavailable),
        ({"type": "error", "code": None, "message": "oops"}, ModelUnavailable),
        ({"type": "error", "error": {"type": "throttlingException", "message": "slow"}}, ModelThrottled),
        ({"error": {"code": "ModelStreamErrorException", "message": "oops"}}, ModelUnavailable),
        ({"type": "error", "code": "invalid_prompt", "message": "no"}, ModelRejected),
        ({"type": "error", "code": "context_length_exceeded", "message": "no"}, ContextTooLong),
        ({"type": "response.in_progress", "response": {}}, ModelUnavailable),
        ("[DONE]", ModelUnavailable),
    ],
)
def test_a_response_that_breaks_off_is_the_error_that_it_stands_for(last: object, error: type[FreeholdError]):
    begun = response_stream(response(message("so far")))[:-1]

    assert told(responses([*begun, *events(last)])) == (error, "so far")


def test_a_last_event_that_repeats_nothing_is_enough():
    sent = response_stream(response(reasoning(), message("hello"), call("f", "{}")))[:-1]
    last = {"type": "response.completed", "response": {"id": "resp_1", "usage": {"input_tokens": 3}}}

    reply, text = told(responses([*sent, *events(last)]))

    assert isinstance(reply, ModelReply)
    assert (reply.text, text, [use.name for use in reply.calls]) == ("hello", "hello", ["f"])
    assert (reply.stop, reply.usage.input_tokens, reply.reasoning is None) == ("tools", 3, False)


def test_a_last_word_that_differs_does_not_unsay_what_was_told():
    sent = response_stream(response(message("hello  there")))[:-1]
    last = {"type": "response.completed", "response": response(message("hello there"))}

    reply, text = told(responses([*sent, *events(last)]))

    assert isinstance(reply, ModelReply)
    assert reply.text == text == "hello  there"


@pytest.mark.parametrize("kept", [0, 1, 3])
def test_a_converse_stream_without_its_end_is_no_reply(kept: int):
    answer: Item = {"output": {"message": {"content": [{"text": "one two three"}]}}, "stopReason": "end_turn"}
    sent = list(converse_events(answer))[:kept]

    assert told(lambda spoken: read_converse(gathered(sent, "m", spoken), "m"))[0] is ModelUnavailable


def test_arguments_that_are_no_json_stay_the_models_own_text():
    sent = [
        {
            "contentBlockStart": {
                "start": {"toolUse": {"toolUseId": "a", "name": "f"}},
                "contentBlockIndex": 0,
            }
        },
        {"contentBlockDelta": {"delta": {"toolUse": {"input": '{"id": '}}, "contentBlockIndex": 0}},
        {"messageStop": {"stopReason": "tool_use"}},
    ]

    reply, _ = told(lambda spoken: read_converse(gathered(sent, "m", spoken), "m"))

    assert isinstance(reply, ModelReply)
    assert reply.calls[0].arguments == '{"id": '
