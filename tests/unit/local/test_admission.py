from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from freehold_cli.local.admission import (
    EXECUTIONS_AT_ONCE,
    REQUESTS_AT_ONCE,
    Admission,
    TooBusy,
    executions_of,
)
from freehold_cli.local.front_door import DeployedApi, application

AWS = "http://127.0.0.1:4566"
RUNS = "/agents/a/runs"


@dataclass
class Local:
    """A local AWS on which so many executions run, and a clock."""

    running: int = 0
    now: float = 0.0
    counted: int = 0
    fails: httpx.HTTPError | None = None
    admission: Admission = field(init=False)

    def __post_init__(self) -> None:
        self.admission = Admission(self._count, lambda: self.now)

    async def _count(self) -> int:
        self.counted += 1
        if self.fails:
            raise self.fails
        return self.running

    async def lets_in(self, method: str, path: str = RUNS) -> bool:
        try:
            async with self.admission.admitted(method, path):
                return True
        except TooBusy:
            return False


async def while_answering(local: Local, requests: int, look: Callable[[], AsyncIterator[bool]]) -> list[bool]:
    """What `look` sees while so many requests are being answered."""
    entered = asyncio.Semaphore(0)
    over = asyncio.Event()

    async def answer() -> None:
        async with local.admission.admitted("GET", RUNS):
            entered.release()
            await over.wait()

    asked = [asyncio.create_task(answer()) for _ in range(requests)]
    for _ in asked:
        await entered.acquire()
    seen = [each async for each in look()]
    over.set()
    await asyncio.gather(*asked)
    return [*seen, await local.lets_in("GET")]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_one_request_more_than_there_is_room_for_is_refused_until_another_is_answered(method: str):
    local = Local()

    async def look() -> AsyncIterator[bool]:
        yield await local.lets_in(method)

    assert asyncio.run(while_answering(local, REQUESTS_AT_ONCE - 1, look)) == [True, True]
    assert asyncio.run(while_answering(local, REQUESTS_AT_ONCE, look)) == [False, True]


def test_where_many_executions_run_nothing_more_begins_and_everybody_may_look():
    async def asked() -> list[bool]:
        local = Local(running=EXECUTIONS_AT_ONCE)
        seen = [await local.lets_in(method) for method in ("POST", "GET", "DELETE", "PUT")]
        seen += [await local.lets_in("POST", path) for path in ("/runs/r/cancel", "/runs/r/replays")]
        local.running, local.now = EXECUTIONS_AT_ONCE - 1, 1.0
        return [*seen, await local.lets_in("POST")]

    assert asyncio.run(asked()) == [False, True, True, True, True, False, True]


def test_executions_are_counted_now_and_then_however_many_come():
    async def asked() -> list[int]:
        local, counted = Local(), list[int]()
        for local.now in (0.0, 0.4, 0.6):
            await asyncio.gather(*(local.lets_in("POST") for _ in range(10)))
            counted.append(local.counted)
        return counted

    assert asyncio.run(asked()) == [1, 1, 2]


TOO_BUSY = httpx.HTTPStatusError("", request=httpx.Request("POST", AWS), response=httpx.Response(503))


@pytest.mark.parametrize(
    ("fails", "let_in"),
    [(httpx.ConnectError("refused"), True), (httpx.ReadTimeout("late"), False), (TOO_BUSY, False)],
    ids=["is gone", "is late", "fails"],
)
def test_the_last_count_holds_where_a_local_aws_cannot_count_unless_it_is_gone(
    fails: httpx.HTTPError, *, let_in: bool
):
    async def asked() -> list[bool]:
        local = Local(running=EXECUTIONS_AT_ONCE)
        seen = [await local.lets_in("POST")]
        local.fails, local.now = fails, 1.0
        return [*seen, await local.lets_in("POST")]

    assert asyncio.run(asked()) == [False, let_in]


def test_a_request_that_breaks_off_leaves_its_place():
    async def asked() -> bool:
        local = Local()
        for _ in range(REQUESTS_AT_ONCE):
            with pytest.raises(httpx.ReadError):
                async with local.admission.admitted("GET", RUNS):
                    raise httpx.ReadError("gone")
        return await local.lets_in("GET")

    assert asyncio.run(asked())


def test_executions_are_those_of_the_local_aws_that_run():
    requests = list[httpx.Request]()

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, json={"executions": [{"name": "a"}, {"name": "b"}]})

    async def asked() -> int:
        return await executions_of(AWS, httpx.AsyncClient(transport=httpx.MockTransport(answer)))()

    assert asyncio.run(asked()) == 2
    (sent,) = requests
    assert sent.headers["x-amz-target"] == "AWSStepFunctions.ListExecutions"
    assert json.loads(sent.content) == {"statusFilter": "RUNNING", "maxResults": EXECUTIONS_AT_ONCE}


def test_whoever_is_refused_is_told_when_to_come_again_and_the_local_aws_hears_nothing(tmp_path: Path):
    outputs, asked_for = tmp_path / "freehold.json", list[httpx.Request]()
    outputs.write_text(json.dumps({"ApiId": "one"}))
    local = Local(running=EXECUTIONS_AT_ONCE)

    def answer(request: httpx.Request) -> httpx.Response:
        asked_for.append(request)
        return httpx.Response(200)

    async def asked() -> httpx.Response:
        client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
        door = application(DeployedApi(AWS, outputs), client, "freehold-1", local.admission)
        through = httpx.ASGITransport(door)
        async with httpx.AsyncClient(transport=through, base_url="http://127.0.0.1:8080") as user:
            return await user.post("/v1/agents/a/runs", json={"input": "hi"})

    refused = asyncio.run(asked())

    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["type"] == "urn:freehold:Throttled"
    assert f"{EXECUTIONS_AT_ONCE} executions run" in refused.json()["detail"]
    assert asked_for == []
