"""Calls by pages of other origins."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from freehold.http import cors

from .caller import Answer, Caller
from .deployed import Deployed
from .lambdas import environment, invoke

PAGE, OTHER = "https://app.example.com", "https://elsewhere.example.com"


@pytest.fixture
def admin(product: Deployed) -> Iterator[Caller]:
    with environment(ALLOWED_ORIGINS=f"{PAGE},http://localhost:3000"):
        yield product.admin


def told(answer: Answer) -> dict[str, str]:
    """What a browser is told, in small letters."""
    named = {name.lower(): value for name, value in answer.headers.items()}
    return {
        name: value for name, value in named.items() if name.startswith("access-control") or name == "vary"
    }


def asked_by(admin: Caller, origin: str, method: str = "GET", path: str = "/agents/helper") -> Answer:
    return admin.call(method, path, headers={"Origin": origin})


@pytest.mark.parametrize("path", ["/agents/helper", "/agents/nobody", "/agents/he%20lper"])
def test_a_page_of_an_allowed_origin_may_read_answers_and_errors(admin: Caller, path: str):
    answer = asked_by(admin, PAGE, path=path)

    assert told(answer)["access-control-allow-origin"] == PAGE
    assert set(told(answer)["access-control-expose-headers"].split(",")) == {
        "ETag",
        "Retry-After",
        "x-request-id",
    }
    assert told(answer)["vary"] == "Origin"


@pytest.mark.parametrize("origin", [OTHER, f"{PAGE}.evil.example", "null", "HTTPS://APP.EXAMPLE.COM"])
def test_a_page_of_another_origin_may_not(admin: Caller, origin: str):
    assert told(asked_by(admin, origin)) == {}


def test_without_origins_no_page_may(product: Deployed):
    assert told(asked_by(product.admin, PAGE)) == {}


@pytest.mark.parametrize("path", ["/agents/helper", "/runs/a-1/events", "/no/such/call"])
def test_a_browser_is_told_which_calls_it_may_make_before_there_is_a_key(admin: Caller, path: str):
    """API Gateway asks no authorizer then, so there is nobody who asks."""
    event = admin.event("OPTIONS", path, headers={"Origin": PAGE})
    del event["requestContext"]["authorizer"]

    answer = preflight(event)

    assert (answer.status, answer.text) == (204, "")
    assert told(answer)["access-control-allow-origin"] == PAGE
    assert {"DELETE", "GET", "POST", "PUT"} <= set(told(answer)["access-control-allow-methods"].split(","))
    allowed = set(told(answer)["access-control-allow-headers"].split(","))
    assert {"Authorization", "Content-Type", *cors.SENT} <= allowed
    assert int(told(answer)["access-control-max-age"]) > 0


def test_a_browser_that_comes_from_elsewhere_is_allowed_no_origin(admin: Caller):
    answer = preflight(admin.event("OPTIONS", "/runs", headers={"Origin": OTHER}))

    assert "access-control-allow-origin" not in told(answer)


def test_what_is_streamed_is_told_the_same(admin: Caller):
    assert cors.headers(PAGE)["Access-Control-Allow-Origin"] == PAGE
    assert cors.headers(OTHER) == cors.headers(None) == {}


def preflight(event: dict[str, object]) -> Answer:
    answered = invoke("api", event)
    sent = {name: values[-1] for name, values in answered["multiValueHeaders"].items()}
    return Answer(answered["statusCode"], sent, answered["body"])
