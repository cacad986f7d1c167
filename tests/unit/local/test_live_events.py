from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from freehold_cli.local.live_events import application, settings

VARIABLES = {"EVENTS_TABLE": "events"}


class Aws:
    """An AWS that raises these, one a question, before it answers."""

    def __init__(self, *failures: Exception) -> None:
        self._failures = list(failures)

    def client(self, service: str) -> Any:
        return self

    def describe_stack_resource(self, **_: str) -> dict[str, Any]:
        if self._failures:
            raise self._failures.pop(0)
        return {"StackResourceDetail": {"PhysicalResourceId": "live"}}

    def get_function_configuration(self, **named: str) -> dict[str, Any]:
        assert named == {"FunctionName": "live"}
        return {"Environment": {"Variables": VARIABLES}}


def refusal(status: int) -> ClientError:
    return ClientError({"ResponseMetadata": {"HTTPStatusCode": status}}, "DescribeStackResource")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "failure", [EndpointConnectionError(endpoint_url=""), refusal(503)], ids=["silent", "busy"]
)
def test_an_aws_that_does_not_answer_is_asked_again(failure: Exception):
    pauses = list[float]()

    found = settings(Aws(failure, failure).client, "freehold", pauses.append)

    assert (found, len(pauses)) == (VARIABLES, 2)


def test_a_function_that_is_not_there_is_not_waited_for():
    assert settings(Aws(refusal(400)).client, "freehold") is None


FUNCTION = """
from starlette.responses import PlainTextResponse

app = PlainTextResponse("the function")
"""


def ask(function: Path, environment: dict[str, str] | None, path: str) -> httpx.Response:
    async def asked() -> httpx.Response:
        through = httpx.ASGITransport(application(function, "freehold-1", 7, environment))
        async with httpx.AsyncClient(transport=through, base_url="http://127.0.0.1:9") as user:
            return await user.get(path)

    return asyncio.run(asked())


@pytest.mark.parametrize("path", ["/v1/runs/a/events", "/v1/runs/a%0ab/events"])
def test_the_function_is_asked_for_whatever_path(tmp_path: Path, path: str):
    function = tmp_path / "app.py"
    function.write_text(FUNCTION)

    deployed, health = ask(function, {}, path), ask(function, {}, "/healthz")
    early = ask(function, None, path)

    assert deployed.text == "the function"
    assert health.json() == {"status": "ok", "instance": "freehold-1", "deployedAt": 7}
    assert (early.status_code, early.headers["content-type"]) == (503, "application/problem+json")
