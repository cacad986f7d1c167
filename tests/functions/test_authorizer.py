"""The authorizer: a bearer key becomes a policy for the whole API, and anything else is refused alike."""

from __future__ import annotations

import time
from fnmatch import fnmatchcase
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from freehold import wiring

from .aws import meddling
from .caller import STAGE_ARN, TENANT
from .deployed import Deployed
from .gateway import Request, send
from .lambdas import invoke


def admit(token: str, path: str = "GET/runs") -> dict[str, Any]:
    return invoke(
        "authorizer", {"type": "TOKEN", "authorizationToken": token, "methodArn": f"{STAGE_ARN}/{path}"}
    )


@pytest.fixture
def key(product: Deployed) -> str:
    return product.keys().create(tenant=TENANT, name="k", scopes=["run"], now=int(time.time())).text


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER   "])
def test_the_policy_covers_every_call_of_the_stage(key: str, scheme: str):
    answer = admit(scheme + key)

    (statement,) = answer["policyDocument"]["Statement"]
    assert (statement["Effect"], statement["Action"]) == ("Allow", "execute-api:Invoke")
    for call in ("GET/runs", "PUT/agents/a/aliases/b", "DELETE/keys/1", "POST/agents/helper/runs"):
        assert fnmatchcase(f"{STAGE_ARN}/{call}", statement["Resource"])
    other_stage = STAGE_ARN.replace("/v1", "/v2")
    assert not fnmatchcase(f"{other_stage}/GET/runs", statement["Resource"])


def test_the_answer_is_the_same_for_every_call_because_it_is_cached(key: str):
    assert admit(f"Bearer {key}", "GET/runs") == admit(f"Bearer {key}", "DELETE/agents/helper")


def test_the_context_holds_text_alone_as_api_gateway_wants_it(key: str):
    answer = admit(f"Bearer {key}")

    assert all(isinstance(value, str) for value in answer["context"].values())
    assert answer["principalId"] == f"key:{answer['context']['callerId']}"


def test_an_expired_key_is_refused(product: Deployed):
    now = int(time.time())
    key = (
        product.keys().create(tenant=TENANT, name="k", scopes=["run"], now=now - 10, expires_at=now - 1).text
    )

    assert refused(f"Bearer {key}")


@pytest.mark.parametrize(
    "change",
    [
        lambda key: key,
        lambda key: f"Basic {key}",
        lambda key: f"Bearer{key}",
        lambda key: f"Bearer {key[:-1]}",
        lambda key: f"Bearer {key}0",
        lambda key: f"Bearer {key.upper()}",
        lambda key: f"Bearer {flip(key)}",
        lambda key: f"Bearer {key.replace('acme', 'globex')}",
        lambda key: f"Bearer {key.replace('acme', 'ac#me')}",
        lambda key: f"Bearer {key} {key}",
        lambda key: f"Bearer {key}\n",
        lambda key: "Bearer ",
        lambda key: "Bearer",
        lambda key: "",
        lambda key: "Bearer fh_" + "a" * 100_000,
        lambda key: "Bearer ключ",
    ],
    ids=lambda _: "",
)
def test_anything_but_the_key_is_refused_with_the_one_word_that_makes_a_401(key: str, change: Any):
    token = change(key)

    assert refused(token) or token.strip() == f"Bearer {key}"


def flip(key: str) -> str:
    """The last digit changed."""
    return key[:-1] + ("0" if key[-1] != "0" else "1")


def refused(token: str) -> bool:
    """API Gateway answers 401 for exactly this message and 503 for any other."""
    try:
        admit(token)
    except Exception as error:
        return str(error) == "Unauthorized"
    return False


def test_a_key_that_cannot_be_checked_now_is_sent_again(key: str):
    request = Request("GET", "/runs", headers={"Authorization": f"Bearer {key}"})

    def away(**_: Any) -> None:
        raise EndpointConnectionError(endpoint_url="https://dynamodb")

    with meddling(wiring.client("dynamodb"), "before-send.dynamodb.GetItem", away):
        answer = send(request)

    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    assert answer.headers["Content-Type"] == "application/problem+json"
    told = answer.body
    assert (told["type"], told["status"]) == ("urn:freehold:Unavailable", 503)
