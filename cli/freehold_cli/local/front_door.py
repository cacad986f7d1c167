"""The one address of the local stack: `http://127.0.0.1:8080/v1/…` leads to the deployed REST API.

On AWS that is the API's own address, so this knows nothing of what the API means. Streams alone it passes to a process
of their own, as API Gateway passes them to the function behind them.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncGenerator
from http import HTTPStatus
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote

import httpx
from starlette.applications import Starlette
from starlette.convertors import PathConvertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ExceptionHandler

from freehold_cli.local.admission import REQUESTS_AT_ONCE, Admission, TooBusy, executions_of
from freehold_cli.local.authorizer import Authorizer
from freehold_cli.local.passing import (
    MOST_BYTES,
    TooLarge,
    answered,
    body_of,
    outgoing,
    problem,
    throttled,
    unavailable,
)
from freehold_cli.local.serving import Options, serve
from freehold_cli.local.streams import Streams

STAGE = "v1"
_METHODS = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]


class _Rest(PathConvertor):
    """Of a path, all that follows. Starlette's own ends with the line."""

    regex = "(?s:.*)"


register_url_convertor("rest", _Rest())


class DeployedApi:
    """Reads where the API is from the file of outputs, which each deployment writes anew."""

    def __init__(self, aws_url: str, outputs: Path) -> None:
        self._aws_url = aws_url
        self._outputs = outputs
        self._read_at: int | None = None
        self._id: str | None = None

    def id(self) -> str | None:
        """None before the first deployment. A changed API may have got a new one."""
        try:
            changed = self._outputs.stat().st_mtime_ns
            if changed != self._read_at:
                self._id = json.loads(self._outputs.read_text())["ApiId"]
                self._read_at = changed
        except (OSError, ValueError, KeyError):
            self._read_at = self._id = None
        return self._id

    def address(self) -> str | None:
        """The stage's address; None before the first deployment."""
        found = self.id()
        return f"{self._aws_url}/restapis/{found}/{STAGE}/_user_request_" if found else None


def application(
    api: DeployedApi,
    client: httpx.AsyncClient,
    instance: str,
    admission: Admission,
    streams: Streams | None = None,
) -> Starlette:
    """The front door to `api`; `instance` tells its processes from those of another stack."""

    async def health(request: Request) -> Response:
        return JSONResponse({"status": "ok", "deployed": api.address() is not None, "instance": instance})

    async def forward(request: Request) -> Response:
        address = api.address()
        if address is None:
            return unavailable("the stack is not deployed yet")
        path = cast("bytes", request.scope["raw_path"]).decode("ascii").removeprefix(f"/{STAGE}")
        if {".", ".."} & set(unquote(path).split("/")):
            # On the way they would lead somewhere else.
            return problem(400, "The request is invalid", "no part of a path is . or ..", "Invalid")
        query = f"?{request.url.query}" if request.url.query else ""
        try:
            async with admission.admitted(request.method, path):
                sent = outgoing(request, f"{address}{path or '/'}{query}", await body_of(request))
                answer = await client.send(sent, stream=True)
        except TooBusy as busy:
            return throttled(f"{busy}; send the same request again a little later")
        except httpx.TransportError as error:
            return unavailable(
                f"the local AWS does not answer ({type(error).__name__}); `freehold status` tells more"
            )
        return answered(answer)

    async def follow(request: Request) -> Response:
        if request.method != "GET":
            # HEAD, which would open one too.
            return await forward(request)
        found = api.id()
        streamed = await streams.answer(request, found) if streams and found else None
        return streamed or await forward(request)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        yield
        await client.aclose()

    routes = [
        Route("/healthz", health, methods=["GET"]),
        Route(f"/{STAGE}/runs/{{run_id}}/events", follow, methods=["GET"]),
        Route(f"/{STAGE}", forward, methods=_METHODS),
        Route(f"/{STAGE}/{{path:rest}}", forward, methods=_METHODS),
        Route("/{path:rest}", _nowhere, methods=_METHODS),
    ]
    return Starlette(routes=routes, lifespan=lifespan, exception_handlers=_REFUSALS)


def local_client() -> httpx.AsyncClient:
    """A client that never leaves this machine: no proxy, no redirect."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=REQUESTS_AT_ONCE)
    return httpx.AsyncClient(limits=limits, trust_env=False, follow_redirects=False)


def main() -> None:
    """Serve until told to stop."""
    parser = Options("front_door")
    parser.of_deployment()
    parser.add_argument("--live", required=True, help="the URL of the process that streams live events")
    options = parser.given()
    client = local_client()
    streams = Streams(options.live, Authorizer(options.aws, client), client)
    admission = Admission(executions_of(options.aws, client))
    api = DeployedApi(options.aws, options.outputs)
    serve(application(api, client, options.instance, admission, streams), options.port, date_header=False)


async def _nowhere(request: Request, _: Exception | None = None) -> Response:
    told = f"no call {request.method} {request.scope['path']}; the API is at /{STAGE}/"
    return problem(404, "Not found", told, "NotFound")


async def _no_address(_: Request, error: Exception) -> Response:
    return problem(400, "The request is invalid", f"the address cannot be passed on: {error}", "Invalid")


async def _too_large(_: Request, __: Exception) -> Response:
    told = f"a body has at most {MOST_BYTES} bytes"
    return problem(413, "The request was refused", told, "REQUEST_TOO_LARGE")


async def _broken(_: Request, __: Exception) -> Response:
    """The server writes the exception into the log."""
    return problem(500, "Something went wrong", "The log has the details.", "InternalError")


_REFUSALS: dict[Any, ExceptionHandler] = {
    HTTPStatus.METHOD_NOT_ALLOWED: _nowhere,
    httpx.InvalidURL: _no_address,
    TooLarge: _too_large,
    Exception: _broken,
}


if __name__ == "__main__":
    main()
