"""AWS as moto gives it: what the functions ask of it is kept, and can be answered otherwise."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse


@dataclass(frozen=True)
class Request:
    """One request to AWS that a function made."""

    function: str
    service: str
    operation: str
    parameters: dict[str, Any]


@dataclass
class Requests:
    """Keeps what the functions ask of AWS, and answers them for the tools' Lambdas."""

    made: list[Request] = field(default_factory=list)
    running: list[str] = field(default_factory=list)
    tool_events: list[dict[str, Any]] = field(default_factory=list)
    tool_answer: AWSResponse | Callable[[], AWSResponse] | None = None

    def begin(self, model: Any, params: dict[str, Any], **_: Any) -> None:
        if self.running:
            service = model.service_model.service_name
            self.made.append(Request(self.running[-1], service, model.name, dict(params)))

    def call_tool(self, request: Any, **_: Any) -> AWSResponse | None:
        self.tool_events.append(json.loads(request.body))
        return self.tool_answer() if callable(self.tool_answer) else self.tool_answer

    def forget(self) -> None:
        self.made.clear()
        self.tool_events.clear()
        self.tool_answer = None


REQUESTS = Requests()


class Raw(io.BytesIO):
    """A body as botocore reads it from urllib3."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


def answered(status: int, body: object, headers: Mapping[str, str] | None = None) -> AWSResponse:
    """An answer of AWS, to be given by a `before-send` event; `body` is JSON, or the bytes themselves."""
    raw: Any = Raw(body if isinstance(body, bytes) else json.dumps(body).encode())
    return AWSResponse("http://127.0.0.1", status, dict(headers or {"content-type": "application/json"}), raw)


# As which a test says from which queue SQS has moved a message: moto moves some, and does not say so.
MOVED_FROM = "moved-from"


def tell_where_from(parsed: dict[str, Any], **_: Any) -> None:
    for message in parsed.get("Messages", []):
        told = message.get("MessageAttributes", {}).pop(MOVED_FROM, None)
        if told:
            message["Attributes"]["DeadLetterQueueSourceArn"] = told["StringValue"]


@cache
def session() -> boto3.Session:
    """One for all tests: botocore reads its service models once a session."""
    made = boto3.Session()
    made.events.register("provide-client-params", REQUESTS.begin)
    made.events.register_first("before-send.lambda.Invoke", REQUESTS.call_tool)
    made.events.register("after-call.sqs.ReceiveMessage", tell_where_from)
    return made


@contextmanager
def default_session() -> Iterator[None]:
    before, boto3.DEFAULT_SESSION = boto3.DEFAULT_SESSION, session()
    try:
        yield
    finally:
        boto3.DEFAULT_SESSION = before


@cache
def aws(service: str) -> Any:
    """A client of the tests' own, whose requests nobody keeps."""
    return boto3.Session().client(service)  # pyright: ignore


@contextmanager
def meddling(client: Any, event: str, act: Callable[..., Any]) -> Iterator[None]:
    """Let `act` answer or break a client's requests at one of botocore's events."""
    client.meta.events.register_first(event, act)
    try:
        yield
    finally:
        client.meta.events.unregister(event, act)
