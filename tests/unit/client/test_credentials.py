"""What the client shows to be let in."""

from __future__ import annotations

from collections.abc import Callable
from traceback import format_exception

import httpx
import pytest

from freehold_client import Freehold, InvalidRequest, Unauthorized, aws_token


class Stack:
    """Lets in who shows one of `accepted`."""

    def __init__(self, *accepted: str) -> None:
        self.accepted = set(accepted)
        self.requests: list[httpx.Request] = []

    def client(self, key: str | Callable[[], str]) -> Freehold:
        return Freehold("http://stack", key, httpx.MockTransport(self._respond), sleep=lambda _: None)

    def _respond(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if request.headers["authorization"].removeprefix("Bearer ") in self.accepted:
            return httpx.Response(200, json={"runId": "r-1"})
        return httpx.Response(401, json={"title": "Not authorized", "status": 401})


class Tokens:
    """Gives one token after the other."""

    def __init__(self) -> None:
        self.given = 0

    def __call__(self) -> str:
        self.given += 1
        return f"token-{self.given}"


def test_a_token_is_asked_for_once_and_kept():
    tokens, stack = Tokens(), Stack("token-1")
    with stack.client(tokens) as client:
        assert tokens.given == 0
        for _ in range(3):
            client.runs.get("r-1")

    assert tokens.given == 1
    assert len(stack.requests) == 3


def test_another_token_is_asked_for_where_the_last_has_ended():
    tokens, stack = Tokens(), Stack("token-1")
    with stack.client(tokens) as client:
        client.runs.get("r-1")
        stack.accepted = {"token-2"}

        client.runs.start("helper", "hi", idempotency_key="k")

    assert tokens.given == 2
    refused, again = stack.requests[1:]
    assert (refused.content, refused.headers["idempotency-key"]) == (again.content, "k")


def test_a_second_token_that_is_refused_is_an_error_and_no_third_is_asked_for():
    tokens, stack = Tokens(), Stack()

    with stack.client(tokens) as client, pytest.raises(Unauthorized):
        client.runs.get("r-1")

    assert tokens.given == len(stack.requests) == 2


def test_a_key_that_is_refused_is_not_shown_twice():
    stack = Stack()

    with stack.client("fh_k") as client, pytest.raises(Unauthorized):
        client.runs.get("r-1")

    assert len(stack.requests) == 1


@pytest.mark.parametrize("given", ["fh_k\n", " fh_k\r\n", lambda: "fh_k\n"])
def test_white_space_around_a_credential_does_not_count(given: str | Callable[[], str]):
    with Stack("fh_k").client(given) as client:
        assert client.runs.get("r-1").run_id == "r-1"


@pytest.mark.parametrize("given", ["", "\n", "fh_\nsecret", "fh_“secret”", lambda: "", lambda: "fh_\0secret"])
@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.runs.get("r-1"),
        lambda client: client.agents.get("a"),
        lambda client: list(client.runs.stream("r-1")),
    ],
)
def test_what_cannot_be_sent_as_a_credential_is_told_at_once_and_not_quoted(
    ask: Callable[[Freehold], object], given: str | Callable[[], str]
):
    stack = Stack("fh_k")

    with stack.client(given) as client, pytest.raises(InvalidRequest) as caught:
        ask(client)

    assert stack.requests == []
    assert [problem.path for problem in caught.value.problems] == ["Authorization"]
    assert "secret" not in "".join(format_exception(caught.value))


def test_a_function_is_asked_again_after_what_could_not_be_sent():
    given = iter(["", "fh_k"])

    with Stack("fh_k").client(lambda: next(given)) as client:
        with pytest.raises(InvalidRequest):
            client.runs.get("r-1")
        assert client.runs.get("r-1").run_id == "r-1"


def test_a_signature_that_cannot_be_sent_is_not_quoted():
    signed = {"authorization": "AWS4-HMAC-SHA256 x", "x-amz-security-token": "secret\n"}

    with pytest.raises(InvalidRequest, match="X-Amz-Security-Token: is no valid header") as caught:
        aws_token(
            "http://stack", lambda *_: signed, transport=httpx.MockTransport(lambda _: httpx.Response(201))
        )

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(("key", "by_aws"), [("fh_k", False), ("fht_acme_1", True), ("eyJ.a.b", False)])
def test_a_refusal_tells_whether_it_was_of_aws_credentials(key: str, *, by_aws: bool):
    with Stack().client(key) as client, pytest.raises(Unauthorized) as caught:
        client.runs.get("r-1")

    assert caught.value.by_aws is by_aws
