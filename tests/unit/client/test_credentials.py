"""What the client shows to be let in."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from freehold_client import Freehold, Unauthorized


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
