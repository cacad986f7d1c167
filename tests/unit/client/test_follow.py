"""Watching a run: every item once, a call twice, the run at last."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from freehold_client import CallItem, Freehold, Item, LapItem, Run, Started, UserItem

Wire = dict[str, Any]
STARTED = Started("c-1", "s-1", "RUNNING")


def user() -> Wire:
    return {"kind": "user", "runId": "c-1", "turn": 1, "at": "t", "text": "hi"}


def lap(number: int) -> Wire:
    return {"kind": "lap", "runId": "c-1", "turn": 1, "at": "t", "lap": number}


def call(number: int, outcome: str, index: int = 0) -> Wire:
    where = {"runId": "c-1", "turn": 1, "at": "t", "lap": number, "call": index}
    return {"kind": "call", **where, "tool": "look", "outcome": outcome}


class Watched:
    """A run whose items read as each of `states` in turn; with the last state it has ended."""

    def __init__(self, *states: list[Wire], page: int = 100) -> None:
        self.pauses: list[float] = []
        self.pages_read: list[str] = []
        self._states = states
        self._page = page
        self._looks = 0

    def follow(self) -> Iterator[Item | Run]:
        return self.client().runs.follow(STARTED)

    def client(self) -> Freehold:
        return Freehold("http://stack", "k", httpx.MockTransport(self._respond), sleep=self.pauses.append)

    def _respond(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/runs/c-1":
            self._looks += 1
            ended = self._looks >= len(self._states)
            status = "COMPLETED" if ended else "RUNNING"
            return httpx.Response(200, json={"runId": "c-1", "sessionId": "s-1", "status": status})
        assert (request.url.path, request.url.params["runId"]) == ("/v1/sessions/s-1/items", "c-1")
        token = request.url.params.get("nextToken", "0")
        self.pages_read.append(token)
        items = self._states[min(self._looks, len(self._states)) - 1]
        start = int(token)
        more = {"nextToken": str(start + self._page)} if start + self._page < len(items) else {}
        return httpx.Response(200, json={"items": items[start : start + self._page], **more})


def told(news: Iterator[Item | Run]) -> list[str]:
    names: list[str] = []
    for each in news:
        match each:
            case UserItem():
                names.append("user")
            case LapItem():
                names.append(f"lap {each.lap}")
            case CallItem():
                names.append(f"call {each.lap}.{each.call} {each.outcome}")
            case Run():
                names.append(each.status)
            case _:
                names.append("other")
    return names


def test_each_item_is_told_once_and_a_call_again_with_its_result():
    watched = Watched(
        [user()],
        [user(), lap(1), call(1, "started")],
        [user(), lap(1), call(1, "started")],
        [user(), lap(1), call(1, "success"), lap(2)],
    )

    news = told(watched.follow())

    assert news == ["user", "lap 1", "call 1.0 started", "call 1.0 success", "lap 2", "COMPLETED"]


def test_a_call_that_was_never_seen_started_is_told_once():
    assert told(Watched([user(), lap(1), call(1, "error")]).follow()) == [
        "user",
        "lap 1",
        "call 1.0 error",
        "COMPLETED",
    ]


def test_parallel_calls_are_told_in_the_order_in_which_they_end():
    watched = Watched(
        [user(), lap(1), call(1, "started", 0), call(1, "success", 1)],
        [user(), lap(1), call(1, "success", 0), call(1, "success", 1)],
    )

    assert told(watched.follow())[2:] == [
        "call 1.0 started",
        "call 1.1 success",
        "call 1.0 success",
        "COMPLETED",
    ]


@pytest.mark.parametrize("page", [1, 2, 3, 7])
def test_no_item_is_lost_or_doubled_however_small_the_pages_are(page: int):
    laps = [[lap(n), call(n, "success", 0), call(n, "success", 1)] for n in (1, 2, 3)]
    states = [[user()], [user(), lap(1), call(1, "success", 1)]]
    states += [[user(), *laps[0]], [user(), *laps[0], lap(2)], [user(), *laps[0], *laps[1], lap(3)]]

    news = told(Watched(*states, page=page).follow())

    assert sorted(news) == sorted(set(news))
    assert len(news) == 9


def test_pages_before_the_newest_lap_are_not_read_again_until_the_end():
    long = [user(), *(lap(n) for n in range(1, 10))]
    watched = Watched(long, long, long, page=2)

    told(watched.follow())

    assert watched.pages_read == ["0", "2", "4", "6", "8", "8", "0", "2", "4", "6", "8"]


def test_an_item_that_came_late_is_told_at_the_end():
    discarded = {"kind": "discarded", "runId": "c-1", "turn": 1, "at": "t", "lap": 1}
    watched = Watched([user(), lap(1), lap(2)], [user(), lap(1), discarded, lap(2)], page=1)

    assert told(watched.follow()) == ["user", "lap 1", "lap 2", "other", "COMPLETED"]


def test_pauses_grow_to_a_second_and_are_short_again_after_news():
    quiet = [user()]
    watched = Watched(*[quiet] * 8, [user(), lap(1)], [user(), lap(1)])

    told(watched.follow())

    assert watched.pauses[0] == 0.15
    assert max(watched.pauses) == 1.0
    assert watched.pauses[-1] == 0.15
    assert watched.pauses[1:8] == sorted(watched.pauses[1:8])


def test_waiting_ends_with_the_ended_run():
    states: list[list[Wire]] = [[], [], []]
    watched = Watched(*states)

    assert watched.client().runs.wait("c-1").status == "COMPLETED"
    assert len(watched.pauses) == 2


def test_a_compaction_is_told_once_though_it_always_comes_last():
    compaction = {"kind": "compaction", "runId": "c-1", "turn": 1, "at": "t", "lap": 1}
    watched = Watched(
        [user(), lap(1)], [user(), lap(1), compaction], [user(), lap(1), lap(2), compaction], page=2
    )

    told = [type(news).__name__ for news in watched.follow()]

    assert told == ["UserItem", "LapItem", "CompactionItem", "LapItem", "Run"]


def test_a_compaction_is_told_before_the_lap_that_it_preceded():
    compaction = {"kind": "compaction", "runId": "c-1", "turn": 1, "at": "t", "lap": 1}
    watched = Watched([user()], [user(), lap(1), call(1, "success"), lap(2), compaction], page=2)

    told = [type(news).__name__ for news in watched.follow()]

    assert told == ["UserItem", "LapItem", "CallItem", "CompactionItem", "LapItem", "Run"]
