"""The adapter for the Responses API, against a server on 127.0.0.1 that checks signatures, requests and its script."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from freehold.adapters.bedrock_http import BedrockHttp
from freehold.adapters.responses import Responses
from freehold.adapters.responses_reply import read_response
from freehold.errors import ContextTooLong, ModelRejected, ModelThrottled, ModelUnavailable
from freehold.value import replace
from freehold.values.agent import Inference
from freehold.values.model import (
    AssistantMessage,
    Host,
    Message,
    ModelEntry,
    ModelRequest,
    ToolMessage,
    ToolOutcome,
    ToolSpec,
    ToolUse,
    Usage,
    UserMessage,
)
from responses_rules import response_problem

from .bedrock_server import (
    KEYS,
    REGION,
    BedrockServer,
    Scripted,
    call,
    fail,
    message,
    ok,
    reasoning,
    refusal,
    response,
)

GPT = ModelEntry("openai.gpt-5.5", "responses", sampling="none", effort="reasoning_effort")
TOOL = ToolSpec("get_book", "Get a book", {"type": "object", "properties": {"id": {"type": "integer"}}})
CUT_OFF = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}


@pytest.fixture
def server() -> Iterator[BedrockServer]:
    with BedrockServer() as running:
        yield running


def model(server: BedrockServer, host: Host = "bedrock-runtime") -> Responses:
    endpoints: dict[Host, str] = {"bedrock-runtime": server.endpoint, "bedrock-mantle": server.endpoint}
    return Responses(BedrockHttp(lambda: KEYS, REGION, endpoints), replace(GPT, host=host))


def request(*messages: Message, **more: Any) -> ModelRequest:
    return ModelRequest(GPT.id, "Be kind.", messages or (UserMessage("hello"),), **more)


# -- replies


def test_a_text_comes_back_with_what_was_counted_and_who_served_it(server: BedrockServer):
    server.script([ok(message("hi"), model="openai.gpt-5.5-2026-04-23")])

    reply = model(server).reply(request())

    assert (reply.text, reply.calls, reply.stop) == ("hi", (), "end")
    assert reply.usage == Usage(input_tokens=120, output_tokens=9, cached_tokens=100)
    assert reply.model == "openai.gpt-5.5-2026-04-23"
    assert reply.reasoning is None


def test_tokens_that_were_written_to_the_cache_are_counted(server: BedrockServer):
    usage = response()["usage"]
    usage["input_tokens_details"] = {"cached_tokens": 70, "cache_write_tokens": 40}
    server.script([ok(message("hi"), usage=usage)])

    reply = model(server).reply(request())

    assert reply.usage == Usage(120, 9, cached_tokens=70, cache_written_tokens=40)


@pytest.mark.parametrize(
    ("host", "service"), [("bedrock-runtime", "bedrock"), ("bedrock-mantle", "bedrock-mantle")]
)
def test_the_host_of_a_model_is_data(host: Host, service: str):
    with BedrockServer(service) as server:
        server.script([ok(message("hi"))])

        assert model(server, host).reply(request()).text == "hi"


def test_all_of_several_calls_come_back_in_order_with_what_was_said(server: BedrockServer):
    server.script(
        [
            ok(
                reasoning(),
                message("Looking."),
                call("get_book", '{"id": 1}'),
                call("get_book", '{"id": 2}', call_id="call_2"),
            )
        ]
    )

    reply = model(server).reply(request(tools=(TOOL,)))

    assert (reply.text, reply.stop) == ("Looking.", "tools")
    assert reply.calls == (
        ToolUse("call_get_book", "get_book", '{"id": 1}'),
        ToolUse("call_2", "get_book", '{"id": 2}'),
    )


def test_malformed_arguments_come_back_as_the_model_wrote_them(server: BedrockServer):
    server.script([ok(call("get_book", '{"id": 1'), call("get_book", ""), call("get_book", "[NaN]"))])

    calls = model(server).reply(request()).calls

    assert [use.arguments for use in calls] == ['{"id": 1', "{}", "[NaN]"]


def test_reasoning_goes_back_to_the_model_as_it_came(server: BedrockServer):
    server.script([ok(reasoning("rs_1"), call("get_book", '{"id": 1}')), ok(message("Dune"))])
    gpt, asked = model(server), UserMessage("which book?")
    first = gpt.reply(request(asked, tools=(TOOL,)))
    answered = AssistantMessage(first.text, (replace(first.calls[0], id="t1-l1-c0"),), first.reasoning)

    gpt.reply(request(asked, answered, ToolMessage((ToolOutcome("t1-l1-c0", "Dune"),)), tools=(TOOL,)))

    replayed = server.requests[1]["input"][1:3]
    assert replayed[0] == {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [],
        "encrypted_content": "sealed rs_1",
    }
    assert replayed[1]["type"] == "function_call"


@pytest.mark.parametrize(
    ("reason", "stop"), [("max_output_tokens", "length"), ("content_filter", "filtered"), (None, "length")]
)
def test_why_an_answer_is_not_whole_is_told(server: BedrockServer, reason: str | None, stop: str):
    part = message("Once upon", status="incomplete")
    server.script([ok(part, status="incomplete", incomplete_details={"reason": reason} if reason else None)])

    reply = model(server).reply(request())

    assert (reply.text, reply.stop) == ("Once upon", stop)


@pytest.mark.parametrize("status", ["incomplete", None], ids=["which says so", "which says nothing"])
@pytest.mark.parametrize("arguments", ['{"id": 1, "al', ""])
def test_a_call_that_the_limit_cut_off_is_never_made(
    server: BedrockServer, status: str | None, arguments: str
):
    whole, half = call("get_book", '{"id": 1}'), call("get_book", arguments, status=status)
    server.script([ok(reasoning(), whole, reasoning("rs_2"), half, **CUT_OFF)])

    reply = model(server).reply(request(tools=(TOOL,)))

    assert [use.arguments for use in reply.calls] == ['{"id": 1}']
    assert reply.stop == "length"


def test_a_refusal_is_a_filtered_answer(server: BedrockServer):
    server.script([ok(refusal("I will not."))])

    reply = model(server).reply(request())

    assert (reply.text, reply.stop) == ("I will not.", "filtered")


@pytest.mark.parametrize(
    "made",
    [
        response(call("pay", "{}"), status="incomplete", incomplete_details={"reason": "content_filter"}),
        response(call("pay", "{}"), refusal("I will not.")),
    ],
)
def test_what_was_filtered_is_not_called(made: dict[str, Any]):
    reply = read_response(made, "m", "bedrock-runtime", b"")

    assert (reply.calls, reply.stop) == ((), "filtered")


def test_the_names_of_roles_and_accounts_are_not_told(server: BedrockServer):
    words = "User: arn:aws:sts::123456789012:assumed-role/secret/x may not bedrock:InvokeModel"
    server.script([fail(403, {"message": words})])

    with pytest.raises(ModelRejected, match=r"User: arn:… may not bedrock:InvokeModel") as raised:
        model(server).reply(request())

    assert "123456789012" not in str(raised.value)


def test_items_of_a_kind_that_is_unknown_here_are_ignored():
    made = response({"type": "hologram"}, message("hi"), {"type": "web_search_call", "id": "ws_1"})

    reply = read_response(made, "m", "bedrock-mantle", b"")

    assert (reply.text, reply.calls, reply.stop) == ("hi", (), "end")


def test_what_a_response_leaves_out_is_not_made_up():
    reply = read_response({"output": [{"type": "function_call", "name": "f"}]}, "asked-for", "here", b"")

    assert (reply.model, reply.usage, reply.calls) == ("asked-for", Usage(), (ToolUse("call_0", "f", "{}"),))


# -- failures that come with 200


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("rate_limit_exceeded", ModelThrottled),
        ("server_error", ModelUnavailable),
        ("invalid_prompt", ModelRejected),
        ("image_too_large", ModelRejected),
        ("bio_policy", ModelRejected),
    ],
)
def test_a_response_that_failed_is_the_error_it_names(
    server: BedrockServer, code: str, error: type[Exception]
):
    server.script([ok(status="failed", error={"code": code, "message": "in its own words"})])

    with pytest.raises(
        error, match=rf"bedrock-runtime failed to answer \({code}\): in its own words"
    ) as raised:
        model(server).reply(request())

    assert type(raised.value) is error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ({"code": "context_length_exceeded", "message": "too much"}, ContextTooLong),
        ({"code": "invalid_prompt", "message": "Your input exceeds the context window."}, ContextTooLong),
        ({"code": "server_is_overloaded", "message": "later"}, ModelUnavailable),
        (None, ModelUnavailable),
    ],
)
def test_a_response_that_failed_in_words_of_its_own_is_understood(error: object, expected: type[Exception]):
    made = response(status="failed", error=error)

    with pytest.raises(expected) as raised:
        read_response(made, "m", "here", b"")

    assert type(raised.value) is expected


@pytest.mark.parametrize("status", ["in_progress", "queued", "cancelled"])
def test_a_response_that_is_not_finished_is_none(server: BedrockServer, status: str):
    server.script([ok(status=status)])

    with pytest.raises(ModelUnavailable, match="no finished response"):
        model(server).reply(request())


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        (b"", "no JSON: .an empty body"),
        (b"<html>", "no JSON: <html>"),
        (b"[" * 100_000, "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"[1]", "no finished response"),
        (b'{"output": null}', "no finished response"),
        (b'{"output": [{"type": "function_call"}]}', "without a name"),
        (b'{"output": [{"type": "function_call", "name": ""}]}', "without a name"),
    ],
)
def test_a_200_that_is_no_response_says_what_was_wrong(server: BedrockServer, body: bytes, wrong: str):
    server.script([Scripted(200, body)])

    with pytest.raises(ModelUnavailable, match=wrong):
        model(server).reply(request())


# -- failures of HTTP

OPENAI = {"error": {"message": "in its words", "type": "x", "code": "y", "param": None}}


@pytest.mark.parametrize("body", [OPENAI, {"message": "in its words"}, {"Message": "in its words"}])
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (429, ModelThrottled),
        (408, ModelUnavailable),
        (409, ModelUnavailable),
        (424, ModelUnavailable),
        (425, ModelUnavailable),
        (500, ModelUnavailable),
        (503, ModelUnavailable),
        (400, ModelRejected),
        (401, ModelRejected),
        (403, ModelRejected),
        (404, ModelRejected),
        (413, ContextTooLong),
    ],
)
def test_an_error_keeps_the_servers_words_and_the_id_to_ask_aws_about(
    server: BedrockServer, status: int, error: type[Exception], body: object
):
    server.script([fail(status, body, x_amzn_requestid="req-7")])

    with pytest.raises(error, match=rf"bedrock-runtime answered {status} \(request req-7\)") as raised:
        model(server).reply(request())

    assert str(raised.value).endswith(": in its words")

    assert type(raised.value) is error
    assert len(server.requests) == 1


def test_a_throttle_is_known_by_its_name_too(server: BedrockServer):
    server.script([fail(400, {"message": "slow down"}, x_amzn_errortype="ThrottlingException:http://x")])

    with pytest.raises(ModelThrottled):
        model(server).reply(request())


@pytest.mark.parametrize(
    "error",
    [
        {
            "code": "validation_error",
            "message": "prompt tokens (400007) exceed model maximum (278528) for openai.gpt-5.5",
        },
        {"code": "context_length_exceeded", "message": "Please shorten it."},
        {"message": "This model's maximum context length is 128000 tokens. However, you requested 137217."},
        {"message": "Your input exceeds the context window of this model."},
        {"message": "Input tokens exceed the configured limit of 272000 tokens."},
        {"message": "Input is too long for requested model."},
    ],
)
def test_a_conversation_that_does_not_fit_is_known_by_code_or_words(
    server: BedrockServer, error: dict[str, str]
):
    server.script([fail(400, {"error": error})])

    with pytest.raises(ContextTooLong):
        model(server).reply(request())


@pytest.mark.parametrize(
    "words",
    [
        "Invalid 'input[3].call_id': string too long. Expected a string with maximum length 64.",
        "Unsupported parameter: 'temperature' is not supported with this model.",
        "max_output_tokens (200000) exceeds the maximum of 128000",
    ],
)
def test_other_mistakes_are_not_taken_for_a_long_conversation(server: BedrockServer, words: str):
    server.script([fail(400, {"error": {"message": words}})])

    with pytest.raises(ModelRejected) as raised:
        model(server).reply(request())

    assert type(raised.value) is ModelRejected


@pytest.mark.parametrize(
    ("host", "service", "action"),
    [
        ("bedrock-runtime", "bedrock", "bedrock:InvokeModel"),
        ("bedrock-mantle", "bedrock-mantle", "bedrock-mantle:CreateInference"),
    ],
)
def test_a_denied_call_says_what_to_look_at(host: Host, service: str, action: str):
    with BedrockServer(service) as server:
        server.script([fail(403, {"message": "not authorized"})])

        with pytest.raises(ModelRejected, match=f"may {action},.*openai.gpt-5.5 in us-east-2.*15 minutes"):
            model(server, host).reply(request())


@pytest.mark.parametrize(
    "answer",
    [
        fail(404, {"message": "no such thing"}),
        fail(400, {"error": {"message": "model `openai.gpt-5.5` isn't supported on this route"}}),
    ],
)
def test_a_model_that_is_not_there_is_asked_about(server: BedrockServer, answer: Scripted):
    server.script([answer])

    with pytest.raises(ModelRejected, match=r"Is openai\.gpt-5\.5 offered by bedrock-runtime in us-east-2\?"):
        model(server).reply(request())


def test_no_error_shows_the_credentials():
    with BedrockServer(region="eu-west-1") as server, pytest.raises(ModelRejected) as raised:
        model(server).reply(request())

    shown = str(raised.value)
    assert "The signature does not match" in shown
    assert not [secret for secret in (KEYS.token, KEYS.secret_key) if secret and secret in shown]


def test_a_model_that_does_not_answer_in_time_is_unavailable(server: BedrockServer):
    server.script([Scripted(200, b"x" * 1000, slow=True)])

    with pytest.raises(ModelUnavailable, match=r"within 0\.3 s"):
        model(server).reply(request(timeout_seconds=0.3))


def test_settings_reach_the_model(server: BedrockServer):
    server.script([ok(message("hi"))])

    model(server).reply(request(inference=Inference(maximum_length=50, reasoning_effort="xhigh")))

    assert server.requests[0]["reasoning"] == {"effort": "xhigh"}
    assert server.requests[0]["max_output_tokens"] == 50


# -- the script is held against the SDK's types


@pytest.mark.parametrize(
    "made",
    [
        response(message("hi"), stop_reason="end"),
        response(message("hi", finish_reason="stop")),
        response(message("hi", content=[{"type": "output_text", "text": "hi", "annotations": [], "x": 1}])),
        response(call("f", "{}", input={})),
        response(reasoning(signature="x")),
        response(usage={"prompt_tokens": 1}),
        response(usage={**response()["usage"], "cached": 1}),
        response(status="stopped"),
        response(status="failed", error={"code": "no_idea", "message": "x"}),
        response(status="incomplete", incomplete_details={"reason": "tired"}),
        response({"type": "hologram"}),
    ],
)
def test_an_invented_field_or_value_in_a_response_is_found(made: dict[str, Any]):
    assert response_problem(made) is not None
