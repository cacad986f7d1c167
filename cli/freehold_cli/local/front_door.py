"""The one address of the local stack: `http://127.0.0.1:8080/v1/…` leads to the deployed REST API.

On AWS that is the API's own address, so this knows nothing of what the API means.
"""

from __future__ import annotations

import argparse
import contextlib
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote

import httpx
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from freehold_cli.local.watching import end_with

STAGE = "v1"
_METHODS = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]
# What concerns one connection only (RFC 9110, section 7.6.1), and what httpx writes by itself.
_OF_ONE_CONNECTION = frozenset(
    (
        "connection",
        "content-length",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
# Longer than API Gateway lets an integration run (29 s) and than a stream may be silent.
_TIMEOUT = httpx.Timeout(330.0, connect=5.0)


class DeployedApi:
    """Reads where the API is from the file of outputs, which each deployment writes anew."""

    def __init__(self, aws_url: str, outputs: Path) -> None:
        self._aws_url = aws_url
        self._outputs = outputs
        self._read_at: int | None = None
        self._id: str | None = None

    def address(self) -> str | None:
        """The stage's address; None before the first deployment. A changed API may have got a new id."""
        try:
            changed = self._outputs.stat().st_mtime_ns
            if changed != self._read_at:
                self._id = json.loads(self._outputs.read_text())["ApiId"]
                self._read_at = changed
        except (OSError, ValueError, KeyError):
            self._read_at = self._id = None
        return f"{self._aws_url}/restapis/{self._id}/{STAGE}/_user_request_" if self._id else None


def application(api: DeployedApi, client: httpx.AsyncClient, instance: str) -> Starlette:
    """The front door to `api`; `instance` tells its processes from those of another stack."""

    async def health(request: Request) -> Response:
        return JSONResponse({"status": "ok", "deployed": api.address() is not None, "instance": instance})

    async def forward(request: Request) -> Response:
        address = api.address()
        if address is None:
            return _unavailable("the stack is not deployed yet")
        path = cast("bytes", request.scope["raw_path"]).decode("ascii").removeprefix(f"/{STAGE}")
        if {".", ".."} & set(unquote(path).split("/")):
            # On the way they would lead somewhere else.
            return _problem(400, "Invalid", "no part of a path is . or ..")
        query = f"?{request.url.query}" if request.url.query else ""
        # Not client.build_request, which would add headers of its own.
        outgoing = httpx.Request(
            request.method,
            f"{address}{path or '/'}{query}",
            headers=[(name, value) for name, value in request.headers.raw if passes(name)],
            content=await request.body(),
            extensions={"timeout": _TIMEOUT.as_dict()},
        )
        try:
            answer = await client.send(outgoing, stream=True)
        except httpx.TransportError as error:
            return _unavailable(
                f"the local AWS does not answer ({type(error).__name__}); `freehold status` tells more"
            )
        response = StreamingResponse(
            answer.aiter_raw(), answer.status_code, background=BackgroundTask(answer.aclose)
        )
        response.raw_headers = [(name.lower(), value) for name, value in answer.headers.raw if passes(name)]
        return response

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        yield
        await client.aclose()

    routes = [
        Route("/healthz", health, methods=["GET"]),
        Route(f"/{STAGE}", forward, methods=_METHODS),
        Route(f"/{STAGE}/{{path:path}}", forward, methods=_METHODS),
        Route("/{path:path}", _nowhere, methods=_METHODS),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


def local_client() -> httpx.AsyncClient:
    """A client that never leaves this machine: no proxy, no redirect."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
    return httpx.AsyncClient(limits=limits, trust_env=False, follow_redirects=False)


def main() -> None:
    """Serve until told to stop."""
    import uvicorn

    parser = argparse.ArgumentParser(prog="python -m freehold_cli.local.front_door")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--aws", required=True, help="the local AWS's URL")
    parser.add_argument("--outputs", type=Path, required=True, help="the file with the stack's outputs")
    parser.add_argument("--instance", required=True, help="marks the process in a process list")
    parser.add_argument("--end-with", type=int, metavar="FD", help="end when this pipe closes")
    options = parser.parse_args()
    if options.end_with is not None:
        end_with(options.end_with)
    door = application(DeployedApi(options.aws, options.outputs), local_client(), options.instance)
    uvicorn.run(
        door,
        host="127.0.0.1",
        port=options.port,
        access_log=False,
        timeout_graceful_shutdown=2,
        server_header=False,
        date_header=False,  # the local AWS's answers carry one
    )


async def _nowhere(request: Request) -> Response:
    return _problem(404, "NotFound", f"there is nothing at {request.url.path}; the API is at /{STAGE}/")


def _unavailable(detail: str) -> Response:
    return _problem(503, "Unavailable", detail)


def _problem(status: int, title: str, detail: str) -> Response:
    content: dict[str, Any] = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return JSONResponse(content, status, media_type="application/problem+json")


def passes(name: bytes) -> bool:
    """Whether a header is meant for the other end, and not for one connection alone."""
    return name.lower().decode("latin-1") not in _OF_ONE_CONNECTION


if __name__ == "__main__":
    main()
