"""Bedrock's Responses API on 127.0.0.1, for tests: it checks each signature and each request, and answers by script.

    with BedrockServer(service="bedrock") as server:
        server.script([ok(message("hello"))])

A signature is made anew with botocore from what arrived; one that differs is answered with 403, as AWS does. Requests
and responses that break the `openai` package's types fail the test when the `with` block ends.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from botocore.credentials import Credentials

from responses_rules import request_problem, response_problem, responses_problems
from signatures import wrongly_signed

REGION = "us-east-2"
KEYS = Credentials("AKIDEXAMPLE", "secret-that-never-travels", "session/token+that=rotates")


@dataclass(frozen=True, slots=True)
class Scripted:
    """One HTTP answer; `cut_after` closes the connection after so many bytes, `slow` sends them one by one."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    cut_after: int | None = None
    slow: bool = False


def message(text: str, **more: Any) -> dict[str, Any]:
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return {
        "type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": content, **more,
    }  # fmt: skip


def refusal(text: str) -> dict[str, Any]:
    return message("", content=[{"type": "refusal", "refusal": text}])


def call(name: str, arguments: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "function_call", "id": "fc_1", "call_id": f"call_{name}", "name": name, "arguments": arguments,
        "status": "completed", **more,
    }  # fmt: skip


def reasoning(name: str = "rs_1", **more: Any) -> dict[str, Any]:
    return {"type": "reasoning", "id": name, "summary": [], "encrypted_content": f"sealed {name}", **more}


def response(*output: dict[str, Any], **more: Any) -> dict[str, Any]:
    """As Bedrock answers, with what the SDK demands of every response."""
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1_780_000_000,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "model": "openai.gpt-5.5",
        "output": list(output),
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": 120,
            "input_tokens_details": {"cached_tokens": 100, "cache_write_tokens": 0},
            "output_tokens": 9,
            "output_tokens_details": {"reasoning_tokens": 4},
            "total_tokens": 129,
        },
        **more,
    }


def ok(*output: dict[str, Any], **more: Any) -> Scripted:
    made = response(*output, **more)
    problem = response_problem(made)
    assert problem is None, problem
    return Scripted(200, json.dumps(made).encode())


def fail(status: int, body: object, **headers: str) -> Scripted:
    return Scripted(status, json.dumps(body).encode(), {n.replace("_", "-"): v for n, v in headers.items()})


class BedrockServer:
    def __init__(self, service: str = "bedrock", region: str = REGION, keys: Credentials = KEYS) -> None:
        self.service, self.region, self.keys = service, region, keys
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.problems: list[str] = []
        self.closing = threading.Event()
        self._script: list[Scripted] = []
        self._http = _Server(self)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()
        if kind is None and self.problems:
            raise AssertionError("; ".join(self.problems))

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    def script(self, answers: Iterable[Scripted]) -> None:
        self._script.extend(answers)

    def answer(self, path: str, headers: dict[str, str], body: bytes) -> Scripted:
        self.headers.append(headers)
        if path != "/openai/v1/responses":
            return fail(404, {"message": f"nothing at {path}"})
        canonical = wrongly_signed(
            path, headers, body, keys=self.keys, service=self.service, region=self.region
        )
        if canonical is not None:
            words = f"The signature does not match.\n\nThe Canonical String should have been\n{canonical}"
            return fail(403, {"message": words}, x_amzn_errortype="InvalidSignatureException")
        request = json.loads(body)
        self.requests.append(request)
        wrong = [*filter(None, [request_problem(request)]), *responses_problems(request)]
        self.problems.extend(wrong)
        return self._script.pop(0) if not wrong else fail(400, {"message": "; ".join(wrong)})


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, bedrock: BedrockServer) -> None:
        self.bedrock = bedrock
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error here."""


class _Handler(BaseHTTPRequestHandler):
    disable_nagle_algorithm = True
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.server.bedrock.answer(self.path, headers, body)
        self.send_response(answer.status)
        for name, value in {"content-length": str(len(answer.body)), **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if not answer.slow:
            self.wfile.write(answer.body[: answer.cut_after])
            return
        for byte in answer.body:
            self.wfile.write(bytes([byte]))
            if self.server.bedrock.closing.wait(0.02):
                return

    def log_message(self, *args: object) -> None:
        """Quiet."""
