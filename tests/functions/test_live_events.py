"""Live events as the Lambda Web Adapter asks the function for them."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from starlette.requests import Request

from freehold import wiring
from freehold.adapters.api_keys import SCOPES
from freehold.http.events import HEARTBEAT_SECONDS
from freehold.values.live import Piece
from freehold.values.run import Call, RunKey
from freehold_client.streaming import SILENCE_SECONDS

from .aws import REQUESTS
from .caller import Caller
from .deployed import Deployed, waiting
from .description import SCHEMAS, faults, find, validator
from .lambdas import environment, function

# No word to clients, but to what lies between.
OF_HTTP = ("cache-control", "connection", "content-length", "x-accel-buffering")


def follow(
    caller: Caller, run_id: str, *, last_id: str | None = None, stage: str = "", **headers: str
) -> httpx.Response:
    """The whole stream, once it has ended."""
    context = caller.event("GET", f"/runs/{run_id}/events")["requestContext"]
    # As the adapter documents it: API Gateway's own context, and the invocation's.
    sent = {"x-amzn-request-context": json.dumps(context), "x-amzn-lambda-context": "{}", **headers}
    sent |= {"last-event-id": last_id} if last_id is not None else {}

    async def asked() -> httpx.Response:
        transport = httpx.ASGITransport(function("live").app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
            return await client.get(f"{stage}/runs/{run_id}/events", headers=sent)

    REQUESTS.running.append("live")
    try:
        answer = asyncio.run(asked())
    finally:
        REQUESTS.running.pop()
    told = {name: value for name, value in answer.headers.items() if name not in OF_HTTP}
    content = json.dumps("…") if answer.status_code == 200 else answer.text
    told["content-type"] = told.get("content-type", "").partition(";")[0]
    path = f"/runs/{run_id}/events"
    assert [*faults("GET", path, answer.status_code, told, content, page="origin" in headers)] == []
    return answer


def events(answer: httpx.Response) -> list[tuple[str, str, dict[str, Any]]]:
    """`(id, name, data)` of each."""
    assert (answer.status_code, answer.headers["content-type"][:17]) == (200, "text/event-stream"), (
        answer.text
    )
    found = [
        dict(line.split(": ", 1) for line in block.split("\n"))
        for block in answer.text.split("\n\n")
        if block
    ]
    told = [(each["id"], each["event"], json.loads(each["data"])) for each in found if "data" in each]
    described = validator(f"{SCHEMAS}StreamedEvent")
    assert [error.message for _, _, data in told for error in described.iter_errors(data)] == []
    return told


def names(answer: httpx.Response) -> list[str]:
    return [name for _, name, _ in events(answer)]


@pytest.fixture
def ended(product: Deployed) -> str:
    run_id = product.start()["runId"]
    product.add_lap(run_id, "A moment.", calls=(Call("look_up", "{}", "no such tool"),), stop="tools")
    product.finish(run_id)
    return run_id


def test_a_run_of_the_past_is_told_from_its_items(product: Deployed, ended: str):
    told = events(follow(product.admin, ended))

    assert [name for _, name, _ in told] == [
        "run.started",
        "lap.started",
        "text.delta",
        "tool.finished",
        "run.finished",
    ]
    data = [data for _, _, data in told]
    assert [each["seq"] for each in data] == [1, 2, 3, 4, 5]
    assert {each["runId"] for each in data} == {ended}
    assert data[0]["agent"] == "helper"
    assert data[2]["text"] == "A moment."
    assert (data[3]["outcome"], data[3]["result"], data[3]["callId"]) == (
        "refused",
        "no such tool",
        "t1-l1-c0",
    )
    assert (data[4]["status"], data[4]["laps"]) == ("COMPLETED", 1)


def test_each_id_leads_to_what_follows_it_and_the_last_one_to_nothing(product: Deployed, ended: str):
    told = events(follow(product.admin, ended))

    for place, (last_id, _, _) in enumerate(told[:-1]):
        assert events(follow(product.admin, ended, last_id=last_id)) == told[place + 1 :]
    over = follow(product.admin, ended, last_id=told[-1][0])
    assert (over.status_code, over.content) == (204, b"")


def test_a_run_that_waits_for_people_ends_its_stream_with_what_they_are_asked(product: Deployed):
    product.admin.call("PUT", "/agents/helper", waiting())
    run = product.park("confirm")

    told = events(follow(product.admin, run["runId"]))

    assert [name for _, name, _ in told][-1] == "approval.requested"
    (shown,) = run["awaiting"]
    assert told[-1][2]["awaiting"] == {"runId": run["runId"], **shown}
    assert told[-1][2]["decided"] is False
    assert follow(product.admin, run["runId"], last_id=told[-1][0]).status_code == 204


def test_an_approver_is_told_what_happens_and_not_what_was_said(product: Deployed, ended: str):
    told = events(follow(product.scoped("approve"), ended))

    assert [name for _, name, _ in told] == ["run.started", "lap.started", "tool.finished", "run.finished"]
    assert "result" not in told[2][2]


@pytest.mark.parametrize("last_id", ["x", "W10", "0" * 5000])
def test_what_is_no_id_of_an_event_is_refused(product: Deployed, ended: str, last_id: str):
    answer = follow(product.admin, ended, last_id=last_id)

    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert answer.json()["problems"][0]["path"] == "Last-Event-ID"


def test_an_id_of_another_run_is_refused(product: Deployed, ended: str):
    other = product.start()["runId"]
    product.finish(other, text="hi")

    last_id, _, _ = events(follow(product.admin, other))[0]

    assert follow(product.admin, ended, last_id=last_id).status_code == 400


def test_nobody_follows_what_is_not_theirs(product: Deployed, ended: str):
    answers = [
        follow(product.other_tenant(), ended),
        follow(product.admin, "01J0-1"),
        follow(product.admin, "..%2f-1"),
        follow(product.scoped("gateway"), ended),
    ]

    assert [answer.status_code for answer in answers] == [404, 404, 404, 403]
    assert answers[0].json()["type"] == "urn:freehold:NotFound"


def test_a_run_is_followed_with_each_scope_that_is_described_and_no_other(product: Deployed, ended: str):
    operation = find("GET", f"/runs/{ended}/events")
    assert operation is not None

    statuses = {scope: follow(product.scoped(scope), ended).status_code for scope in SCOPES}

    described = {*operation.described["x-freehold-scopes"], "admin"}
    assert statuses == {scope: 200 if scope in described else 403 for scope in SCOPES}


def test_what_could_be_nobodys_id_is_refused_as_in_every_call(product: Deployed):
    answers = [follow(product.admin, run_id) for run_id in ("r" * 101, "ä-1", "a b-1")]

    assert [(answer.status_code, answer.json()["problems"][0]["path"]) for answer in answers] == [
        (400, "path")
    ] * 3


def test_only_get_follows_a_run(product: Deployed, ended: str):
    context = json.dumps(product.admin.event("GET", "/")["requestContext"])

    async def asked() -> httpx.Response:
        transport = httpx.ASGITransport(function("live").app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
            return await client.head(f"/runs/{ended}/events", headers={"x-amzn-request-context": context})

    assert asyncio.run(asked()).status_code == 404


def test_the_stage_may_stand_in_the_path(product: Deployed, ended: str):
    assert names(follow(product.admin, ended, stage="/v1"))[-1] == "run.finished"


def test_a_refusal_names_its_path_as_every_call_does(product: Deployed):
    answers = [follow(product.admin, "01J0-1", stage=stage) for stage in ("", "/v1")]

    assert [answer.json()["path"] for answer in answers] == ["/runs/01J0-1/events"] * 2


def test_pages_of_configured_origins_may_read_along(product: Deployed, ended: str):
    with environment(ALLOWED_ORIGINS="https://app.example"):
        ours = follow(product.admin, ended, origin="https://app.example")
        refused = follow(product.admin, ended, last_id="x", origin="https://app.example")
        theirs = follow(product.admin, ended, origin="https://evil.example")

    assert ours.headers["access-control-allow-origin"] == "https://app.example"
    assert refused.headers["access-control-allow-origin"] == "https://app.example"
    assert "access-control-allow-origin" not in theirs.headers


class Watching:
    """A client of a run that goes on: it leaves once it has seen what it waits for."""

    def __init__(self, seen: str) -> None:
        self.text, self._seen, self._left = "", seen, asyncio.Event()

    async def read(self, caller: Caller, run_id: str) -> None:
        context = json.dumps(caller.event("GET", "/")["requestContext"]).encode()
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "server": ("127.0.0.1", 8080),
            "path": f"/runs/{run_id}/events",
            "query_string": b"",
            "headers": [(b"x-amzn-request-context", context)],
        }
        await asyncio.wait_for(function("live").app(scope, self._receive, self._send), 30)

    async def _receive(self) -> dict[str, Any]:
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: dict[str, Any]) -> None:
        self.text += message.get("body", b"").decode()
        if self._seen in self.text:
            self._left.set()


def test_what_a_model_writes_is_told_to_who_watches_and_the_work_ends_as_they_leave(product: Deployed):
    run_id = product.start()["runId"]
    key = RunKey.parse("acme", run_id)
    assert key is not None
    live = wiring.live_texts()
    assert not live.watched(key, now=wiring.now())
    live.write(key, Piece(1, 1, "a", 0, "Hello,\u2028wor"), now=wiring.now())
    client = Watching("ld")

    async def watched() -> None:
        reading = asyncio.create_task(client.read(product.admin, run_id))
        while "wor" not in client.text:
            await asyncio.sleep(0.01)
        live.write(key, Piece(1, 1, "a", 10, "ld"), now=wiring.now())
        await reading

    asyncio.run(watched())

    assert r'"text": "Hello,\u2028wor"' in client.text
    assert live.watched(key, now=wiring.now())


def test_a_stream_without_news_says_now_and_then_that_all_is_well(product: Deployed, ended: str):
    context = json.dumps(product.admin.event("GET", "/")["requestContext"]).encode()
    headers = [(b"x-amzn-request-context", context)]
    asked = {"type": "http", "method": "GET", "path": "/", "path_params": {"run_id": ended}}

    answer = asyncio.run(function("live").follow(Request(asked | {"headers": headers})))

    assert answer.ping_interval == HEARTBEAT_SECONDS
    assert answer.ping_message_factory().encode() == b": heartbeat\n\n"


def test_a_client_waits_for_more_than_one_sign_of_life():
    assert SILENCE_SECONDS > 2 * HEARTBEAT_SECONDS


class Silent:
    """A run of which there is nothing to tell, and which goes on."""

    watcher = SimpleNamespace(over=False, pause_seconds=0)

    def __init__(self) -> None:
        self.looks = 0

    def news(self) -> list[Any]:
        self.looks += 1
        assert self.looks < 10, "the stream has no end"
        return []


def test_a_stream_ends_after_a_minute_though_its_run_goes_on():
    run, seconds = Silent(), iter([100, 130, 160, *range(161, 200)])

    async def read() -> list[bytes]:
        return [each.encode() async for each in function("live")._told(run, [], "r1", lambda: next(seconds))]

    told = asyncio.run(read())

    assert told == [b": following\nretry: 1000\n\n"]
    assert run.looks == 2


def test_a_request_without_an_identity_is_a_500_that_says_nothing(product: Deployed, ended: str):
    async def asked() -> httpx.Response:
        transport = httpx.ASGITransport(function("live").app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
            assert (await client.get("/")).status_code == 204
            return await client.get(f"/runs/{ended}/events")

    answer = asyncio.run(asked())

    assert (answer.status_code, answer.json()["type"]) == (500, "urn:freehold:InternalError")
