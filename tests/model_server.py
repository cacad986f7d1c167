"""An OpenAI-compatible model server for tests, which answers from a script.

    with ModelServer() as server:
        server.script([ask(("get_book", {"id": 7})), say("Here it is.")])
        model = OpenAICompatible(server.url)

Every request is held against the types of the `openai` package; one that breaks them is answered with 400 and, with
a request that the script has no answer for, fails the test when the `with` block ends.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from freehold.values.model import Usage
from sdk_types import request_problem
from streamed import at_once, by_words, chat_events

DEFAULT_USAGE = Usage(10, 5)
STREAM_HEADERS = {"content-type": "text/event-stream", "transfer-encoding": "chunked"}


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer. `body` replaces what would be made of the rest; `hold` keeps it back until the event is set.

    Who asks for a stream gets one. With `pace_seconds` an event has two words, and comes so long after the one before;
    `cut_after` so many of them the connection ends.
    """

    text: str | None = None
    calls: tuple[tuple[str, Mapping[str, Any] | str], ...] = ()
    usage: Usage | None = DEFAULT_USAGE
    finish: str | None = None
    status: int = 200
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    delay_seconds: float = 0.0
    hold: threading.Event | None = None
    drip_seconds: float | None = None
    pace_seconds: float = 0.0
    cut_after: int | None = None


Answer = Reply | Callable[[dict[str, Any]], Reply]


def say(text: str, **more: Any) -> Reply:
    return Reply(text=text, **more)


def ask(*calls: tuple[str, Mapping[str, Any] | str], **more: Any) -> Reply:
    """Tool calls, all in one reply. Arguments given as text are sent as they are."""
    return Reply(calls=calls, **more)


def fail(status: int, message: str = "scripted failure", **more: Any) -> Reply:
    return Reply(status=status, body={"error": {"message": message, "type": "scripted"}}, usage=None, **more)


class ModelServer:
    """Listens on 127.0.0.1 while its `with` block runs. Safe to use from several threads and processes at once."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.problems: list[str] = []
        self.arrived = threading.Condition()
        self.closing = threading.Event()
        self._script: list[Answer] = []
        self._then: Answer | None = None
        self._served = Usage()
        self._http = _Server(self)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self.closing.set()
        self._http.shutdown()
        self._thread.join()
        self._http.close_all()
        # A failure inside the block says more than what followed from it.
        if kind is None and self.problems:
            raise AssertionError("; ".join(self.problems))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}/v1"

    @property
    def served(self) -> Usage:
        """The tokens of every reply that was given out, also where nobody waited for it any more."""
        with self.arrived:
            return self._served

    def script(self, answers: Iterable[Answer], then: Answer | None = None) -> None:
        """Add answers, given out in order of arrival; `then` answers whatever comes after them."""
        with self.arrived:
            self._script.extend(answers)
            self._then = then or self._then

    def wait_for(self, count: int, seconds: float = 30.0) -> None:
        """Until that many requests have arrived, answered or not."""
        with self.arrived:
            if not self.arrived.wait_for(lambda: len(self.requests) >= count, seconds):
                raise AssertionError(f"{len(self.requests)} of {count} requests arrived in {seconds:g} s")

    def answer(self, request: dict[str, Any], headers: dict[str, str]) -> Reply:
        """The next answer of the script; wrong requests use none up."""
        wrong = what_is_wrong(request)
        with self.arrived:
            self.requests.append(request)
            self.headers.append(headers)
            self.arrived.notify_all()
            if wrong:
                self.problems.append(f"request {len(self.requests)} is no chat completion: {wrong}")
                return fail(400, wrong)
            answer = self._script.pop(0) if self._script else self._then
            if answer is None:
                self.problems.append(f"the script has no answer for request {len(self.requests)}")
                return fail(400, "the script is over")
        reply = answer if isinstance(answer, Reply) else answer(request)
        if reply.usage:
            with self.arrived:
                self._served += reply.usage
        return reply


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, model: ModelServer) -> None:
        self.model = model
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def close_all(self) -> None:
        """Also the connections that clients keep alive."""
        self.server_close()
        for connection in tuple(self._open):
            self.shutdown_request(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error here."""


class _Handler(BaseHTTPRequestHandler):
    # Head and body go out as two packets, and the second must not wait for the first one's acknowledgement.
    disable_nagle_algorithm = True
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        model = self.server.model
        content = self.rfile.read(int(self.headers.get("content-length", 0)))
        request: dict[str, Any] = {}
        if self.path != "/v1/chat/completions":
            reply = fail(404, f"nothing at {self.path}")
        else:
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = json.loads(content)
            reply = model.answer(request, headers)
        if reply.delay_seconds:
            model.closing.wait(reply.delay_seconds)
        while reply.hold and not reply.hold.wait(0.01) and not model.closing.is_set():
            pass
        if request.get("stream") and reply.status == 200 and reply.body is None:
            self._stream(reply, request)
            return
        body = json_body(reply, len(model.requests))
        self.send_response(reply.status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if reply.drip_seconds is None:
            self.wfile.write(body)
            return
        for byte in body:
            self.wfile.write(bytes([byte]))
            if model.closing.wait(reply.drip_seconds):
                return

    def _stream(self, reply: Reply, request: dict[str, Any]) -> None:
        model = self.server.model
        completion = json.loads(json_body(reply, len(model.requests)))
        usage = bool((request.get("stream_options") or {}).get("include_usage"))
        self.send_response(200)
        for name, value in (STREAM_HEADERS | dict(reply.headers)).items():
            self.send_header(name, value)
        self.end_headers()
        cut = by_words if reply.pace_seconds else at_once
        for event in chat_events(completion, cut, usage=usage)[: reply.cut_after]:
            if reply.pace_seconds and model.closing.wait(reply.pace_seconds):
                return
            self.wfile.write(http_chunk(event))
        if reply.cut_after is None:
            self.wfile.write(http_chunk(b""))
        else:
            self.close_connection = True

    def log_message(self, *args: object) -> None:
        """Quiet."""


def http_chunk(content: bytes) -> bytes:
    """As HTTP/1.1 sends a part of a body whose length nobody knows yet; an empty one ends it."""
    return f"{len(content):x}\r\n".encode() + content + b"\r\n"


def json_body(reply: Reply, number: int) -> bytes:
    if isinstance(reply.body, bytes):
        return reply.body
    if reply.body is not None:
        return json.dumps(reply.body).encode()
    calls = [
        {
            "id": f"call_{number}_{i}",
            "type": "function",
            "function": {"name": name, "arguments": given if isinstance(given, str) else json.dumps(given)},
        }
        for i, (name, given) in enumerate(reply.calls)
    ]
    message = {"role": "assistant", "content": reply.text, **({"tool_calls": calls} if calls else {})}
    finish = reply.finish or ("tool_calls" if calls else "stop")
    completion: dict[str, Any] = {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": "scripted-1",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
    }
    if usage := reply.usage:
        completion["usage"] = {
            "prompt_tokens": usage.input_tokens,
            "completion_tokens": usage.output_tokens,
            "total_tokens": usage.total,
            "prompt_tokens_details": {
                "cached_tokens": usage.cached_tokens,
                "cache_write_tokens": usage.cache_written_tokens,
            },
        }
    return json.dumps(completion).encode()


def what_is_wrong(request: object) -> str | None:
    """Why the `openai` package would not know this request, or None. Fields that it does not know are wrong too."""
    from openai.types.chat import completion_create_params as kinds

    streams = isinstance(request, dict) and request.get("stream")
    kind = kinds.CompletionCreateParamsStreaming if streams else kinds.CompletionCreateParamsNonStreaming
    return request_problem(kind, request)
