"""A stack that answers from memory: over httpx.MockTransport, or on a port to look at the command line with.

python tests/unit/cli/fake_api.py 8099     then FREEHOLD_URL=http://127.0.0.1:8099 FREEHOLD_KEY=fh_fake
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast
from urllib.parse import parse_qsl, unquote, urlsplit

import httpx

Json = dict[str, Any]
KEY = "fh_fake"
AWS_TOKEN = {
    "token": "fht_main_fake",
    "tenant": "main",
    "principal": "iam:arn:aws:iam::123456789012:user/ann",
}
RUN_ID = "01JZFAKE-1"
SESSION_ID = "s-1"
NOTHING = {"sessions": 0, "runs": 0, "items": 0, "objects": 0, "summaries": 0}


def at(milliseconds: int) -> str:
    return f"2026-11-23T12:00:{milliseconds // 1000:02d}.{milliseconds % 1000:03d}Z"


def user(text: str = "Where is order 1042?") -> Json:
    return {"kind": "user", **_of(0), "text": text, "principal": {"type": "key", "id": "k-1"}}


def lap(number: int = 1, text: str = "", calls: tuple[Json, ...] = (), **more: Any) -> Json:
    figures = {"inputTokens": 812, "outputTokens": 24, "cachedTokens": 0, "costUsd": 0.0021, "durationMs": 41}
    rest = {"model": "a-model", "attempt": 0, "stop": "tools" if calls else "end"}
    return {
        "kind": "lap",
        **_of(40 * number),
        "lap": number,
        "text": text,
        "calls": list(calls),
        **figures,
        **rest,
        **more,
    }


def asks(name: str = "getOrder", arguments: str = '{"orderId": "1042"}', call: int = 0, **more: Any) -> Json:
    return {"call": call, "name": name, "arguments": arguments, **more}


def call(outcome: str = "success", result: str | None = '{"status": "shipped"}', **more: Any) -> Json:
    found = {} if result is None else {"result": result, "durationMs": 36, "attempt": 0}
    return {
        "kind": "call",
        **_of(80),
        "lap": 1,
        "call": 0,
        "tool": "getOrder",
        "outcome": outcome,
        **found,
        **more,
    }


def discarded() -> Json:
    figures = {"inputTokens": 812, "outputTokens": 9, "cachedTokens": 0, "costUsd": None}
    return {"kind": "discarded", **_of(45), "lap": 1, "model": "a-model", **figures}


def compaction(turn: int = 1, lap: int = 0, begins: Json | None = None, **more: Any) -> Json:
    figures = {"inputTokens": 900, "outputTokens": 40, "cachedTokens": 0, "costUsd": 0.001, "durationMs": 70}
    told = {"lap": lap, "model": "a-model", "text": "They asked for an order.", "attempt": 0}
    place = {"begins": begins or {"turn": 8, "laps": 0}}
    return {"kind": "compaction", **_of(60), "turn": turn, **told, **place, **figures, **more}


def session(session_id: str = SESSION_ID, **more: Any) -> Json:
    shape = {
        "sessionId": session_id,
        "agent": "support",
        "agentVersion": "3",
        "alias": "live",
        "memoryId": "customer-7",
        "createdAt": at(0),
        "expiresAt": at(50_000),
        "turns": 2,
        "sessionAttributes": {"tier": "gold"},
    }
    return shape | more


def remembered(session_id: str = SESSION_ID, **more: Any) -> Json:
    notes = {"topics": ["order 1042"], "openPoints": ["the refund"], "preferences": ["short answers"]}
    times = {"startedAt": at(0), "updatedAt": at(300), "expiresAt": at(50_000)}
    took = {"usage": {"inputTokens": 700, "outputTokens": 30, "cachedTokens": 0}, "costUsd": 0.0015}
    return {"sessionId": session_id, "agentVersion": "3", **times, "turns": 2, **notes, **took, **more}


def letter(letter_id: str = "d-1", **more: Any) -> Json:
    told = {"error": "NotFound", "reason": "no agent later", "group": "s1", "deduplicationId": "order-7"}
    source = {
        "source": "arn:aws:sqs:us-east-1:123456789012:orders.fifo",
        "sender": "AROA1:ann",
        "bytes": 40,
    }
    return {"id": letter_id, "at": at(0), **source, **told, **more}


def erasure(*, busy: tuple[str, ...] = (), complete: bool = True, **erased: int) -> Json:
    return {"erased": NOTHING | erased, "busy": list(busy), "complete": complete}


def run(status: str = "COMPLETED", **more: Any) -> Json:
    shape: Json = {
        "runId": RUN_ID,
        "sessionId": SESSION_ID,
        "agent": "support",
        "agentVersion": "DRAFT",
        "alias": "DRAFT",
        "executionMode": "durable",
        "status": status,
        "input": "Where is order 1042?",
        "createdAt": at(0),
        "principal": {"type": "key", "id": "k-1"},
        "trigger": "http",
    }
    if status not in ("QUEUED", "RUNNING", "AWAITING"):
        usage = {"inputTokens": 1652, "outputTokens": 60, "cachedTokens": 100}
        shape |= {"finishedAt": at(312), "output": "It was shipped.", "usage": usage, "costUsd": 0.0042}
        shape |= {"laps": 2, "calls": 1}
    return shape | more


def awaited(kind: str = "approval", call: int = 0, **more: Any) -> Json:
    shape = {"callId": f"t1-l1-c{call}", "kind": kind, "tool": "refund", "arguments": '{"amount": 900}'}
    return {
        **shape,
        "argumentsDigest": str(call) * 64,
        "reason": "It broke.",
        "expiresAt": at(40_000),
        **more,
    }


def parked(*calls: Json, **more: Any) -> Json:
    """A run that waits for these."""
    return run("AWAITING", awaiting=list(calls or (awaited(),)), waitsUntil=at(40_000), **more)


def _of(milliseconds: int) -> Json:
    return {"runId": RUN_ID, "turn": 1, "at": at(milliseconds)}


ANSWERED: tuple[list[Json], ...] = (
    [user()],
    [user(), lap(1, "I look it up.", (asks(),))],
    [user(), lap(1, "I look it up.", (asks(),)), call("started", None)],
    [user(), lap(1, "I look it up.", (asks(),)), call()],
    [user(), lap(1, "I look it up.", (asks(),)), call(), lap(2, "It was shipped.")],
)


@dataclass
class FakeApi:
    """`steps` are what the run's items read as, one after the other; with the last one `ended` is reached.

    Requests are kept in `seen`. `refusal` answers every request, `refused` those with this part in their path, `page`
    is the most items that one answer holds. A decision makes the ended run the first of `after`, where there is one;
    `others` are more runs. `definition` is what a tool is pinned by when its agent is stored.
    """

    steps: tuple[list[Json], ...] = ANSWERED
    ended: Json = field(default_factory=run)
    refusal: tuple[int, Json] | None = None
    refused: dict[str, tuple[int, Json]] = field(default_factory=dict[str, tuple[int, Json]])
    page: int = 100
    agents: dict[str, Json] = field(default_factory=dict[str, Json])
    definition: str = ""
    pins: dict[str, str] = field(default_factory=dict[str, str])
    sessions: list[Json] = field(
        default_factory=lambda: [
            session(),
            session("s-2", activeRunId="01JZFAKE-2"),
            session("s-3", endedAt=at(9)),
        ]
    )
    memory: list[Json] = field(
        default_factory=lambda: [
            remembered(),
            remembered("s-2", turns=0, topics=[], openPoints=[], preferences=[]),
        ]
    )
    erasures: list[Json] = field(default_factory=lambda: [erasure(sessions=1, runs=2, items=9, summaries=1)])
    runs: list[Json] = field(default_factory=lambda: [run(), run("RUNNING", runId="01JZFAKE-2")])
    letters: list[Json] = field(default_factory=lambda: [letter(), letter("d-2", source="x:y:other")])
    after: list[Json] = field(default_factory=list[Json])
    others: dict[str, Json] = field(default_factory=dict[str, Json])
    uploaded: dict[str, bytes] = field(default_factory=dict[str, bytes])
    cancelled: Json = field(default_factory=lambda: run("RUNNING"))
    seen: list[tuple[str, str, Json]] = field(default_factory=list[tuple[str, str, Json]])
    step: int = 0

    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self._respond)

    def _respond(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == "bucket":
            assert "authorization" not in request.headers
            self.uploaded[request.url.path] = request.content
            return httpx.Response(200)
        body = json.loads(request.content or b"{}")
        if isinstance(body, list):
            body = {"decisions": body}
        status, answer = self.answer(request.method, str(request.url), body, request.headers)
        return httpx.Response(204) if answer is None else httpx.Response(status, content=json.dumps(answer))

    def answer(
        self, method: str, url: str, body: Json, headers: Mapping[str, str]
    ) -> tuple[int, Json | None]:
        address = urlsplit(url)
        path = [unquote(part) for part in address.path.strip("/").split("/")][1:]
        self.seen.append((method, "/".join(path), body | dict(parse_qsl(address.query))))
        if self.refusal:
            return self.refusal
        shown = headers.get("authorization", "")
        if path == ["auth", "token"] and shown.startswith("AWS4-HMAC-SHA256 "):
            return 201, AWS_TOKEN
        if shown not in (f"Bearer {KEY}", f"Bearer {AWS_TOKEN['token']}"):
            return 401, {"message": "Unauthorized"}
        for part in (each for each in path if each in self.refused):
            return self.refused[part]
        return self._route(method, path, body, dict(parse_qsl(address.query)))

    def _route(
        self, method: str, path: list[str], body: Json, query: Mapping[str, str]
    ) -> tuple[int, Json | None]:
        match method, path:
            case "GET", ["agents"]:
                return 200, {"agents": [_summary(agent) for agent in self.agents.values()]}
            case "PUT", ["agents", name]:
                self.agents[name], self.pins[name] = body, self.definition
                return 200, _agent(body, self.definition)
            case "GET", ["agents", name] if name in self.agents:
                return 200, _agent(self.agents[name], self.pins.get(name, "")) | {"updatedAt": at(0)}
            case "GET", ["agents", name, "versions"] if name in self.agents:
                return 200, {"versions": [{"version": "3", "digest": "d3", "createdAt": at(0)}]}
            case "GET", ["agents", name, "aliases"] if name in self.agents:
                return 200, {"aliases": [{"alias": "live", "routes": [{"version": "3"}]}]}
            case "POST", ["agents", "support", "runs"]:
                self.step = 0
                return 202, {
                    "runId": RUN_ID,
                    "sessionId": body.get("sessionId", SESSION_ID),
                    "status": "RUNNING",
                }
            case "GET", ["models"]:
                price = {"input": 1.25, "output": 10.0, "cached": 0.125, "cacheWritten": 1.25}
                known = price | {"source": "a page", "date": "2026-11-01"}
                first = {"model": "openai.gpt-5.5", "aliases": ["gpt"], "api": "responses", "window": 400_000}
                second = {"model": "rehearsal", "aliases": [], "api": "rehearsal", "window": None}
                return 200, {"models": [first | {"images": True, "price": known}, second | {"price": None}]}
            case "GET", ["runs"]:
                return 200, {"runs": self.runs}
            case "GET", ["runs", run_id] if run_id == RUN_ID:
                return 200, self.ended if self.step >= len(self.steps) - 1 else run("RUNNING")
            case "GET", ["runs", run_id] if run_id in self.others:
                return 200, self.others[run_id]
            case "GET", ["approvals"]:
                named = {"runId": RUN_ID, "agent": "support", "principal": {"type": "key", "id": "k-1"}}
                calls = {"awaiting": [awaited(), awaited("confirmation", 1)], "expiresAt": at(40_000)}
                return 200, {"approvals": [named | calls]}
            case "POST", ["runs", _, "decisions"]:
                self.ended = self.after.pop(0) if self.after else run()
                return 200, run("RUNNING")
            case "POST", ["runs", _, "uploads"]:
                told = {"uploadId": "u-1", "url": "http://bucket/u-1"}
                return 201, told | {"headers": {"Content-Length": str(body["bytes"])}}
            case "POST", ["runs", run_id, "cancel"] if run_id == RUN_ID:
                return 202, self.cancelled
            case "GET", ["sessions", _, "items"]:
                return 200, self._items(int(query.get("nextToken", "0")))
            case "GET", ["sessions"]:
                return 200, {"sessions": self.sessions}
            case "GET", ["sessions", session_id] if session_id == SESSION_ID:
                return 200, self.sessions[0]
            case "POST", ["sessions", session_id, "hand-back"] if session_id == SESSION_ID:
                return 200, session()
            case "POST", ["sessions", session_id, "end"] if session_id == SESSION_ID:
                return 200, session(endedAt=at(99), summaryPending=True)
            case "GET", ["agents", "support", "memories"]:
                return 200, {"memories": [{"memoryId": "customer-7", **each} for each in self.memory]}
            case "GET", ["agents", "support", "memories", "customer-7"]:
                return 200, {"memoryId": "customer-7", "agent": "support", "sessions": self.memory}
            case ("DELETE", ["sessions", _] | ["agents", _, "memories", _]) | ("POST", ["erasures"]):
                return 200, self.erasures.pop(0)
            case _, ["keys", *rest]:
                return _keys(method, rest, body)
            case _, ["dead-letters", *rest]:
                return _dead_letters(method, rest, body, self.letters)
            case _, ["schedules", *rest]:
                return _schedules(method, rest, body)
            case _:
                return 404, problem(404, "NotFound", f"no {'/'.join(path)}")

    def _items(self, start: int) -> Json:
        found = self.steps[min(self.step, len(self.steps) - 1)]
        page: Json = {"items": found[start : start + self.page]}
        if start + self.page < len(found):
            return page | {"nextToken": str(start + self.page)}
        self.step += 1
        return page


def problem(status: int, kind: str, detail: str, **more: Any) -> Json:
    return {
        "type": f"urn:freehold:{kind}",
        "title": kind,
        "status": status,
        "detail": detail,
        "path": "/v1/x",
        **more,
    }


def _summary(agent: Json) -> Json:
    model = agent.get("foundationModel", "rehearsal")
    return {"agentName": agent["agentName"], "foundationModel": model, "updatedAt": at(0)}


def _agent(agent: Json, definition: str) -> Json:
    order = {"name": "getOrder", "description": "Look up an order", "actionGroup": "orders"}
    tools = [order | {"executor": "lambda", "waitsFor": ["approval"], "definition": definition}]
    told = {
        "agentName": agent["agentName"],
        "digest": "d",
        "tools": tools,
        "warnings": ["memory is not there yet"],
    }
    return {**told, "agent": agent}


def _keys(method: str, rest: list[str], body: Json) -> tuple[int, Json | None]:
    made = {"keyId": "k-9", "name": "ci", "scopes": ["run", "read"], "createdAt": at(0)}
    if method == "POST":
        return 201, {**made, **body, "key": "fh_secret"}
    return (204, None) if rest else (200, {"keys": [made]})


def _dead_letters(method: str, rest: list[str], body: Json, letters: list[Json]) -> tuple[int, Json]:
    match method, rest:
        case "GET", []:
            return 200, {"deadLetters": letters, "complete": True}
        case "GET", [letter_id] if letter_id == "d-1":
            return 200, letters[0] | {"body": '{"agent": "later"}'}
        case "POST", ["redrive"]:
            wanted = body.get("ids") or [each["id"] for each in letters]
            found = [each["id"] for each in letters if each["id"] in wanted][:1]
            letters[:] = [each for each in letters if each["id"] not in found]
            missing = [each for each in body.get("ids") or [] if each not in found]
            done = not letters and not missing
            return 200, {"redriven": found, "missing": missing, "failed": [], "complete": done}
        case _:
            return 404, problem(404, "NotFound", f"no {'/'.join(rest)}")


def _schedules(method: str, rest: list[str], body: Json) -> tuple[int, Json | None]:
    named = {"scheduleId": "5f0a", "agent": "support", "schedule": "rate(1 day)", "timeZone": "UTC"}
    by = {"setBy": "agent", "armed": True, "createdBy": {"type": "key", "id": "k-1"}, "createdAt": at(0)}
    if method == "POST":
        return 201, {**named, **by, **body, "setBy": "api"}
    if method == "DELETE":
        return 204, None
    lost = {**named, **by, "scheduleId": "6a1b", "armed": False}
    return 200, {**named, **by, "input": "Report."} if rest else {"schedules": [{**named, **by}, lost]}


class _Handler(BaseHTTPRequestHandler):
    api = FakeApi(agents={"support": {"agentName": "support", "foundationModel": "rehearsal"}})

    def _serve(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("content-length", "0"))) or b"{}")
        headers = {name.lower(): value for name, value in self.headers.items()}
        status, answer = self.api.answer(self.command, self.path, cast("Json", body), headers)
        content = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(204 if answer is None else status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_POST = do_DELETE = _serve  # noqa: N815 - the standard library's names


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), _Handler).serve_forever()
