"""While a model asks for calls, or thinks, its stream says again and again that the reply goes on."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from freehold.adapters.chat_stream import ChatStream
from freehold.adapters.converse_stream import gathered
from freehold.adapters.responses_stream import ResponseStream
from freehold.adapters.spoken import Spoken
from streamed import chat_events, converse_events, response_stream

from .bedrock_server import call, message, reasoning, response

TEXT, ARGUMENTS = "Let me look.", '{"id": "' + "7 " * 100 + '"}'


def chat(spoken: Spoken) -> None:
    function = {"name": "f", "arguments": ARGUMENTS}
    told = {"content": TEXT, "tool_calls": [{"id": "a", "type": "function", "function": function}]}
    stream = ChatStream("here", spoken)
    for event in chat_events({"choices": [{"message": told}]}):
        stream.hear(event)


def responses(spoken: Spoken) -> None:
    stream = ResponseStream("here", spoken)
    for event in response_stream(response(message(TEXT), reasoning(), call("f", ARGUMENTS))):
        stream.hear(event)


def converse(spoken: Spoken) -> None:
    use = {"toolUseId": "a", "name": "f", "input": {"id": "7 " * 100}}
    answer = {
        "output": {"message": {"content": [{"text": TEXT}, {"toolUse": use}]}},
        "stopReason": "tool_use",
    }
    gathered(converse_events(answer), "m", spoken)


def converse_that_thinks(spoken: Spoken) -> None:
    thought = {"reasoningContent": {"reasoningText": {"text": "7 " * 100}}}
    answer = {"output": {"message": {"content": [{"text": TEXT}, thought]}}, "stopReason": "end_turn"}
    gathered(converse_events(answer), "m", spoken)


@pytest.mark.parametrize("read", [chat, responses, converse, converse_that_thinks])
def test_a_stretch_without_text_is_told_piece_after_piece(read: Callable[[Spoken], None]):
    told: list[str] = []

    read(Spoken(told.append))

    last = max(place for place, text in enumerate(told) if text)
    assert "".join(told) == TEXT
    assert len(told) - last > 40
