"""Asking for a stream, over HTTP on 127.0.0.1, and what comes of it where the server has none or breaks off."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import urllib3
from botocore.credentials import Credentials

from bedrock_server import BedrockServer
from freehold.adapters.bedrock_http import BedrockHttp
from freehold.adapters.converse import Converse
from freehold.adapters.model_http import LONGEST_ANSWER, ended_at, keep_alive_pool
from freehold.adapters.openai_compatible import OpenAICompatible
from freehold.adapters.responses import Responses
from freehold.errors import ContextTooLong, FreeholdError, ModelRejected, ModelThrottled, ModelUnavailable
from freehold.ports import Model
from freehold.value import replace
from freehold.values.model import AssistantMessage, ModelEntry, ModelRequest, UserMessage
from model_server import ModelServer, Reply, ask, fail, say
from streamed import chat_events, converse_frames, frame
from stubbed_bedrock import BOOK, OPUS, answer, client, use

USER = Credentials("AKIAEXAMPLE", "secret")
REGION = "us-east-1"
GPT = ModelEntry("openai.gpt-5.5", "responses", sampling="none", effort="reasoning_effort")
REQUEST = ModelRequest("m", "Be kind.", (UserMessage("hello"),), (BOOK,), timeout_seconds=20)
NO_STREAMS = "stream_options: Extra inputs are not permitted"
EVENTS = {"content-type": "application/vnd.amazon.eventstream"}


@dataclass
class Ear:
    """What was told, piece by piece."""

    pieces: list[str] = field(default_factory=list[str])

    def __call__(self, text: str) -> None:
        self.pieces.append(text)

    @property
    def text(self) -> str:
        return "".join(self.pieces)


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


@pytest.fixture
def bedrock() -> Iterator[BedrockServer]:
    with BedrockServer(USER, REGION) as running:
        yield running


def gpt(bedrock: BedrockServer) -> Responses:
    urls = bedrock.environment
    endpoints: Any = {"bedrock-runtime": urls["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"]}
    return Responses(BedrockHttp(lambda: USER, REGION, endpoints), GPT)


def opus(bedrock: BedrockServer, entry: ModelEntry = OPUS) -> Converse:
    url = bedrock.environment["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"]
    keys = {"aws_access_key_id": USER.access_key, "aws_secret_access_key": USER.secret_key}
    return Converse(lambda seconds: client(endpoint_url=url, **keys), entry)


def request_to(model: Model) -> ModelRequest:
    ids = {Converse: OPUS.id, Responses: GPT.id}
    return replace(REQUEST, model=ids.get(type(model), "m"))


# -- all of them


def test_every_api_tells_the_text_in_pieces_and_replies_as_it_does_whole(
    server: ModelServer, bedrock: BedrockServer
):
    said = [say("one two three four five"), ask(("get_book", {"id": 7})), say("")]
    server.script(said * 2)
    bedrock.script(said * 4)

    for model in (OpenAICompatible(server.url), gpt(bedrock), opus(bedrock)):
        ears, request = [Ear(), Ear(), Ear()], request_to(model)
        streamed = [model.reply(request, ear) for ear in ears]
        whole = [model.reply(request) for _ in ears]

        assert [_numberless(reply) for reply in streamed] == [_numberless(reply) for reply in whole]
        assert [ear.text for ear in ears] == [reply.text for reply in streamed]
        assert len([piece for piece in ears[0].pieces if piece]) == 3


def _numberless(reply: Any) -> Any:
    """The servers number what they answer."""
    return replace(reply, calls=[replace(call, id="") for call in reply.calls])


# -- OpenAI-compatible servers


def test_a_server_is_asked_to_count_what_it_streams(server: ModelServer):
    server.script([say("hi")])

    reply = OpenAICompatible(server.url).reply(REQUEST, Ear())

    assert reply.usage == server.served
    assert server.requests[0]["stream"] is True
    assert server.requests[0]["stream_options"] == {"include_usage": True}


def test_what_a_server_does_not_count_is_not_made_up(server: ModelServer):
    server.script([say("hi", usage=None)])

    assert OpenAICompatible(server.url).reply(REQUEST, Ear()).usage.total == 0


def test_a_server_that_counts_nothing_in_a_stream_is_asked_for_the_whole_from_then_on(server: ModelServer):
    server.script([say("one", usage=None), say("two"), say("three")])
    model, ears = OpenAICompatible(server.url), [Ear(), Ear(), Ear()]

    replies = [model.reply(REQUEST, ear) for ear in ears]

    assert ["stream" in request for request in server.requests] == [True, False, False]
    assert [bool(reply.usage.total) for reply in replies] == [False, True, True]
    assert [ear.text for ear in ears] == ["one", "two", "three"]


def test_one_stream_that_counts_nothing_is_no_reason_where_others_have_counted(server: ModelServer):
    server.script([say("one"), say("two", usage=None), say("three")])
    model = OpenAICompatible(server.url)

    for _ in range(3):
        model.reply(REQUEST, Ear())

    assert ["stream" in request for request in server.requests] == [True, True, True]


def test_a_server_that_counts_nothing_anyway_is_heard_as_it_writes(server: ModelServer):
    server.script([say("hi", usage=None)] * 4)
    model = OpenAICompatible(server.url)

    for _ in range(4):
        model.reply(REQUEST, Ear())

    assert ["stream" in request for request in server.requests] == [True, False, True, True]


@pytest.mark.parametrize("status", [400, 403, 422, 501])
def test_a_server_without_streams_is_asked_once_more_and_never_again(server: ModelServer, status: int):
    server.script([fail(status, NO_STREAMS), say("all of it"), say("next")])
    model, ears = OpenAICompatible(server.url), [Ear(), Ear()]

    replies = [model.reply(REQUEST, ear) for ear in ears]

    assert [reply.text for reply in replies] == [ear.text for ear in ears] == ["all of it", "next"]
    assert ["stream" in request for request in server.requests] == [True, False, False]


def test_a_refusal_that_has_nothing_to_do_with_streams_may_be_tried_as_a_stream_again(server: ModelServer):
    server.script([fail(400, NO_STREAMS), fail(400, "no"), fail(400, "no such model"), say("hi")])
    model = OpenAICompatible(server.url)

    for _ in range(2):
        with pytest.raises(ModelRejected):
            model.reply(REQUEST, Ear())
    model.reply(REQUEST, Ear())

    assert ["stream" in request for request in server.requests] == [True, False, True, True]


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (fail(429, "stream quota"), ModelThrottled),
        (fail(503, "no stream"), ModelUnavailable),
        (fail(401, "no stream"), ModelRejected),
        (fail(400, "the upstream server refuses"), ModelRejected),
        (fail(400, "the prompt is too long"), ContextTooLong),
        (say("one two three", cut_after=2), ModelUnavailable),
        (Reply(body=b"data: {\n\n"), ModelUnavailable),
        (Reply(body=b"data: " + b"x" * LONGEST_ANSWER + b"\n\n"), ModelUnavailable),
    ],
)
def test_a_stream_that_fails_is_asked_for_once(
    server: ModelServer, failure: Reply, error: type[FreeholdError]
):
    server.script([failure])

    with pytest.raises(FreeholdError) as raised:
        OpenAICompatible(server.url).reply(REQUEST, Ear())

    assert type(raised.value) is error
    assert len(server.requests) == 1


def test_a_stream_is_judged_by_the_clock(server: ModelServer):
    server.script([say("slow " * 200, pace_seconds=0.1)])

    with pytest.raises(ModelUnavailable, match=r"within 0\.5 s"):
        OpenAICompatible(server.url).reply(replace(REQUEST, timeout_seconds=0.5), Ear())


def test_who_waits_for_a_silent_server_is_woken(server: ModelServer):
    server.script([say("never", pace_seconds=60)])
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True}
    response = keep_alive_pool().request(
        "POST", f"{server.url}/chat/completions", json=body, preload_content=False, timeout=60
    )

    with pytest.raises(urllib3.exceptions.ProtocolError), ended_at(time.monotonic() + 0.1, response):
        response.read1(1)


def test_the_connection_is_used_again_after_a_stream_and_not_after_half_of_one(server: ModelServer):
    broken = b"".join(chat_events({"choices": []})[:-1]) + b"data: {\n\n" + b": more\n\n" * 9999
    server.script([say("one"), say("two"), Reply(body=broken), say("three")])
    pool = keep_alive_pool()
    model = OpenAICompatible(server.url, pool=pool)

    texts = [model.reply(REQUEST, Ear()).text for _ in range(2)]
    with pytest.raises(ModelUnavailable):
        model.reply(REQUEST, Ear())

    assert [*texts, model.reply(REQUEST, Ear()).text] == ["one", "two", "three"]
    assert pool.connection_from_url(server.url).num_connections == 2  # pyright: ignore


# -- Bedrock


@pytest.mark.parametrize("refusal", ["Streaming is not supported for this model.", "stream: not allowed"])
def test_a_model_of_openai_that_does_not_stream_is_asked_once_more(bedrock: BedrockServer, refusal: str):
    bedrock.script([fail(400, refusal), say("all of it")])
    ear = Ear()

    assert gpt(bedrock).reply(request_to(gpt(bedrock)), ear).text == ear.text == "all of it"
    assert ["stream" in each.json for each in bedrock.received] == [True, False]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("ValidationException", "This model doesn't support tool use in streaming mode."),
        ("AccessDeniedException", "not authorized to perform: bedrock:InvokeModelWithResponseStream on …"),
    ],
)
def test_a_model_that_may_not_stream_is_asked_once_more(bedrock: BedrockServer, code: str, message: str):
    failure = Reply(status=400, body={"message": message}, headers={"x-amzn-errortype": code})
    bedrock.script([failure, say("all of it")])
    ear = Ear()

    assert opus(bedrock).reply(request_to(opus(bedrock)), ear).text == ear.text == "all of it"
    paths = [each.path.rpartition("/")[2] for each in bedrock.received]
    assert paths == ["converse-stream", "converse"]


def test_a_stale_signature_is_left_out_of_the_next_stream(bedrock: BedrockServer):
    stale = '[{"reasoningText": {"text": "hm", "signature": "old"}}]'
    history = (UserMessage("hi"), AssistantMessage("hello", reasoning=stale), UserMessage("and?"))
    message = "Invalid `signature` in `thinking` block"
    failure = Reply(
        status=400, body={"message": message}, headers={"x-amzn-errortype": "ValidationException"}
    )
    bedrock.script([failure, say("so")])
    ear = Ear()

    opus(bedrock).reply(replace(request_to(opus(bedrock)), messages=history), ear)

    assert ear.text == "so"
    assert [b"old" in each.body for each in bedrock.received] == [True, False]
    assert {each.path.rpartition("/")[2] for each in bedrock.received} == {"converse-stream"}


SPOKEN = converse_frames(answer({"text": "one two three four"}))


@pytest.mark.parametrize(
    ("name", "message", "error"),
    [
        ("throttlingException", "Too many tokens", ModelThrottled),
        ("internalServerException", "oops", ModelUnavailable),
        ("serviceUnavailableException", "busy", ModelUnavailable),
        ("modelStreamErrorException", "the model fell over", ModelUnavailable),
        ("validationException", "Input is too long for requested model.", ContextTooLong),
        ("validationException", "Invalid signature in thinking block of the stream", ModelRejected),
    ],
)
def test_an_exception_in_mid_stream_is_the_error_that_it_is_elsewhere_and_is_not_asked_about(
    bedrock: BedrockServer, name: str, message: str, error: type[FreeholdError]
):
    told = frame(name, {"message": message}, kind="exception")
    bedrock.script([Reply(body=b"".join(SPOKEN[:2]) + told, headers=EVENTS)])
    ear = Ear()

    with pytest.raises(FreeholdError) as raised:
        opus(bedrock).reply(request_to(opus(bedrock)), ear)

    assert type(raised.value) is error
    assert raised.value.words == message
    assert ear.text == "one two"


@pytest.mark.parametrize(
    "content",
    [
        b"".join(SPOKEN[:3]),
        b"".join(SPOKEN)[:-400],
        b"".join(SPOKEN[:2]) + SPOKEN[2][:-1] + b"\x00" + SPOKEN[3],
        b"no frames at all, " * 10,
        b"",
        frame("contentBlockDelta", {"delta": {"text": "x"}}),
    ],
)
def test_a_broken_stream_of_bedrock_is_unavailable(bedrock: BedrockServer, content: bytes):
    bedrock.script([Reply(body=content, headers=EVENTS)])

    with pytest.raises(ModelUnavailable):
        opus(bedrock).reply(request_to(opus(bedrock)), Ear())


def test_reasoning_and_documents_cross_the_wire_in_a_stream_too(bedrock: BedrockServer):
    thought = {"reasoningContent": {"reasoningText": {"text": "let me think", "signature": "s=="}}}
    told = answer(
        thought,
        {"reasoningContent": {"redactedContent": b"\x00\xffsecret"}},
        {"text": "Here."},
        use("b", input={"deep": [1, None, 2.5, {"ü": True}]}),
        stop="tool_use",
    )
    bedrock.script([Reply(body=b"".join(converse_frames(told)), headers=EVENTS)])
    ear = Ear()

    reply = opus(bedrock).reply(request_to(opus(bedrock)), ear)

    assert (reply.text, ear.text, reply.stop) == ("Here.", "Here.", "tools")
    assert reply.calls[0].arguments == '{"deep": [1, null, 2.5, {"ü": true}]}'
    assert reply.reasoning is not None
    assert '"signature": "s=="' in reply.reasoning
    assert '"redactedContent": "AP9zZWNyZXQ="' in reply.reasoning


def test_a_stream_of_bedrock_is_judged_by_the_clock(bedrock: BedrockServer):
    bedrock.script([say("slow " * 40, pace_seconds=0.1)])

    with pytest.raises(ModelUnavailable):
        opus(bedrock).reply(replace(request_to(opus(bedrock)), timeout_seconds=0.5), Ear())


def test_who_waits_for_a_silent_bedrock_is_woken(bedrock: BedrockServer):
    """Its reads alone would wait for a minute more."""
    bedrock.script([say("never", pace_seconds=30)])
    failed = threading.Event()

    def asks() -> None:
        with pytest.raises(ModelUnavailable):
            opus(bedrock).reply(replace(request_to(opus(bedrock)), timeout_seconds=0.3), Ear())
        failed.set()

    threading.Thread(target=asks, daemon=True).start()

    assert failed.wait(20)
