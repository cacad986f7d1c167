"""Signed HTTP to Bedrock, against a server on 127.0.0.1 that makes every signature anew."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from typing import Any

import pytest
from botocore.credentials import Credentials
from botocore.exceptions import CredentialRetrievalError

from freehold.adapters.bedrock_http import BedrockHttp
from freehold.errors import ModelRejected, ModelUnavailable
from freehold.values.model import Host

from .bedrock_server import KEYS, REGION, BedrockServer, Scripted, message, ok, response

PATH = "/openai/v1/responses"
BODY = json.dumps(
    {
        "model": "m",
        "input": [{"type": "message", "role": "user", "content": "hi"}],
        "store": False,
        "include": ["reasoning.encrypted_content"],
    }
).encode()


def http(
    endpoint: str, *, keys: Callable[[], Credentials | None] = lambda: KEYS, region: str = REGION
) -> BedrockHttp:
    return BedrockHttp(keys, region, {"bedrock-runtime": endpoint, "bedrock-mantle": endpoint + "/"})


@pytest.mark.parametrize(
    ("host", "service"), [("bedrock-runtime", "bedrock"), ("bedrock-mantle", "bedrock-mantle")]
)
def test_each_host_is_sent_a_signature_for_its_own_service(host: Host, service: str):
    with BedrockServer(service) as server:
        server.script([ok(message("hello"))])

        answer = http(server.endpoint).post(host, PATH, BODY, 30)

    assert (answer.status, json.loads(answer.content)) == (200, response(message("hello")))
    assert f"/{REGION}/{service}/aws4_request" in server.headers[0]["authorization"]
    assert server.headers[0]["user-agent"] == "Freehold"


@pytest.mark.parametrize(
    "expected",
    [
        {"service": "bedrock-mantle"},
        {"region": "eu-west-1"},
        {"keys": Credentials(KEYS.access_key, "another secret", KEYS.token)},
        {"keys": Credentials(KEYS.access_key, KEYS.secret_key, "another token")},
    ],
    ids=lambda expected: next(iter(expected)),
)
def test_a_server_that_expects_another_signature_refuses_this_one(expected: dict[str, Any]):
    with BedrockServer(**expected) as server:
        answer = http(server.endpoint).post("bedrock-runtime", PATH, BODY, 30)

    assert answer.status == 403
    assert server.requests == []


def test_what_the_server_quotes_of_a_refused_request_shows_no_secret():
    with BedrockServer(region="eu-west-1") as server:
        answer = http(server.endpoint).post("bedrock-runtime", PATH, BODY, 30)

    assert b"x-amz-security-token:***" in answer.content
    assert str(KEYS.token).encode() not in answer.content


def test_credentials_that_rotate_are_asked_for_at_each_call():
    old = Credentials("OLD", "old", "old")
    given = [old, KEYS]
    with BedrockServer() as server:
        server.script([ok(message("hello"))])
        sender = http(server.endpoint, keys=lambda: given.pop(0))

        statuses = [sender.post("bedrock-runtime", PATH, BODY, 30).status for _ in range(2)]

    assert statuses == [403, 200]


def test_credentials_without_a_session_token_sign_without_one():
    with BedrockServer(keys=Credentials("AKID", "secret")) as server:
        server.script([ok(message("hello"))])

        answer = http(server.endpoint, keys=lambda: server.keys).post("bedrock-runtime", PATH, BODY, 30)

    assert answer.status == 200
    assert "x-amz-security-token" not in server.headers[0]


def test_without_credentials_nothing_is_sent():
    with BedrockServer() as server, pytest.raises(ModelRejected, match="AWS credentials, and none"):
        http(server.endpoint, keys=lambda: None).post("bedrock-runtime", PATH, BODY, 30)

    assert server.headers == []


def test_credentials_that_cannot_be_read_now_may_be_readable_later():
    def broken() -> Credentials:
        raise CredentialRetrievalError(provider="container", error_msg="timed out")

    with pytest.raises(ModelUnavailable, match=r"credentials could not be read.*timed out"):
        http("http://127.0.0.1:9", keys=broken).post("bedrock-runtime", PATH, BODY, 30)


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://bedrock-runtime.us-east-2.amazonaws.com",
        "http://127.0.0.1.example.com",
        "ftp://localhost",
        "",
        "https:///x",
    ],
)
def test_nothing_signed_goes_unencrypted_to_another_machine(endpoint: str):
    with pytest.raises(ModelRejected, match="must be https"):
        http(endpoint).post("bedrock-runtime", PATH, BODY, 30)


def test_a_server_that_is_not_there_is_unavailable():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        sender = http(f"http://127.0.0.1:{unused.getsockname()[1]}")

        with pytest.raises(ModelUnavailable, match=r"no answer from 127\.0\.0\.1"):
            sender.post("bedrock-runtime", PATH, BODY, 30)


@pytest.mark.parametrize(
    "answer",
    [Scripted(200, b"x" * 1000, slow=True), Scripted(200, b"x" * 1000, cut_after=10)],
    ids=["trickles", "breaks off"],
)
def test_an_answer_that_does_not_arrive_whole_and_in_time_is_none(answer: Scripted):
    with BedrockServer() as server:
        server.script([answer])

        with pytest.raises(ModelUnavailable, match=r"no answer from 127\.0\.0\.1 within 0\.5 s"):
            http(server.endpoint).post("bedrock-runtime", PATH, BODY, 0.5)


def test_a_redirect_is_not_followed():
    with BedrockServer() as server:
        server.script([Scripted(307, b"", {"location": f"{server.endpoint}/elsewhere"})])

        answer = http(server.endpoint).post("bedrock-runtime", PATH, BODY, 30)

    assert answer.status == 307
    assert len(server.headers) == 1
