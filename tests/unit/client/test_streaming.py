"""A run's events over connections that break: each of them once, and an end."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest

from freehold_client import (
    ApprovalRequested,
    Freehold,
    InvalidRequest,
    OtherEvent,
    RunEvent,
    RunFinished,
    ServerError,
    TextDelta,
    ToolFinished,
    Unreachable,
)
from freehold_client.streaming import SILENCE_SECONDS

Answer = httpx.Response | httpx.TransportError
GREETING = b": following\nretry: 2500\n\n"
OVER = httpx.Response(204)
# What lies between may ask to log in.
PAGE = "<html>\n\n<body>\n\n: Log in\n\n</body>\n\n"
STREAM = {"content-type": "text/event-stream; charset=utf-8"}


class Broken(httpx.SyncByteStream):
    """Content that comes in these chunks, and then ends or is lost."""

    def __init__(self, *chunks: bytes, lost: bool = False) -> None:
        self._chunks, self._lost = chunks, lost

    def __iter__(self) -> Iterator[bytes]:
        yield from self._chunks
        if self._lost:
            raise httpx.RemoteProtocolError("peer closed connection")


def event(seq: int, name: str = "text.delta", **data: object) -> bytes:
    told = {"runId": "c-1", "seq": seq, "at": "t", **(data or {"lap": 1, "text": f"{seq} "})}
    return f"id: e{seq}\nevent: {name}\ndata: {json.dumps(told, ensure_ascii=False)}\n\n".encode()


def finished(seq: int) -> bytes:
    return event(seq, "run.finished", status="COMPLETED", laps=1, usage={"inputTokens": 3}, costUsd=0.5)


def streamed(*chunks: bytes, lost: bool = False) -> httpx.Response:
    return httpx.Response(200, headers=STREAM, stream=Broken(*chunks, lost=lost))


class Stack:
    """Gives `answers` in turn; keeps where each request began, how long it waits, and the pauses between."""

    def __init__(self, *answers: Answer) -> None:
        self.began: list[str | None] = []
        self.timeouts: list[dict[str, float | None]] = []
        self.pauses: list[float] = []
        self._answers = list(answers)

    def events(self, last_event_id: str | None = None) -> list[RunEvent]:
        client = Freehold(
            "http://stack", "fh_k", httpx.MockTransport(self._respond), sleep=self.pauses.append
        )
        return list(client.runs.stream("c-1", last_event_id))

    def _respond(self, request: httpx.Request) -> httpx.Response:
        assert (request.url.path, request.headers["authorization"]) == ("/v1/runs/c-1/events", "Bearer fh_k")
        self.began.append(request.headers.get("last-event-id"))
        self.timeouts.append(request.extensions["timeout"])
        answer = self._answers.pop(0)
        if isinstance(answer, httpx.TransportError):
            raise answer
        return answer


def seqs(events: list[RunEvent]) -> list[int]:
    return [each.seq for each in events]


def test_a_lost_connection_is_taken_up_behind_the_last_whole_event():
    cut = event(3)[:-9]
    stack = Stack(
        streamed(GREETING, event(1), event(2) + cut, lost=True),
        httpx.ConnectError("refused"),
        streamed(GREETING, event(3), finished(4)),
    )

    events = stack.events()

    assert seqs(events) == [1, 2, 3, 4]
    assert stack.began == [None, "e2", "e2"]
    assert max(stack.pauses) <= 2.5


def test_a_stream_that_ends_before_its_run_is_taken_up_until_there_is_no_more_to_come():
    waits = event(
        2, "approval.requested", awaiting={"runId": "c-2", "callId": "t1-l1-c0", "kind": "approval"}
    )
    stack = Stack(streamed(GREETING, event(1), waits), OVER)

    *_, asked = stack.events("e0")

    assert isinstance(asked, ApprovalRequested)
    assert (asked.asked_by, asked.awaited.call_id, asked.decided) == ("c-2", "t1-l1-c0", False)
    assert stack.began == ["e0", "e2"]


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_events_are_whole_however_the_bytes_come(size: int):
    text = GREETING + event(1, lap=1, text="ä\u2028“\x85”\n") + b": heartbeat\r\n\r\n" + finished(2)
    chunks = [text[i : i + size] for i in range(0, len(text), size)]

    told, end = Stack(streamed(*chunks)).events()

    assert isinstance(told, TextDelta)
    assert told.text == "ä\u2028“\x85”\n"
    assert isinstance(end, RunFinished)
    assert (end.status, end.usage.input_tokens, end.cost_usd) == ("COMPLETED", 3, 0.5)


def test_a_stack_that_has_too_much_to_do_says_when_to_come_back():
    busy = httpx.Response(503, json={"title": "T", "status": 503}, headers={"retry-after": "7"})
    stack = Stack(busy, streamed(finished(1)))

    assert seqs(stack.events()) == [1]
    assert stack.pauses == [7.0]


@pytest.mark.parametrize("status", [429, 500, 529])
def test_whatever_failure_names_a_time_is_over_by_then(status: int):
    failed = httpx.Response(status, json={"title": "T", "status": status}, headers={"retry-after": "2"})
    stack = Stack(failed, streamed(finished(1)))

    assert seqs(stack.events()) == [1]
    assert stack.pauses == [2.0]


def test_those_who_were_cut_off_together_do_not_come_back_together():
    stacks = [
        Stack(httpx.ConnectError("refused"), httpx.ConnectError("refused"), streamed(finished(1)))
        for _ in range(20)
    ]
    for stack in stacks:
        stack.events()

    first, second = zip(*(stack.pauses for stack in stacks), strict=True)
    assert len(set(first)) == len(set(second)) == 20
    assert (max(first) <= 1.0, max(second) <= 2.0) == (True, True)


def test_several_lines_of_data_are_one_text():
    lines = b'id: e1\nevent: text.delta\ndata: {"seq": 1, "lap": 1,\ndata: "text": "hi"}\n\n'

    told, _ = Stack(streamed(lines, finished(2))).events()

    assert isinstance(told, TextDelta)
    assert told.text == "hi"


@pytest.mark.parametrize("data", [b"<html>", b"", b"[1]", b"\xff"])
def test_what_no_stack_sends_counts_as_a_lost_connection(data: bytes):
    broken = b"id: e9\ndata: " + data + b"\n\n"
    stack = Stack(streamed(GREETING, event(1), broken), streamed(GREETING, finished(2)))

    assert seqs(stack.events()) == [1, 2]
    assert stack.began == [None, "e1"]
    with pytest.raises(Unreachable, match="no JSON"):
        Stack(*(streamed(GREETING, broken) for _ in range(20))).events()


def test_what_is_refused_is_not_asked_again():
    stack = Stack(httpx.Response(400, json={"title": "T", "status": 400, "detail": "no id"}))

    with pytest.raises(InvalidRequest):
        stack.events("nonsense")

    assert stack.pauses == []


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (lambda: httpx.ConnectError("refused"), Unreachable),
        (lambda: httpx.Response(503, json={"title": "T", "status": 503}), ServerError),
        (lambda: streamed(GREETING), Unreachable),
        (lambda: streamed(GREETING, b"retry: 9\n\n", b"no event\n\n"), Unreachable),
        (lambda: httpx.Response(200, html=PAGE), Unreachable),
        (lambda: httpx.Response(200, content=PAGE), Unreachable),
    ],
)
def test_trying_again_has_an_end(answer: object, error: type[Exception]):
    assert callable(answer)
    stack = Stack(*(answer() for _ in range(20)))

    with pytest.raises(error):
        stack.events()

    assert len(stack.began) == 6


def test_what_answers_with_something_else_is_told_as_that():
    with pytest.raises(Unreachable, match="no stream of events"):
        Stack(*(httpx.Response(200, html=PAGE) for _ in range(6))).events()


def test_a_heartbeat_is_a_sign_of_life():
    silent = [streamed(GREETING, b": heartbeat\n\n") for _ in range(20)]

    assert seqs(Stack(*silent, streamed(finished(1))).events()) == [1]


def test_a_stream_that_falls_silent_is_lost_and_is_taken_up_again():
    stack = Stack(httpx.ReadTimeout("silent"), streamed(finished(1)))

    assert seqs(stack.events()) == [1]
    assert [each["read"] for each in stack.timeouts] == [SILENCE_SECONDS] * 2


def test_kinds_of_events_that_are_not_known_yet_are_passed_on():
    tool = event(
        2, "tool.finished", lap=1, call=0, callId="t1-l1-c0", tool="pay", outcome="success", result="ok"
    )
    other, told, _ = Stack(streamed(event(1, "guardrail.intervened", lap=1), tool, finished(3))).events()

    assert isinstance(other, OtherEvent)
    assert (other.name, other.wire["lap"]) == ("guardrail.intervened", 1)
    assert isinstance(told, ToolFinished)
    assert (told.tool, told.outcome, told.result, told.result_length) == ("pay", "success", "ok", None)
