from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest

from freehold_cli.local.admission import Admission
from freehold_cli.local.authorizer import Authorizer
from freehold_cli.local.front_door import DeployedApi, application
from freehold_cli.local.passing import MOST_BYTES
from freehold_cli.local.streams import Streams

AWS = "http://127.0.0.1:4566"


def answer_with(status: int, body: bytes = b"", **headers: str) -> httpx.Response:
    """An answer that comes in pieces, as from a socket."""

    async def pieces() -> AsyncIterator[bytes]:
        yield body

    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, headers=named, content=pieces())


class Upstream:
    """A local AWS that answers each request by a function and remembers it."""

    def __init__(self, answer: Callable[[httpx.Request], httpx.Response]) -> None:
        self.requests: list[httpx.Request] = []
        self._answer = answer

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self._answer(request)


async def none_run() -> int:
    return 0


def deploy(file: Path, api: str, at: int) -> None:
    file.write_text(json.dumps({"ApiId": api}))
    os.utime(file, ns=(at, at))


def ask(
    upstream: Upstream, outputs: Path, *requests: tuple[str, str], **options: object
) -> list[httpx.Response]:
    async def asked() -> list[httpx.Response]:
        client = httpx.AsyncClient(transport=httpx.MockTransport(upstream))
        door = application(DeployedApi(AWS, outputs), client, "freehold-1", Admission(none_run))
        through = httpx.ASGITransport(door, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=through, base_url="http://127.0.0.1:8080") as user:
            return [await user.request(method, path, **options) for method, path in requests]  # type: ignore[arg-type]

    return asyncio.run(asked())


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    file = tmp_path / "freehold.json"
    deploy(file, "one", at=1)
    return file


def test_a_request_reaches_the_stage_as_it_was_sent(outputs: Path):
    upstream = Upstream(lambda request: answer_with(202, b'{"ok": true}', x_request_id="9"))
    headers = {"Authorization": "Bearer fh_1", "Idempotency-Key": "k", "Connection": "close"}

    (answer,) = ask(upstream, outputs, ("POST", "/v1/a%20b?x=1&x=%2F"), headers=headers, content=b"{}")

    (sent,) = upstream.requests
    assert str(sent.url) == f"{AWS}/restapis/one/v1/_user_request_/a%20b?x=1&x=%2F"
    assert (sent.method, sent.content) == ("POST", b"{}")
    assert (sent.headers["authorization"], sent.headers["idempotency-key"]) == ("Bearer fh_1", "k")
    assert sent.headers["host"] == "127.0.0.1:4566"
    assert "connection" not in sent.headers
    assert (answer.status_code, answer.headers["x-request-id"], answer.json()) == (202, "9", {"ok": True})


def test_an_api_that_got_a_new_id_is_found_after_its_deployment(outputs: Path):
    def redeploy(request: httpx.Request) -> httpx.Response:
        deploy(outputs, "two", at=2)
        return answer_with(200)

    upstream = Upstream(redeploy)

    ask(upstream, outputs, ("GET", "/v1/agents"), ("GET", "/v1/agents"))

    assert [request.url.path.split("/")[2] for request in upstream.requests] == ["one", "two"]


def test_an_error_answer_and_its_headers_pass_through(outputs: Path):
    upstream = Upstream(lambda request: answer_with(409, b"{}", content_type="application/problem+json"))

    (answer,) = ask(upstream, outputs, ("PUT", "/v1/agents/a"))

    assert (answer.status_code, answer.headers["content-type"]) == (409, "application/problem+json")


def test_a_local_aws_that_does_not_answer_is_a_503(outputs: Path):
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    (answer,) = ask(Upstream(refuse), outputs, ("GET", "/v1/agents"))

    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert "ConnectError" in answer.json()["detail"]


def test_before_the_first_deployment_everything_is_a_503(tmp_path: Path):
    upstream = Upstream(lambda request: answer_with(200))

    answer, health = ask(upstream, tmp_path / "none.json", ("GET", "/v1/agents"), ("GET", "/healthz"))

    assert (answer.status_code, answer.json()["status"]) == (503, 503)
    assert health.json() == {"status": "ok", "deployed": False, "instance": "freehold-1"}
    assert upstream.requests == []


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/"), ("GET", "/agents"), ("GET", "/a%0ab"), ("TRACE", "/v1/agents")]
)
def test_outside_the_api_there_is_nothing(outputs: Path, method: str, path: str):
    upstream = Upstream(lambda request: answer_with(200))

    (answer,) = ask(upstream, outputs, (method, path))

    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert upstream.requests == []


def test_a_path_of_two_lines_reaches_the_stage_as_any_other(outputs: Path):
    upstream = Upstream(lambda request: answer_with(400))

    ask(upstream, outputs, ("GET", "/v1/runs/a%0ab"))

    (sent,) = upstream.requests
    assert str(sent.url) == f"{AWS}/restapis/one/v1/_user_request_/runs/a%0ab"


def test_what_the_door_answers_by_itself_has_an_id_and_every_page_may_read_it(outputs: Path):
    upstream = Upstream(lambda _: answer_with(200))

    answers = ask(upstream, outputs, ("GET", "/"), ("GET", "/v1/%2e/agents"), ("GET", "/v2/agents"))
    answers += ask(upstream, outputs.with_name("none.json"), ("GET", "/v1/agents"))

    assert [answer.status_code for answer in answers] == [404, 400, 404, 503]
    assert {answer.headers["access-control-allow-origin"] for answer in answers} == {"*"}
    shown = {answer.headers["access-control-expose-headers"] for answer in answers}
    assert shown == {"Retry-After,x-request-id"}
    assert len({answer.headers["x-request-id"] for answer in answers}) == 4


def test_an_address_that_cannot_be_passed_on_is_refused(outputs: Path):
    upstream = Upstream(lambda _: answer_with(200))
    # As long as a client here may send, and too long with what leads to the stage.
    query = "a" * 65_500

    (answer,) = ask(upstream, outputs, ("GET", f"/v1/agents?{query}"))

    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert answer.json()["detail"] == "the address cannot be passed on: URL too long"
    assert upstream.requests == []


def test_a_body_that_api_gateway_would_not_take_is_refused(outputs: Path):
    upstream = Upstream(lambda _: answer_with(200))

    (most,) = ask(upstream, outputs, ("POST", "/v1/agents/a/runs"), content=b"1" * MOST_BYTES)
    (more,) = ask(upstream, outputs, ("POST", "/v1/agents/a/runs"), content=b"1" * (MOST_BYTES + 1))

    assert (most.status_code, more.status_code) == (200, 413)
    assert more.json()["type"] == "urn:freehold:REQUEST_TOO_LARGE"
    assert [len(request.content) for request in upstream.requests] == [MOST_BYTES]


def test_a_defect_of_the_door_is_a_500_in_the_same_form(outputs: Path):
    def fail(request: httpx.Request) -> httpx.Response:
        raise KeyError("secret")

    (answer,) = ask(Upstream(fail), outputs, ("GET", "/v1/agents"))

    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert answer.json()["type"] == "urn:freehold:InternalError"
    assert "secret" not in answer.text


@pytest.mark.parametrize("dots", ["%2e%2e", "%2E.", "%2e", "..%2f..%2fhealth"])
def test_a_path_that_would_lead_elsewhere_is_refused(outputs: Path, dots: str):
    upstream = Upstream(lambda _: answer_with(200))

    (answer,) = ask(upstream, outputs, ("DELETE", f"/v1/agents/helper/memories/{dots}"))

    assert (answer.status_code, answer.json()["title"]) == (400, "The request is invalid")
    assert upstream.requests == []


# -- live events

WHO = {"tenant": "acme", "callerType": "key", "callerId": "k", "scopes": "read"}
LIVE = "http://127.0.0.1:9"
EVENTS = "/v1/runs/c-1/events"


class Streaming:
    """A local AWS with an authorizer, the process behind the streams, and a clock."""

    def __init__(self, *, fails: str = "", refusals: int = 0, hangs: bool = False) -> None:
        self.streamed: list[httpx.Request] = []
        self.asked: list[str] = []
        self.elsewhere: list[httpx.Request] = []
        self.now = 0.0
        self.refused = 0
        self._fails, self._refusals, self._hangs = fails, refusals, hangs

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.port == 9:
            if self._hangs:
                await asyncio.Event().wait()
            if self.refused < self._refusals:
                self.refused += 1
                raise httpx.ConnectError("refused")
            self.streamed.append(request)
            return answer_with(200, b"data: 1\n\n", content_type="text/event-stream")
        if request.url.path.endswith("/authorizers"):
            return httpx.Response(
                200, json={"item": [{"authorizerUri": "arn:x/functions/arn:f:live/invocations"}]}
            )
        if request.url.path.endswith("/invocations"):
            assert "arn:f:live" in request.url.path
            self.asked.append(json.loads(request.content)["authorizationToken"])
            if self._fails:
                told = {"errorMessage": self._fails, "errorType": "Error"}
                return httpx.Response(200, json=told, headers={"x-amz-function-error": "Unhandled"})
            policy = {"policyDocument": {"Statement": [{"Effect": "Allow"}]}, "context": WHO}
            return httpx.Response(200, json=policy)
        self.elsewhere.append(request)
        return answer_with(401)

    def ask(self, outputs: Path, *tokens: str, method: str = "GET", **headers: str) -> list[httpx.Response]:
        async def asked() -> list[httpx.Response]:
            client = httpx.AsyncClient(transport=httpx.MockTransport(self))
            streams = Streams(LIVE, Authorizer(AWS, client, lambda: self.now), client, 0.1, 0.001)
            door = application(DeployedApi(AWS, outputs), client, "freehold-1", Admission(none_run), streams)
            through = httpx.ASGITransport(door)
            answers = list[httpx.Response]()
            async with httpx.AsyncClient(transport=through, base_url="http://127.0.0.1:8080") as user:
                for token in tokens:
                    given = {"Authorization": f"Bearer {token}", **headers}
                    answers.append(await user.request(method, EVENTS, headers=given))
                    self.now += 40
            return answers

        return asyncio.run(asked())


def test_a_stream_is_told_who_asks_by_the_authorizer_and_by_nobody_else(outputs: Path):
    local = Streaming()
    forged = {"x-amzn-request-context": '{"authorizer": {"tenant": "globex"}}', "Last-Event-ID": "e1"}

    (answer,) = local.ask(outputs, "fh_1", **forged)

    (sent,) = local.streamed
    assert (answer.status_code, answer.text) == (200, "data: 1\n\n")
    assert sent.headers.get_list("x-amzn-request-context") == [sent.headers["x-amzn-request-context"]]
    assert json.loads(sent.headers["x-amzn-request-context"])["authorizer"] == WHO
    assert (sent.url.path, sent.headers["last-event-id"]) == (EVENTS, "e1")


def test_the_authorizer_is_asked_once_a_minute(outputs: Path):
    local = Streaming()

    local.ask(outputs, "fh_1", "fh_1", "fh_1", "fh_2")

    assert local.asked == ["Bearer fh_1", "Bearer fh_1", "Bearer fh_2"]
    assert len(local.streamed) == 4


def test_whom_the_authorizer_refuses_the_api_answers(outputs: Path):
    local = Streaming(fails="Unauthorized")

    (answer,) = local.ask(outputs, "fh_1")

    assert (answer.status_code, local.streamed) == (401, [])
    assert [request.url.path for request in local.elsewhere] == [
        "/restapis/one/v1/_user_request_/runs/c-1/events"
    ]


def test_a_credential_that_cannot_be_checked_is_sent_again(outputs: Path):
    local = Streaming(fails="the issuer does not answer")

    (answer,) = local.ask(outputs, "fh_1")

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert (local.streamed, local.elsewhere) == ([], [])


def test_a_process_that_begins_anew_is_waited_for(outputs: Path):
    local = Streaming(refusals=2)

    (answer,) = local.ask(outputs, "fh_1")

    assert answer.status_code == 200


def test_a_process_that_does_not_answer_is_told_at_once(outputs: Path):
    gone, hanging = Streaming(refusals=99), Streaming(hangs=True)

    (refused,), (late,) = gone.ask(outputs, "fh_1"), hanging.ask(outputs, "fh_1")

    assert (refused.status_code, late.status_code) == (503, 503)
    assert refused.json()["type"] == late.json()["type"] == "urn:freehold:Unavailable"
    assert gone.refused <= 10


def test_only_get_opens_a_stream(outputs: Path):
    local = Streaming()

    (answer,) = local.ask(outputs, "fh_1", method="HEAD")

    assert (answer.status_code, local.streamed, local.asked) == (401, [], [])
    assert [request.method for request in local.elsewhere] == ["HEAD"]


def test_nobody_says_of_themselves_who_they_are_to_the_api_either(outputs: Path):
    upstream = Upstream(lambda _: answer_with(200))

    ask(upstream, outputs, ("GET", "/v1/agents"), headers={"X-Amzn-Request-Context": "{}"})

    assert "x-amzn-request-context" not in upstream.requests[0].headers
