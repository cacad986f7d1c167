from __future__ import annotations

import asyncio
import json

import httpx

from freehold_cli.local.authorizer import Authorizer

AWS = "http://127.0.0.1:4566"
POLICY = {"policyDocument": {"Statement": [{"Effect": "Allow"}]}, "context": {"tenant": "acme"}}


class Lambdas:
    """A local AWS whose authorizer answers about the token "late" once that is let."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.let = asyncio.Event()

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/authorizers"):
            return httpx.Response(200, json={"item": [{"authorizerUri": "functions/arn:f/invocations"}]})
        token = json.loads(request.content)["authorizationToken"]
        self.asked.append(token)
        await asyncio.sleep(0)  # Others come meanwhile.
        if token == "late":
            await self.let.wait()
        return httpx.Response(200, json=POLICY)

    def authorizer(self) -> Authorizer:
        return Authorizer(AWS, httpx.AsyncClient(transport=httpx.MockTransport(self)), lambda: 0.0)


def test_many_who_come_at_once_with_one_token_are_one_question():
    async def asked() -> list[str]:
        lambdas = Lambdas()
        authorizer = lambdas.authorizer()
        await asyncio.gather(*(authorizer.context("one", "good") for _ in range(10)))
        return lambdas.asked

    assert asyncio.run(asked()) == ["good"]


def test_a_token_about_which_the_answer_is_late_holds_up_no_other():
    async def asked() -> list[str]:
        lambdas, answered = Lambdas(), list[str]()
        authorizer = lambdas.authorizer()

        async def ask(token: str) -> None:
            await authorizer.context("one", token)
            answered.append(token)
            if token == "good":
                lambdas.let.set()

        async with asyncio.timeout(5):
            await asyncio.gather(ask("late"), ask("good"))
        return answered

    assert asyncio.run(asked()) == ["good", "late"]
