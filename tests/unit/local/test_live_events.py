from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from freehold_cli.local.live_events import settings

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
