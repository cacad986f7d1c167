"""Runs that wait: what is read of them, what is sent about them, and how long they are watched."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from freehold_client import (
    Conflict,
    Freehold,
    FreeholdApiError,
    RefusalItem,
    Run,
    SessionBusy,
    UserItem,
    in_order,
)
from freehold_client.items import read_item

Wire = dict[str, Any]
ASKED = {"callId": "t1-l1-c0", "kind": "approval", "argumentsDigest": "d0", "arguments": "{}"}


def waits(run_id: str = "c-1", *calls: Wire, **more: Any) -> Wire:
    awaiting = [ASKED | call for call in calls or ({},)]
    return {"runId": run_id, "sessionId": "s-1", "status": "AWAITING", "awaiting": awaiting, **more}


class Stack:
    """Runs as they are, or become one look after the other; keeps what it was sent."""

    def __init__(self, **runs: Wire | list[Wire]) -> None:
        self._runs = runs
        self.sent: list[tuple[str, str, Any]] = []
        self.headers: list[httpx.Headers] = []
        self.refusal: httpx.Response | None = None
        self.refused_elsewhere = False
        self.sessions: dict[str, Wire] = {}
        transport = httpx.MockTransport(self._answer)
        self.client = Freehold("http://stack", "fh_k", transport, sleep=lambda _: None)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.raw_path.decode().removeprefix("/v1")
        if request.method != "GET":
            body = request.content if request.url.host != "stack" else json.loads(request.content)
            self.sent.append((request.method, path, body))
            self.headers.append(request.headers)
        if self.refused_elsewhere and request.url.host != "stack":
            return httpx.Response(403, text="<Error/>")
        if self.refusal:
            return self.refusal
        if path.removeprefix("/sessions/") in self.sessions:
            return httpx.Response(200, json=self.sessions[path.removeprefix("/sessions/")])
        if path.endswith("/items"):
            return httpx.Response(200, json={"items": []})
        if path.startswith("/runs/") and request.method == "GET":
            found = self._runs[path.removeprefix("/runs/").replace("-", "_")]
            now = found.pop(0) if isinstance(found, list) and len(found) > 1 else found
            return httpx.Response(200, json=now[0] if isinstance(now, list) else now)
        if path.endswith("uploads"):
            told = {"uploadId": "u-1", "url": "http://bucket/u-1", "headers": {"Content-Length": "2"}}
            return httpx.Response(201, json=told)
        if path.startswith("/approvals"):
            return httpx.Response(200, json={"approvals": [waits()]})
        return httpx.Response(200, json={"runId": "c-1", "sessionId": "s-1", "status": "RUNNING"})


def test_a_decision_repeats_what_the_call_was_shown_with():
    stack = Stack()
    call, other = Run.read(waits("c-1", {}, {"callId": "t1-l1-c1", "argumentsDigest": "d1"})).awaiting

    run = stack.client.runs.decide(
        "c-1", [call.approve("fine"), other.result({"a": 1}, failure=True, session_attributes={"b": "c"})]
    )

    named = {"callId": "t1-l1-c0", "argumentsDigest": "d0", "decision": "approve", "comment": "fine"}
    result = {"body": {"a": 1}, "state": "failure", "sessionAttributes": {"b": "c"}}
    told = {"callId": "t1-l1-c1", "argumentsDigest": "d1", "decision": "result", "result": result}
    assert stack.sent == [("POST", "/runs/c-1/decisions", [named, told])]
    assert run.status == "RUNNING"


def test_an_upload_goes_where_the_stack_says_without_the_key():
    stack = Stack()

    upload_id = stack.client.runs.upload("c-1", b"ab")

    assert stack.sent == [("POST", "/runs/c-1/uploads", {"bytes": 2}), ("PUT", "/u-1", b"ab")]
    assert "authorization" in stack.headers[0]
    assert "authorization" not in stack.headers[1]
    assert stack.headers[1]["content-length"] == "2"
    call = Run.read(waits()).awaiting[0]
    assert call.result(upload_id=upload_id).wire["result"] == {"uploadId": "u-1"}


def test_an_upload_that_is_refused_is_an_error():
    stack = Stack()
    stack.refused_elsewhere = True

    with pytest.raises(FreeholdApiError, match="403"):
        stack.client.runs.upload("c-1", b"ab")


def test_a_session_is_handed_back_and_approvals_are_listed():
    stack = Stack()

    stack.client.sessions.hand_back("s-1", "Done.")
    (approval,) = stack.client.approvals.list(agent="a")

    assert stack.sent == [("POST", "/sessions/s-1/hand-back", {"note": "Done."})]
    assert stack.headers[0]["idempotency-key"]
    assert (approval.run_id, approval.awaiting[0].kind) == ("c-1", "approval")


def test_waiting_and_following_end_where_somebody_must_decide():
    stack = Stack(c_1=waits())

    waited = stack.client.runs.wait("c-1")
    *_, followed = stack.client.runs.follow(waited)

    assert waited == followed
    assert (waited.ended, waited.awaiting[0].kind) == (False, "approval")


def test_a_run_that_another_agent_answers_is_waited_for():
    answered = {"runId": "c-1", "sessionId": "s-1", "status": "COMPLETED"}
    parent = waits("c-1", {"kind": "agent"}, children=["d-1"])
    stack = Stack(c_1=[parent, parent, answered], d_1={"runId": "d-1", "status": "RUNNING"})

    assert stack.client.runs.wait("c-1").status == "COMPLETED"


def answers(call_id: str) -> Wire:
    return {"parent": {"runId": "c-1", "callId": call_id}}


def test_what_an_agent_that_was_asked_waits_for_ends_the_waiting_too():
    parent = waits("c-1", {"kind": "agent"}, children=["old-1", "d-1"])
    stack = Stack(c_1=parent, d_1=waits("d-1", **answers("t1-l1-c0")))

    run = stack.client.runs.wait("c-1")

    assert [(asked.run_id, call.kind) for asked, call in stack.client.runs.awaited(run)] == [
        ("d-1", "approval")
    ]


def test_an_agent_that_was_asked_later_and_has_answered_hides_none_that_waits():
    parent = waits("c-1", {"kind": "agent"}, children=["old-1", "d-1", "d-2", "gone-1"])
    answered = {"runId": "d-2", "status": "COMPLETED", **answers("t1-l1-c1")}
    other = {"runId": "gone-1", "status": "COMPLETED"}
    stack = Stack(c_1=parent, d_1=waits("d-1", **answers("t1-l1-c0")), d_2=answered, gone_1=other)

    run = stack.client.runs.wait("c-1")

    assert [asked.run_id for asked, _ in stack.client.runs.awaited(run)] == ["d-1"]


def test_a_session_that_is_busy_says_whether_its_run_waits():
    stack = Stack()
    stack.refusal = httpx.Response(409, json={"title": "busy", "runId": "r-7", "awaiting": True})

    with pytest.raises(SessionBusy) as caught:
        stack.client.runs.start("a", "hi")

    assert caught.value.awaiting
    assert isinstance(caught.value, Conflict)


def test_what_was_decided_stands_between_the_call_and_what_came_of_it():
    def item(kind: str, at: str = "", **more: Any) -> Any:
        return read_item({"kind": kind, "turn": 1, "at": at, **more})

    ran_first, denied = item("call", "2", lap=1, call=1), item("call", "5", lap=1)
    as_told = [
        *(item("user"), item("lap", "1", lap=1), denied, ran_first, item("lap", "6", lap=2)),
        *(item("decision", "5", lap=1), item("message", "3"), item("refusal", "4", callId="t1-l1-c0")),
        *(item("refusal", "7", callId="t1-l1-c0"), item("refusal", callId="?")),
    ]

    ordered = in_order(as_told)

    assert [type(each) for each in ordered[:2]] == [UserItem, RefusalItem]
    assert [each.at for each in ordered[2:]] == list("12345567")
    assert ordered.index(denied) == 7  # after the decision of that moment


def test_a_queued_run_awaits_what_the_run_ahead_of_it_does():
    stack = Stack(c_1={"runId": "c-1", "sessionId": "s-1", "status": "QUEUED"}, c_0=waits("c-0"))
    stack.sessions = {"s-1": {"sessionId": "s-1", "activeRunId": "c-0"}}

    run = stack.client.runs.wait("c-1")

    assert run.status == "QUEUED"
    assert [(asked.run_id, call.call_id) for asked, call in stack.client.runs.awaited(run)] == [
        ("c-0", "t1-l1-c0")
    ]
    assert isinstance(list(stack.client.runs.follow(run))[-1], Run)
