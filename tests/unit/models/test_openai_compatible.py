"""The adapter for OpenAI-compatible servers, against a server on 127.0.0.1 that checks what it is sent."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import urllib3
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming

from freehold.adapters.model_http import keep_alive_pool
from freehold.adapters.openai_compatible import OpenAICompatible, read_reply, request_body
from freehold.errors import ContextTooLong, Invalid, ModelRejected, ModelThrottled, ModelUnavailable
from freehold.values.agent import Inference
from freehold.values.model import (
    AssistantMessage,
    Image,
    Message,
    ModelRequest,
    ToolMessage,
    ToolOutcome,
    ToolSpec,
    ToolUse,
    Usage,
    UserMessage,
)
from model_server import ModelServer, Reply, ask, fail, say
from sdk_types import request_problem

KEY = "sk-this-must-stay-secret"
TOOL = ToolSpec("get_book", "Get a book", {"type": "object", "properties": {"id": {"type": "integer"}}})


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


def request(*messages: Message, **more: Any) -> ModelRequest:
    return ModelRequest(
        "small-1", more.pop("instruction", "Be kind."), messages or (UserMessage("hello"),), **more
    )


def test_a_text_comes_back_with_the_tokens_that_the_server_counted(server: ModelServer):
    server.script([say("hi", usage=Usage(120, 7, 100))])

    reply = OpenAICompatible(server.url).reply(request())

    assert (reply.text, reply.calls, reply.stop, reply.model) == ("hi", (), "end", "scripted-1")
    assert reply.usage == Usage(120, 7, 100) == server.served


def test_all_of_several_tool_calls_come_back_in_order(server: ModelServer):
    server.script([ask(("get_book", {"id": 1}), ("get_book", {"id": 2}))])

    reply = OpenAICompatible(server.url).reply(request(tools=(TOOL,)))

    assert [(use.name, json.loads(use.arguments)) for use in reply.calls] == [
        ("get_book", {"id": 1}),
        ("get_book", {"id": 2}),
    ]
    assert reply.stop == "tools"
    assert len({use.id for use in reply.calls}) == 2


def test_the_whole_history_and_all_settings_are_sent(server: ModelServer):
    server.script([say("done")])
    history = (
        UserMessage("two books please"),
        AssistantMessage(
            "Looking.", (ToolUse("a", "get_book", '{"id": 1}'), ToolUse("b", "get_book", '{"id": 2}'))
        ),
        ToolMessage((ToolOutcome("a", "Dune"), ToolOutcome("b", "no such book", ok=False))),
    )
    inference = Inference(0.2, 0.9, 300, ("END",), "low")

    OpenAICompatible(server.url + "/", KEY).reply(request(*history, tools=(TOOL,), inference=inference))

    sent = server.requests[0]
    assert [message["role"] for message in sent["messages"]] == [
        "system",
        "user",
        "assistant",
        "tool",
        "tool",
    ]
    assert sent["messages"][0]["content"] == "Be kind."
    assert [call["id"] for call in sent["messages"][2]["tool_calls"]] == ["a", "b"]
    assert [message["content"] for message in sent["messages"][3:]] == ["Dune", "Error: no such book"]
    assert sent["tools"][0]["function"] == {
        "name": "get_book",
        "description": "Get a book",
        "parameters": TOOL.input_schema,
    }
    settings = ("temperature", "top_p", "max_tokens", "stop", "reasoning_effort")
    assert [sent[name] for name in settings] == [0.2, 0.9, 300, ["END"], "low"]
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"


def test_what_the_agent_leaves_open_is_not_sent_and_no_key_is_made_up(server: ModelServer):
    server.script([say("hi")])

    OpenAICompatible(server.url).reply(request(instruction=""))

    assert server.requests[0] == {"model": "small-1", "messages": [{"role": "user", "content": "hello"}]}
    assert "authorization" not in server.headers[0]


def test_only_openai_itself_is_sent_the_name_that_its_reasoning_models_demand():
    limited = request(inference=Inference(maximum_length=50))

    assert "max_completion_tokens" not in request_body(limited)
    assert request_body(limited, of_openai=True)["max_completion_tokens"] == 50


def test_nothing_empty_is_sent_and_users_never_speak_twice_in_a_row(server: ModelServer):
    server.script([say("hi")])
    history = (
        UserMessage("one"),
        UserMessage(""),
        AssistantMessage(""),
        UserMessage("three"),
        AssistantMessage("", (ToolUse("a", "get_book", "{}"),)),
        ToolMessage((ToolOutcome("a", ""),)),
    )

    OpenAICompatible(server.url).reply(request(*history))

    sent = server.requests[0]["messages"]
    assert [message["role"] for message in sent] == [
        "system",
        "user",
        "assistant",
        "user",
        "assistant",
        "tool",
    ]
    assert all(message.get("content") or message.get("tool_calls") for message in sent)


def test_arguments_that_were_no_json_are_replayed_as_json():
    history = (UserMessage("x"), AssistantMessage("", (ToolUse("a", "get_book", '{"id": 1'),)))

    call = request_body(request(*history))["messages"][-1]["tool_calls"][0]

    assert json.loads(call["function"]["arguments"]) == {"notJson": '{"id": 1'}


def test_images_follow_the_text_they_came_with_and_text_alone_stays_plain():
    png, gif = Image("png", "AAAA"), Image("gif", "BBBB")
    history = (
        UserMessage("one"),
        UserMessage("two", (png,)),
        AssistantMessage("?"),
        UserMessage(" ", (gif,)),
    )

    body = request_body(request(*history))

    assert request_problem(CompletionCreateParamsNonStreaming, body) is None
    assert body["messages"][1]["content"] == [
        {"type": "text", "text": "one"},
        {"type": "text", "text": "two"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
    ]
    assert body["messages"][3]["content"] == [
        {"type": "image_url", "image_url": {"url": "data:image/gif;base64,BBBB"}}
    ]


def test_a_conversation_that_does_not_fit_is_known_by_its_words(server: ModelServer):
    server.script([fail(400, "the request exceeds the available context size"), fail(400, "no such model")])
    model = OpenAICompatible(server.url)

    with pytest.raises(ContextTooLong, match="context size"):
        model.reply(request())
    with pytest.raises(ModelRejected) as raised:
        model.reply(request())

    assert type(raised.value) is ModelRejected


def test_arguments_come_back_as_the_model_wrote_them(server: ModelServer):
    server.script([ask(("get_book", '{"id": 1'), ("get_book", ""))])

    calls = OpenAICompatible(server.url).reply(request()).calls

    assert [use.arguments for use in calls] == ['{"id": 1', "{}"]


@pytest.mark.parametrize(
    ("finish", "stop"),
    [("length", "length"), ("content_filter", "filtered"), ("stop", "end"), ("eos", "end")],
)
def test_why_the_model_stopped_is_told(server: ModelServer, finish: str, stop: str):
    server.script([say("some text", finish=finish)])

    assert OpenAICompatible(server.url).reply(request()).stop == stop


@pytest.mark.parametrize(
    ("finish", "called"), [("content_filter", []), ("length", ["look_up"]), ("stop", ["look_up", "pay"])]
)
def test_a_call_that_was_filtered_or_cut_off_is_never_made(
    server: ModelServer, finish: str, called: list[str]
):
    server.script([ask(("look_up", {"id": 1}), ("pay", ""), finish=finish)])

    reply = OpenAICompatible(server.url).reply(request())

    assert [use.name for use in reply.calls] == called


def test_a_server_that_counts_nothing_is_recorded_as_zero_tokens(server: ModelServer):
    server.script([say("hi", usage=None)])

    assert OpenAICompatible(server.url).reply(request()).usage == Usage()


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (429, ModelThrottled),
        (408, ModelUnavailable),
        (409, ModelUnavailable),
        (500, ModelUnavailable),
        (503, ModelUnavailable),
        (400, ModelRejected),
        (401, ModelRejected),
        (404, ModelRejected),
        (307, ModelRejected),
    ],
)
def test_a_failure_keeps_the_servers_words_and_hides_the_key(
    server: ModelServer, status: int, error: type[Exception]
):
    server.script([fail(status, f"no model small-1 for {KEY}", headers={"location": "/elsewhere"})])

    with pytest.raises(error, match=rf"answered {status}: no model small-1 for \*\*\*") as raised:
        OpenAICompatible(server.url, KEY).reply(request())

    assert KEY not in str(raised.value)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"error": "model not found"}, "model not found"),
        ({"detail": "too long"}, "too long"),
        ({"message": "quota"}, "quota"),
        (b"<html>Bad   Request</html>", "<html>Bad Request</html>"),
        (b"", "an empty body"),
    ],
)
def test_the_servers_words_are_found_wherever_it_puts_them(server: ModelServer, body: object, words: str):
    server.script([Reply(status=400, body=body, usage=None)])

    with pytest.raises(ModelRejected, match=words):
        OpenAICompatible(server.url).reply(request())


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        (b"not json at all", "no JSON: not json at all"),
        (b"", "no JSON: .an empty body"),
        ({"error": {"message": "upstream is down"}}, "without choices.*upstream is down"),
        ({"choices": []}, "without choices"),
        ({"choices": [{"message": None}]}, "without choices"),
        ({"choices": [{"message": {"tool_calls": [{"function": {"arguments": "{}"}}]}}]}, "without a name"),
        ([1, 2], "without choices"),
    ],
)
def test_a_200_that_is_no_completion_says_what_was_wrong(server: ModelServer, body: object, wrong: str):
    server.script([Reply(body=body)])

    with pytest.raises(ModelUnavailable, match=wrong):
        OpenAICompatible(server.url).reply(request())


def test_only_openai_itself_is_sent_a_cache_key():
    asked = request(conversation="acme-C1")

    assert "prompt_cache_key" not in request_body(asked)
    assert len(request_body(asked, of_openai=True)["prompt_cache_key"]) == 64
    assert "prompt_cache_key" not in request_body(request(), of_openai=True)


def test_tokens_that_the_cache_gave_or_took_are_part_of_the_input(server: ModelServer):
    counted = Usage(100, 5, cached_tokens=60, cache_written_tokens=30)
    server.script([say("hi", usage=counted)])

    assert OpenAICompatible(server.url).reply(request()).usage == counted


@pytest.mark.parametrize("written", [-1, "3", 90, None])
def test_no_token_is_counted_twice(written: object):
    details = {"cached_tokens": 60, "cache_write_tokens": written}
    message = {"choices": [{"message": {"content": "hi"}}]}
    content = message | {"usage": {"prompt_tokens": 100, "prompt_tokens_details": details}}

    usage = read_reply(content, "asked-for", "here", b"").usage

    assert usage.cached_tokens + usage.cache_written_tokens <= usage.input_tokens == 100


def test_servers_that_bend_the_format_are_understood():
    content = {
        "choices": [
            {
                "message": {
                    "content": [{"type": "text", "text": "one "}, {"type": "text", "text": "two"}],
                    "tool_calls": [{"id": "", "function": {"name": "f", "arguments": {"a": 1}}}],
                }
            }
        ],
        "usage": {"prompt_tokens": 5, "completion_tokens": None, "prompt_tokens_details": None},
    }

    reply = read_reply(content, "asked-for", "here", b"")

    assert (reply.text, reply.model, reply.usage) == ("one two", "asked-for", Usage(5, 0))
    assert reply.calls == (ToolUse("call_0", "f", '{"a": 1}'),)


def test_a_refusal_is_a_filtered_answer():
    message = {"content": None, "refusal": "I will not."}
    content = {"choices": [{"message": message, "finish_reason": "stop"}]}

    reply = read_reply(content, "m", "here", b"")

    assert (reply.text, reply.stop) == ("I will not.", "filtered")


def test_a_server_that_does_not_answer_in_time_is_unavailable(server: ModelServer):
    server.script([say("too late", delay_seconds=60)])

    with pytest.raises(ModelUnavailable, match=r"no answer from 127\.0\.0\.1 within 0\.2 s"):
        OpenAICompatible(server.url).reply(request(timeout_seconds=0.2))


def test_a_trickle_of_bytes_does_not_outlast_the_timeout(server: ModelServer):
    server.script([say("slow " * 20, drip_seconds=0.02)])

    with pytest.raises(ModelUnavailable, match="still arriving"):
        OpenAICompatible(server.url).reply(request(timeout_seconds=0.3))


def test_a_server_that_is_not_there_is_unavailable():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"

        with pytest.raises(ModelUnavailable, match=r"no answer from 127\.0\.0\.1"):
            OpenAICompatible(url, KEY).reply(request())


def test_one_connection_serves_many_calls_and_keeps_itself_alive(server: ModelServer):
    server.script([], then=say("hi"))
    pool = keep_alive_pool()
    model = OpenAICompatible(server.url, pool=pool)

    for _ in range(3):
        model.reply(request())

    options = pool.connection_pool_kw["socket_options"]
    connections = pool.connection_from_url(server.url)
    assert isinstance(connections, urllib3.HTTPConnectionPool)
    assert connections.num_connections == 1
    assert (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1) in options


@pytest.mark.parametrize("url", ["", "localhost:8000/v1", "ftp://x/v1", "http://"])
def test_an_address_that_is_no_http_url_is_refused(url: str):
    with pytest.raises(Invalid, match=r"http://127\.0\.0\.1:11434/v1"):
        OpenAICompatible(url)


def test_a_key_that_no_header_can_carry_is_refused_without_being_shown():
    with pytest.raises(Invalid, match="holds characters") as raised:
        OpenAICompatible("http://127.0.0.1/v1", f"{KEY}\r\nx: y")

    assert KEY not in str(raised.value)


def test_white_space_around_a_key_is_left_out(server: ModelServer):
    server.script([say("hi")])

    OpenAICompatible(server.url, f" {KEY}\n").reply(request())

    assert server.headers[0]["authorization"] == f"Bearer {KEY}"
