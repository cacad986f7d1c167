"""Converse over HTTP on 127.0.0.1: what crosses the wire, and what comes back that is no answer."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from botocore.config import Config

from freehold.adapters.converse import Converse
from freehold.adapters.converse_reply import read_reply
from freehold.errors import ModelThrottled, ModelUnavailable
from freehold.values.model import (
    AssistantMessage,
    Image,
    ModelReply,
    ModelRequest,
    ToolMessage,
    ToolOutcome,
    ToolUse,
    Usage,
    UserMessage,
)
from stubbed_bedrock import BOOK, OPUS, REQUEST, answer, client, use

REDACTED = {"redactedContent": b"\x00\xffsecret"}


class _Bedrock(BaseHTTPRequestHandler):
    """Answers every request with the server's one answer, and keeps what came."""

    server: Any

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.came.append((self.path, json.loads(body)))
        if self.server.hold.wait(self.server.seconds):
            return
        self.send_response(self.server.status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@contextmanager
def serving(
    body: object, status: int = 200, headers: dict[str, str] | None = None, seconds: float = 0
) -> Iterator[Any]:
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), _Bedrock)
    server.body = body if isinstance(body, bytes) else json.dumps(body).encode()
    server.status, server.headers, server.seconds = status, headers or {}, seconds
    server.came, server.hold = [], threading.Event()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.hold.set()
        server.shutdown()
        thread.join()
        server.server_close()


def over_http(server: Any, request: ModelRequest = REQUEST, **config: Any) -> ModelReply:
    made = client(endpoint_url=f"http://127.0.0.1:{server.server_port}", config=Config(**config))
    try:
        return Converse(lambda seconds: made, OPUS).reply(request)
    finally:
        made.close()


def test_bytes_and_documents_cross_the_wire_both_ways():
    told = answer(
        {"reasoningContent": {"redactedContent": "AP9zZWNyZXQ="}},
        use("b", input={"deep": [1, None, 2.5, {"ü": True}]}),
        stop="tool_use",
    )
    thought = read_reply(answer({"reasoningContent": REDACTED}), OPUS.id).reasoning
    history = (
        UserMessage("What is this?", (Image("png", "iVBORw0KGgo="),)),
        AssistantMessage("", (ToolUse("a", "get_book", '{"deep": [1, null, 2.5, {"ü": true}]}'),), thought),
        ToolMessage((ToolOutcome("a", ""),)),
    )

    with serving(told) as server:
        reply = over_http(server, ModelRequest(OPUS.id, "Be kind.", history, (BOOK,)))

    [(path, sent)] = server.came
    assert path == f"/model/{OPUS.id}/converse"
    assert sent["messages"][0]["content"][0]["image"]["source"]["bytes"] == "iVBORw0KGgo="
    reasoning, call = sent["messages"][1]["content"]
    assert reasoning == {"reasoningContent": {"redactedContent": "AP9zZWNyZXQ="}}
    assert call["toolUse"]["input"] == {"deep": [1, None, 2.5, {"ü": True}]}
    assert reply.calls == (ToolUse("b", "get_book", '{"deep": [1, null, 2.5, {"ü": true}]}'),)
    assert reply.reasoning == thought


def test_the_errors_type_is_read_from_its_header():
    headers = {"x-amzn-errortype": "ThrottlingException:http://internal.amazon.com/"}

    with (
        serving({"message": "Too many tokens, please wait."}, 429, headers) as server,
        pytest.raises(ModelThrottled, match=r"ThrottlingException.*please wait"),
    ):
        over_http(server)

    assert len(server.came) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>gateway</html>",
        b"[1]",
        b"null",
        b'"text"',
        b"\xff\xfe",
        b'{"output": 7}',
        b'{"output": {"message": {"content": 7}}}',
        b'{"output": {"message": {"content": [7]}}}',
        b'{"output": {"message": {"content": [{"text": 7}]}}}',
        b'{"output": {"message": {"content": [{"mood": "good"}, {"toolUse": []}]}}}',
        b'{"output": {"message": {"content": [{"toolUse": {"toolUseId": "a", "name": "f", "input": '
        + b'{"a":' * 10_000
        + b"1"
        + b"}" * 10_000
        + b"}}]}}}",
    ],
)
def test_a_200_that_is_no_answer_may_be_asked_for_again(body: bytes):
    with serving(body) as server, pytest.raises(ModelUnavailable, match=OPUS.id):
        over_http(server)


def test_an_answer_of_tomorrow_is_read_as_far_as_it_is_known():
    told = answer({"text": "hi"}, stop="a_reason_of_tomorrow") | {"weather": "sunny"}
    told["output"]["message"]["content"] += [{"hologram": {"x": 1}}, {"reasoningContent": {"dream": "x"}}]

    with serving(told) as server:
        assert over_http(server) == ModelReply("hi", (), Usage(10, 5), "end", OPUS.id)


def test_an_answer_that_does_not_come_in_time_is_an_outage():
    with (
        serving(answer({"text": "late"}), seconds=30) as server,
        pytest.raises(
            ModelUnavailable, match=r"no answer from Bedrock .* within 31\.9 s \(ReadTimeoutError\)"
        ),
    ):
        over_http(server, read_timeout=0.2)

    assert len(server.came) == 1


def test_a_host_that_is_not_there_is_an_outage():
    with serving(answer()) as server:
        pass

    with pytest.raises(ModelUnavailable, match="EndpointConnectionError"):
        over_http(server)


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"output": {}},
        {"output": {"message": {"role": "assistant", "content": None}}},
        answer({"toolUse": {"toolUseId": "a", "input": {}}}),
        answer({"toolUse": {"name": "get_book", "input": {}}}),
    ],
)
def test_an_answer_that_holds_no_reply_says_so(broken: dict[str, Any]):
    with pytest.raises(ModelUnavailable, match="answered with"):
        read_reply(broken, OPUS.id)
