"""Sessions, memories and erasures: what is sent for each call."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from freehold_client import Erased, Freehold, Session, SessionBusy

NOTHING = {"sessions": 0, "runs": 0, "items": 0, "objects": 0, "summaries": 0}


class Stack:
    """Answers with each of `answers` in turn and keeps what it was sent."""

    def __init__(self, *answers: dict[str, Any] | httpx.Response) -> None:
        self._answers = list(answers)
        self.sent: list[tuple[str, str, Any]] = []
        self.client = Freehold(
            "http://127.0.0.1:1", "fh_k", httpx.MockTransport(self._answer), sleep=lambda _: None
        )

    def _answer(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content) if request.content else None
        self.sent.append((request.method, request.url.raw_path.decode().removeprefix("/v1"), body))
        answer = self._answers.pop(0)
        return answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer)


def report(*, busy: tuple[str, ...] = (), complete: bool = True, **erased: int) -> dict[str, Any]:
    return {"erased": NOTHING | erased, "busy": list(busy), "complete": complete}


def test_sessions_are_chosen_by_agent_and_memory():
    stack = Stack({"sessions": [{"sessionId": "s-1", "turns": 3, "endedAt": "then"}]})

    (session,) = stack.client.sessions.list(agent="a", memory_id="m:7")

    assert stack.sent == [("GET", "/sessions?agent=a&memoryId=m%3A7", None)]
    assert (session.session_id, session.turns, session.ended_at) == ("s-1", 3, "then")
    assert session == Session.read(session.wire)


def test_each_call_on_a_session_names_it_whatever_its_id_holds():
    stack = Stack({"sessionId": "a/b"}, {"sessionId": "a/b", "summaryPending": True}, report(sessions=1))

    stack.client.sessions.get("a/b")
    ended = stack.client.sessions.end("a/b")
    erasure = stack.client.sessions.delete("a/b")

    assert [(method, path) for method, path, _ in stack.sent] == [
        ("GET", "/sessions/a%2Fb"),
        ("POST", "/sessions/a%2Fb/end"),
        ("DELETE", "/sessions/a%2Fb"),
    ]
    assert ended.summary_pending
    assert erasure.erased == Erased(sessions=1)


def test_each_call_on_a_memory_names_agent_and_id():
    sessions = [{"sessionId": "s-1", "topics": ["t"]}]
    memory = {"memoryId": "m", "agent": "a", "sessions": sessions}
    stack = Stack({"memories": [{"memoryId": "m", "sessionId": "s-1"}]}, memory, report(), report())

    (listed,) = stack.client.memories.list("a")
    found = stack.client.memories.get("a", "m")
    stack.client.memories.delete("a", "m")
    stack.client.memories.delete("a", "m", session_id="s-1")

    assert [(method, path) for method, path, _ in stack.sent] == [
        ("GET", "/agents/a/memories"),
        ("GET", "/agents/a/memories/m"),
        ("DELETE", "/agents/a/memories/m"),
        ("DELETE", "/agents/a/memories/m?sessionId=s-1"),
    ]
    assert listed.memory_id == found.sessions[0].memory_id == "m"


def test_a_run_is_started_under_a_memory():
    stack = Stack({"runId": "c-1", "sessionId": "s", "status": "COMPLETED", "memoryId": "m"})

    started = stack.client.runs.start("a", "hi", memory_id="m")

    assert stack.sent == [("POST", "/agents/a/runs", {"input": "hi", "memoryId": "m"})]
    assert started.run is not None
    assert started.run.memory_id == "m"


@pytest.mark.parametrize(
    ("erase", "body"),
    [
        (lambda client: client.erasures.memory("a", "m"), {"agent": "a", "memoryId": "m"}),
        (lambda client: client.erasures.principal("key:k"), {"principal": "key:k"}),
    ],
    ids=["memory", "principal"],
)
def test_an_erasure_is_asked_for_again_until_it_is_complete(erase: Any, body: dict[str, str]):
    stack = Stack(
        report(complete=False, sessions=2, items=9), httpx.Response(503), report(sessions=1, runs=4)
    )

    done = erase(stack.client)

    assert stack.sent == [("POST", "/erasures", body)] * 3
    assert done.erased == Erased(sessions=3, runs=4, items=9)
    assert done.wire == report(sessions=3, runs=4, items=9)
    assert done.complete


def test_forgetting_is_asked_for_again_until_it_is_complete():
    stack = Stack(report(complete=False, summaries=2), report(summaries=1))

    done = stack.client.memories.delete("a", "m")

    assert [(method, path) for method, path, _ in stack.sent] == [("DELETE", "/agents/a/memories/m")] * 2
    assert (done.erased, done.complete) == (Erased(summaries=3), True)


def test_an_erasure_ends_where_only_runs_at_work_are_left():
    stack = Stack(report(complete=False, busy=("r-1",), sessions=2), report(complete=False, busy=("r-1",)))

    done = stack.client.erasures.principal("key:k")

    assert (done.erased.sessions, done.busy, done.complete) == (2, ("r-1",), False)


def test_a_session_that_answers_a_message_is_not_deleted():
    told = {"title": "The session is busy", "status": 409, "runId": "r-7"}
    stack = Stack(httpx.Response(409, json=told))

    with pytest.raises(SessionBusy) as caught:
        stack.client.sessions.delete("s")

    assert caught.value.run_id == "r-7"
