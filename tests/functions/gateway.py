"""What API Gateway does between a client and the functions, as `openapi.yaml` tells it to."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from .caller import NUMBERS, STAGE_ARN, Answer
from .description import Operation, document, find, resolved
from .lambdas import function, invoke

Pairs = Sequence[tuple[str, str]]
SIGNED = "AWS4-HMAC-SHA256 "
JSON = "application/json"
# A client stays with a stream until nothing came for so long.
SILENCE_SECONDS = 0.05
PATIENCE_SECONDS = 5


class Refused(Exception):
    """API Gateway answers by itself, as the document has it for this kind of error."""

    def __init__(self, kind: str, message: str = "") -> None:
        self.kind, self.message = kind, message
        super().__init__(kind)


@dataclass(frozen=True)
class Request:
    """`path` as it is sent, with its percent signs."""

    method: str
    path: str
    query: Pairs = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None

    def header(self, name: str) -> str | None:
        return next((value for given, value in self.headers.items() if given.lower() == name.lower()), None)


def send(request: Request) -> Answer:
    """The answer that a client gets. A signature names its signer: nobody has to prove here that they are it."""
    try:
        operation = _routed(request)
        context = _context(request) | _admitted(request, operation)
        if operation is not None:
            _check(request, operation)
        if operation is not None and "LiveFunction" in json.dumps(operation.described):
            return asyncio.run(_followed(request, context))
        return _answer(invoke("api", _event(request, context)))
    except Refused as refused:
        return _by_itself(refused)


def _routed(request: Request) -> Operation | None:
    """None is the preflight of any path."""
    found = find(request.method, request.path)
    if found is None and request.method != "OPTIONS":
        raise Refused("MISSING_AUTHENTICATION_TOKEN")
    return found


def _admitted(request: Request, operation: Operation | None) -> dict[str, Any]:
    """What the context of the call then says of who asks."""
    security = operation.described["security"] if operation else []
    given = request.header("Authorization")
    if not security:
        return {"identity": {}}
    if "awsSignature" in security[0]:
        if not given or not given.startswith(SIGNED):
            raise Refused("MISSING_AUTHENTICATION_TOKEN")
        if not given.removeprefix(SIGNED).startswith("arn:"):
            raise Refused("INVALID_SIGNATURE", "The request signature does not match.")
        return {"identity": {"userArn": given.removeprefix(SIGNED)}}
    if not given:
        raise Refused("UNAUTHORIZED")
    arn = f"{STAGE_ARN}/{request.method}{request.path}"
    event = {"type": "TOKEN", "authorizationToken": given, "methodArn": arn}
    try:
        admitted = invoke("authorizer", event)
    except Exception as error:
        # It tells both by the text of the error alone.
        raise Refused("UNAUTHORIZED" if str(error) == "Unauthorized" else "AUTHORIZER_FAILURE") from error
    return {"identity": {}, "authorizer": admitted["context"] | {"principalId": admitted["principalId"]}}


def _check(request: Request, operation: Operation) -> None:
    """That what is required is there. It looks at no types, and the document has it look at no bodies."""
    there = {"query": {key for key, value in request.query if value}, "path": operation.takes("path")}
    for each in operation.parameters:
        if each.get("required") and each["name"] not in there.get(each["in"], ()):
            raise Refused("BAD_REQUEST_PARAMETERS", f"Missing required request parameters: [{each['name']}]")


def _context(request: Request) -> dict[str, Any]:
    return {
        "httpMethod": request.method,
        "path": f"/v1{request.path}",
        "requestId": f"request-{next(NUMBERS)}",
        "requestTimeEpoch": int(time.time() * 1000),
        "stage": "v1",
    }


def _event(request: Request, context: dict[str, Any]) -> dict[str, Any]:
    """A REST proxy event."""
    query: dict[str, list[str]] = {}
    for name, value in request.query:
        query.setdefault(name, []).append(value)
    return {
        "resource": "/{proxy+}",
        "path": request.path,
        "httpMethod": request.method,
        "headers": dict(request.headers),
        "multiValueHeaders": {name: [value] for name, value in request.headers.items()},
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": None,
        "requestContext": context,
        "body": request.body,
        "isBase64Encoded": False,
    }


def _answer(told: Mapping[str, Any]) -> Answer:
    sent = {name: values[-1] for name, values in told["multiValueHeaders"].items()}
    return Answer(told["statusCode"], sent, told["body"])


def _by_itself(refused: Refused) -> Answer:
    """In the words of the document's gateway responses."""
    kinds = document()["x-amazon-apigateway-gateway-responses"]
    told = kinds[refused.kind]
    status = int(told["statusCode"])
    text: str = told["responseTemplates"][JSON]
    text = text.replace("$context.error.messageString", json.dumps(refused.message or None))
    text = text.replace("$context.error.responseType", refused.kind)
    headers = {
        name.removeprefix("gatewayresponse.header."): value.strip("'")
        for name, value in told["responseParameters"].items()
        if isinstance(value, str)
    }
    return Answer(status, headers | {"x-request-id": f"request-{next(NUMBERS)}"}, text)


async def _followed(request: Request, context: dict[str, Any]) -> Answer:
    """What the function live streams until it is silent; then the client goes."""
    sent = {**request.headers, "x-amzn-request-context": json.dumps(context)}
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in sent.items()]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "path": unquote(request.path),
        "raw_path": request.path.encode(),
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "headers": headers,
        "server": ("127.0.0.1", 8080),
        "client": ("127.0.0.1", 1),
    }
    told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    gone = asyncio.Event()

    async def receive() -> dict[str, Any]:
        await gone.wait()
        return {"type": "http.disconnect"}

    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
        group.create_task(function("live").app(scope, receive, told.put))
        start, text = await told.get(), b""
        with suppress(TimeoutError):
            more = True
            while more:
                part = await asyncio.wait_for(told.get(), SILENCE_SECONDS)
                text, more = text + part.get("body", b""), part.get("more_body", False)
        gone.set()
    found = {name.decode("latin-1"): value.decode("latin-1") for name, value in start["headers"]}
    return Answer(start["status"], found, text.decode())


def parameters(operation: Operation) -> list[dict[str, Any]]:
    """Of an operation, each with its schema."""
    return [{**each, "schema": resolved(each["schema"])} for each in operation.parameters]
