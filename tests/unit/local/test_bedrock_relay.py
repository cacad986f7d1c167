"""The relay between the local stack and Bedrock, before a Bedrock that checks every signature."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import httpx
import pytest
from botocore.credentials import Credentials
from botocore.session import Session

from bedrock_server import BedrockServer
from freehold_cli.local.aws_access import AwsAccess
from freehold_cli.local.bedrock_relay import Bedrock, application, upstreams, user_client
from model_server import Reply, say

REGION = "eu-west-1"
TOKEN = "token-of-this-stack"
USER = Credentials("AKIDUSER", "secret-of-the-user", "session/token+of=user")
CONVERSE = "/bedrock-runtime/model/eu.anthropic.claude-sonnet-4-5-v1%3A0/converse"
HELLO = {"messages": [{"role": "user", "content": [{"text": "hi"}]}]}
# What a Lambda of the local stack sends.
LOCAL = {
    "authorization": "AWS4-HMAC-SHA256 Credential=test/20261125/us-east-1/bedrock/aws4_request, "
    "SignedHeaders=host;x-amz-date, Signature=00",
    "x-amz-date": "20261125T000000Z",
    "x-amz-security-token": "of the local stack",
    "x-amzn-trace-id": "Root=1",
    "x-amzn-bedrock-performanceconfig-latency": "optimized",
    "user-agent": "Boto3",
}


def access(user: Credentials | None = USER, **environ: str) -> AwsAccess:
    class Found(Session):
        def get_credentials(self) -> Any:
            return user

    return AwsAccess(environ, Found)


def ask(
    environ: Mapping[str, str],
    path: str,
    *,
    method: str = "POST",
    body: object = None,
    of: AwsAccess | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> httpx.Response:
    """What a Lambda is answered that sends to the relay; `environ` is the user's, and leads to the upstream."""

    async def asked() -> httpx.Response:
        upstream = httpx.AsyncClient(transport=transport) if transport else user_client({})
        bedrock = Bedrock(of or access(), REGION, upstreams(REGION, environ))
        through = httpx.ASGITransport(application(bedrock, upstream, TOKEN, "freehold-1"))
        async with upstream, httpx.AsyncClient(transport=through, base_url="http://127.0.0.1") as function:
            return await function.request(method, path, headers=LOCAL, json=body or HELLO)

    return asyncio.run(asked())


@pytest.fixture
def bedrock() -> Iterator[BedrockServer]:
    with BedrockServer(USER, REGION) as server:
        yield server


def test_a_request_is_signed_anew_by_the_user_and_its_answer_comes_back(bedrock: BedrockServer):
    bedrock.script([say("hello", headers={"x-amzn-bedrock-something": "kept"})])

    answer = ask(bedrock.environment, f"/{TOKEN}{CONVERSE}")

    (received,) = bedrock.received
    assert (received.json, received.path) == (HELLO, CONVERSE.removeprefix("/bedrock-runtime"))
    assert received.headers["x-amzn-bedrock-performanceconfig-latency"] == "optimized"
    assert not {"x-amzn-trace-id", "x-forwarded-for"} & set(received.headers)
    assert answer.json()["output"]["message"]["content"] == [{"text": "hello"}]
    kept = ("content-type", "x-amzn-requestid", "x-amzn-bedrock-something")
    assert [answer.headers[name] for name in kept] == ["application/json", "request-1", "kept"]


@pytest.mark.parametrize("service", ["bedrock-runtime", "bedrock-mantle"])
def test_each_service_gets_a_signature_that_names_it(bedrock: BedrockServer, service: str):
    bedrock.script([Reply(body={"status": "completed"})])

    body = {
        "model": "openai.gpt-5.5",
        "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}],
        "store": False,
        "include": ["reasoning.encrypted_content"],
    }
    answer = ask(bedrock.environment, f"/{TOKEN}/{service}/openai/v1/responses", body=body)

    assert (answer.status_code, answer.json()) == (200, {"status": "completed"})
    assert bedrock.received[0].host == service.removeprefix("bedrock-")


def test_a_bedrock_that_expects_another_region_refuses_the_signature():
    with (
        pytest.raises(AssertionError, match="not signed by the user"),
        BedrockServer(USER, "us-east-1") as far,
    ):
        assert ask(far.environment, f"/{TOKEN}{CONVERSE}").status_code == 403


@pytest.mark.parametrize(
    "path",
    [
        f"/{TOKEN[:-1]}{CONVERSE}",
        f"/{TOKEN}x{CONVERSE}",
        f"/{CONVERSE}",
        "/",
        f"/{TOKEN}",
        f"/{TOKEN}/bedrock",
        f"/{TOKEN}/bedrock{CONVERSE.removeprefix('/bedrock-runtime')}",
        f"/{TOKEN}/bedrock-mantle{CONVERSE.removeprefix('/bedrock-runtime')}",
        f"/{TOKEN}/bedrock-runtime/model/m/converse/more",
        f"/{TOKEN}/bedrock-runtime/model/a/b/converse",
        f"/{TOKEN}/bedrock-runtime/model/.%2E/converse",
        f"/{TOKEN}/bedrock-runtime/model//converse",
        f"/{TOKEN}/bedrock-runtime/async-invoke",
        f"/{TOKEN}/bedrock-runtime/guardrail/g/version/1/apply",
        f"/{TOKEN}/bedrock-runtime/openai/v1/models",
        f"/{TOKEN}/bedrock-mantle/openai/v1/responses/../files",
    ],
)
def test_without_the_token_or_on_another_path_nothing_is_sent(bedrock: BedrockServer, path: str):
    answer = ask(bedrock.environment, path)

    assert (answer.status_code, answer.headers["x-amzn-errortype"]) == (404, "UnknownOperationException")
    assert bedrock.received == []


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_models_are_asked_with_post_alone(bedrock: BedrockServer, method: str):
    assert ask(bedrock.environment, f"/{TOKEN}{CONVERSE}", method=method).status_code == 405
    assert bedrock.received == []


def test_it_tells_that_it_lives_and_to_which_stack_it_belongs():
    answer = ask({}, "/healthz", method="GET")

    assert answer.json() == {"status": "ok", "instance": "freehold-1"}


def test_a_redirect_is_passed_on_and_not_followed(bedrock: BedrockServer):
    bedrock.script([Reply(status=307, body={}, headers={"location": "http://127.0.0.1:1/stolen"})])

    answer = ask(bedrock.environment, f"/{TOKEN}{CONVERSE}")

    assert (answer.status_code, answer.headers["location"]) == (307, "http://127.0.0.1:1/stolen")
    assert len(bedrock.received) == 1


def test_an_error_of_bedrock_passes_through(bedrock: BedrockServer):
    code = {"x-amzn-errortype": "ThrottlingException"}
    bedrock.script([Reply(status=429, body={"message": "Too many tokens"}, headers=code)])

    answer = ask(bedrock.environment, f"/{TOKEN}{CONVERSE}")

    assert (answer.status_code, answer.json()) == (429, {"message": "Too many tokens"})
    assert answer.headers["x-amzn-errortype"] == "ThrottlingException"


def test_a_refusal_that_quotes_the_request_does_not_tell_the_users_token(bedrock: BedrockServer):
    quoted = f"should have been\nx-amz-security-token:{USER.token}\n"
    bedrock.script([Reply(status=403, body={"message": quoted})])

    answer = ask(bedrock.environment, f"/{TOKEN}{CONVERSE}")

    assert answer.json() == {"message": "should have been\nx-amz-security-token:***\n"}


def test_a_refusal_that_quotes_an_api_key_does_not_tell_it():
    def refuse(request: httpx.Request) -> httpx.Response:
        return httpx.Response(403, text=f"no: {request.headers['authorization']}")

    key = access(None, AWS_BEARER_TOKEN_BEDROCK="bedrock-api-key-1")
    answer = ask({}, f"/{TOKEN}{CONVERSE}", of=key, transport=httpx.MockTransport(refuse))

    assert (answer.status_code, answer.text) == (403, "no: Bearer ***")


def test_without_credentials_the_caller_is_told_how_to_get_them(bedrock: BedrockServer):
    answer = ask(bedrock.environment, f"/{TOKEN}{CONVERSE}", of=access(None))

    assert answer.status_code == 403
    assert answer.headers["x-amzn-errortype"] == "MissingAuthenticationTokenException"
    assert "aws sso login" in answer.json()["message"] == answer.json()["error"]["message"]
    assert bedrock.received == []


def test_a_bedrock_that_is_not_there_is_unavailable():
    nobody = {"AWS_ENDPOINT_URL_BEDROCK_RUNTIME": "http://127.0.0.1:1"}

    answer = ask(nobody, f"/{TOKEN}{CONVERSE}")

    assert (answer.status_code, answer.headers["x-amzn-errortype"]) == (503, "ServiceUnavailableException")


def test_a_stream_arrives_piece_by_piece_as_it_was_sent():
    async def pieces() -> AsyncIterator[bytes]:
        for piece in (b"\x00\x01", b"\x1f\x8b", b"end"):
            yield piece

    def stream(request: httpx.Request) -> httpx.Response:
        kind = {"content-type": "application/vnd.amazon.eventstream", "content-encoding": "gzip"}
        return httpx.Response(200, headers=kind, content=pieces())

    through = httpx.ASGITransport(
        application(
            Bedrock(access(), REGION, upstreams(REGION, {})),
            httpx.AsyncClient(transport=httpx.MockTransport(stream)),
            TOKEN,
            "freehold-1",
        )
    )

    async def asked() -> tuple[Mapping[str, str], bytes]:
        path = CONVERSE.replace("/converse", "/converse-stream")
        async with (
            httpx.AsyncClient(transport=through, base_url="http://127.0.0.1") as function,
            function.stream("POST", f"/{TOKEN}{path}", json=HELLO) as answer,
        ):
            return answer.headers, b"".join([piece async for piece in answer.aiter_raw()])

    headers, content = asyncio.run(asked())
    assert content == b"\x00\x01\x1f\x8bend"
    assert headers["content-type"] == "application/vnd.amazon.eventstream"


def test_the_log_has_the_model_and_the_status_and_no_secret(
    bedrock: BedrockServer, caplog: pytest.LogCaptureFixture
):
    bedrock.script([say("hello")])
    with caplog.at_level(logging.INFO, "freehold.bedrock_relay"):
        ask(bedrock.environment, f"/{TOKEN}{CONVERSE}")
        ask(bedrock.environment, f"/{TOKEN}/elsewhere")

    own = [each.getMessage() for each in caplog.records if each.name == "freehold.bedrock_relay"]
    assert own == [f"POST {CONVERSE.removeprefix('/')} 200", "refused a request"]


def test_where_the_user_names_no_endpoint_it_is_awss_own_in_the_region():
    urls = [upstream.url for upstream in upstreams("eu-west-1", {}).values()]

    assert urls == [
        "https://bedrock-runtime.eu-west-1.amazonaws.com",
        "https://bedrock-mantle.eu-west-1.api.aws",
    ]
