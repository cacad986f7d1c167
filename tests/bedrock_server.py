"""Bedrock on 127.0.0.1 for tests: Converse and Responses, answered from a script to whoever signs as the user.

    with BedrockServer(Credentials("AKIA…", "…"), "eu-west-1") as bedrock:
        bedrock.script([ask(("get_book", {"id": 7})), say("Here it is.")])

A request that marks what is worth caching is answered with the tokens that such a cache would count.

Each signature is made anew with botocore from what arrived. A request that is signed otherwise, that the API
would not take, or that the script has no answer for, is refused and fails the test when the `with` block ends.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import unquote

from botocore.credentials import Credentials

from converse_rules import converse_problems
from model_server import Reply, http_chunk
from prompt_cache import Counted, PromptCache, without_marks
from responses_rules import request_problem, responses_problems
from signatures import wrongly_signed
from streamed import at_once, by_words, converse_frames, response_stream

# Where the test points AWS_ENDPOINT_URL_…, and the service that is to stand in the signature.
SERVICES = {"runtime": "bedrock", "mantle": "bedrock-mantle"}


@dataclass(frozen=True, slots=True)
class Received:
    """One request, as it arrived. `path` is still percent-encoded and without the host's own part."""

    host: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Answer:
    """`parts` are the events of a stream, and `body` all of what is none."""

    status: int
    body: bytes
    headers: Mapping[str, str]
    parts: Sequence[bytes] = ()
    pace_seconds: float = 0.0


class BedrockServer:
    """Listens while its `with` block runs. Safe to use from several threads and processes at once."""

    def __init__(self, user: Credentials, region: str) -> None:
        self.user, self.region = user, region
        self.received: list[Received] = []
        self.problems: list[str] = []
        self.arrived = threading.Lock()
        self.cache = PromptCache()
        self._script: list[Reply] = []
        self._http = _Server(self)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()
        # A failure inside the block says more than what followed from it.
        if kind is None and self.problems:
            raise AssertionError("; ".join(self.problems))

    @property
    def environment(self) -> dict[str, str]:
        """What leads an AWS SDK here in place of Bedrock."""
        base = f"http://127.0.0.1:{self._http.server_port}"
        return {
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": f"{base}/runtime",
            "AWS_ENDPOINT_URL_BEDROCK_MANTLE": f"{base}/mantle",
        }

    def script(self, answers: Iterable[Reply]) -> None:
        """Add answers, given out in order of arrival."""
        with self.arrived:
            self._script.extend(answers)

    def answer(self, raw_path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        host, _, path = raw_path.removeprefix("/").partition("/")
        request = Received(host, f"/{path}", headers, body)
        with self.arrived:
            self.received.append(request)
            if not self._signed(raw_path, request):
                self.problems.append(f"{raw_path} is not signed by the user: {headers.get('authorization')}")
                return _fault(403, "InvalidSignatureException", "The signature does not match.")
            if wrong := _what_is_wrong(request):
                self.problems.append(f"{raw_path}: {wrong}")
                return _fault(400, "ValidationException", wrong)
            if not self._script:
                self.problems.append(f"the script has no answer for request {len(self.received)}")
                return _fault(400, "ValidationException", "the script is over")
            return _answer(self._script.pop(0), request, len(self.received), self.cache)

    def _signed(self, raw_path: str, request: Received) -> bool:
        service = SERVICES.get(request.host)
        user = (raw_path, request.headers, request.body)
        return service is not None and not wrongly_signed(
            *user, keys=self.user, service=service, region=self.region
        )


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, bedrock: BedrockServer) -> None:
        self.bedrock = bedrock
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error here."""


class _Handler(BaseHTTPRequestHandler):
    disable_nagle_algorithm = True
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.server.bedrock.answer(self.path, headers, body)
        self.send_response(answer.status)
        length = {} if answer.parts else {"content-length": str(len(answer.body))}
        for name, value in {"connection": "close", **length, **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)
        for part in answer.parts:
            time.sleep(answer.pace_seconds)
            self.wfile.write(http_chunk(part))
        if answer.parts:
            self.wfile.write(http_chunk(b""))

    def log_message(self, *args: object) -> None:
        """Quiet."""


def _model_of(path: str) -> str | None:
    """The model that Converse is asked for; None for every other path."""
    found = re.fullmatch(r"/model/([^/]+)/converse(-stream)?", path)
    return unquote(found[1]) if found else None


def _converse_parameters(request: Received) -> dict[str, Any] | None:
    """What the SDK was called with; None for every path but Converse's."""
    model = _model_of(request.path)
    return {"modelId": model, **request.json} if model else None


def _what_is_wrong(request: Received) -> str | None:
    if parameters := _converse_parameters(request):
        return "; ".join(converse_problems(parameters)) or None
    if request.path != "/openai/v1/responses":
        return "there is nothing"
    return request_problem(request.json) or "; ".join(responses_problems(request.json)) or None


def _answer(reply: Reply, request: Received, number: int, cache: PromptCache) -> Answer:
    parameters = _converse_parameters(request)
    if reply.body is not None:
        body = reply.body
    elif parameters:
        marked = parameters != without_marks(parameters)
        body = _converse(reply, number, cache.count(parameters) if marked else None)
    else:
        body = _response(reply, request, number)
    headers = {"content-type": "application/json", "x-amzn-requestid": f"request-{number}", **reply.headers}
    streams = request.path.endswith("-stream") or request.json.get("stream")
    if not streams or reply.body is not None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return Answer(reply.status, content, headers)
    cut = by_words if reply.pace_seconds else at_once
    parts = converse_frames(body, cut) if parameters else response_stream(body, cut)
    kind = "application/vnd.amazon.eventstream" if parameters else "text/event-stream"
    headers |= {"content-type": kind, "transfer-encoding": "chunked"}
    return Answer(reply.status, b"", headers, parts, reply.pace_seconds)


def _fault(status: int, code: str, message: str) -> Answer:
    return Answer(status, json.dumps({"message": message}).encode(), {"x-amzn-errortype": code})


def _converse(reply: Reply, number: int, counted: Counted | None) -> dict[str, Any]:
    calls = [
        {"toolUse": {"toolUseId": f"call_{number}_{i}", "name": name, "input": given}}
        for i, (name, given) in enumerate(reply.calls)
    ]
    texts = [{"text": reply.text}] if reply.text else []
    made: dict[str, Any] = {
        "output": {"message": {"role": "assistant", "content": [*texts, *calls]}},
        "stopReason": reply.finish or ("tool_use" if calls else "end_turn"),
        "metrics": {"latencyMs": 1},
    }
    if usage := reply.usage:
        given, cached = usage.input_tokens, {}
        if counted:
            given = counted.fresh
            cached = {"cacheReadInputTokens": counted.read, "cacheWriteInputTokens": counted.written}
        every = given + sum(cached.values()) + usage.output_tokens
        made["usage"] = {
            "inputTokens": given, "outputTokens": usage.output_tokens, "totalTokens": every, **cached,
        }  # fmt: skip
    return made


def _response(reply: Reply, request: Received, number: int) -> dict[str, Any]:
    text = [{"type": "output_text", "text": reply.text, "annotations": []}] if reply.text else []
    said = [
        {
            "type": "message",
            "id": f"msg_{number}",
            "role": "assistant",
            "status": "completed",
            "content": text,
        }
    ]
    calls = [
        {
            "type": "function_call",
            "id": f"fc_{number}_{i}",
            "call_id": f"call_{number}_{i}",
            "name": name,
            "arguments": given if isinstance(given, str) else json.dumps(given),
            "status": "completed",
        }
        for i, (name, given) in enumerate(reply.calls)
    ]
    made: dict[str, Any] = {
        "id": f"resp_{number}",
        "object": "response",
        "created_at": 1_780_000_000,
        "status": reply.finish or "completed",
        "model": request.json["model"],
        "output": [*(said if text else []), *calls],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
    }
    if usage := reply.usage:
        made["usage"] = {
            "input_tokens": usage.input_tokens,
            "input_tokens_details": {
                "cached_tokens": usage.cached_tokens,
                "cache_write_tokens": usage.cache_written_tokens,
            },
            "output_tokens": usage.output_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": usage.total,
        }
    return made
