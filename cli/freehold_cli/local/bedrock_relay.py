"""The way from the local stack to Amazon Bedrock, and its only process that has your AWS credentials.

A Lambda's SDK signs with the local stack's credentials, which open nothing, and sends to
`http://127.0.0.1:<port>/<token>/bedrock-runtime/model/…`. The relay signs anew, as you, and passes the answer back.
"""

from __future__ import annotations

import contextlib
import hmac
import logging
import os
import re
import ssl
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import cast

import httpx
from botocore.awsrequest import AWSRequest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from freehold_cli.local.aws_access import HOW_TO_GET, AwsAccess, NoAccess
from freehold_cli.local.endpoint import RELAY_TOKEN
from freehold_cli.local.passing import passes
from freehold_cli.local.serving import Options, serve

log = logging.getLogger("freehold.bedrock_relay")

_OPENAI = r"/openai/v1/(?:responses|chat/completions)"
# A model's id is percent-encoded and never begins with a dot.
_MODEL = (
    r"/model/[A-Za-z0-9][A-Za-z0-9%._~:-]*/"
    r"(?:converse|converse-stream|invoke|invoke-with-response-stream|count-tokens)"
)
# Of the request's headers only what tells Bedrock something: its signature is of no use there.
_HEADERS = ("accept", "content-type", "user-agent", "x-amz-content-sha256")
_PREFIXES = ("openai-", "x-amzn-bedrock-")
_SECRET_HEADERS = ("authorization", "x-amz-security-token")
# Longer than a Lambda may run.
_TIMEOUT = httpx.Timeout(930.0, connect=10.0)


@dataclass(frozen=True, slots=True)
class Upstream:
    """A service of Bedrock: where it is, the name that its signatures carry, and what may be asked of it."""

    url: str
    service: str
    paths: re.Pattern[str]


def upstreams(region: str, environ: Mapping[str, str]) -> dict[str, Upstream]:
    """By the first part of the path. The user's own endpoints, such as a PrivateLink's, come before the public ones."""
    runtime = environ.get("AWS_ENDPOINT_URL_BEDROCK_RUNTIME")
    mantle = environ.get("AWS_ENDPOINT_URL_BEDROCK_MANTLE")
    return {
        "bedrock-runtime": Upstream(
            (runtime or f"https://bedrock-runtime.{region}.amazonaws.com").rstrip("/"),
            "bedrock",
            re.compile(f"{_MODEL}|{_OPENAI}"),
        ),
        "bedrock-mantle": Upstream(
            (mantle or f"https://bedrock-mantle.{region}.api.aws").rstrip("/"),
            "bedrock-mantle",
            re.compile(_OPENAI),
        ),
    }


@dataclass(frozen=True, slots=True)
class Bedrock:
    """Bedrock in one Region, asked as the user."""

    access: AwsAccess
    region: str
    upstreams: Mapping[str, Upstream]

    def request(self, service: str, path: str, headers: Mapping[str, str], body: bytes) -> httpx.Request:
        """The request as Bedrock is to get it; NoAccess if it cannot be signed."""
        upstream = self.upstreams[service]
        kept = {
            name: value
            for name, value in headers.items()
            if name.lower() in _HEADERS or name.lower().startswith(_PREFIXES)
        }
        signed = AWSRequest(method="POST", url=upstream.url + path, data=body, headers=kept)
        self.access.authorize(signed, upstream.service, self.region)
        # Not client.build_request, which would add headers of its own.
        return httpx.Request(
            "POST",
            upstream.url + path,
            headers=dict(signed.headers.items()),
            content=body,
            extensions={"timeout": _TIMEOUT.as_dict()},
        )

    def knows(self, service: str, path: str) -> bool:
        upstream = self.upstreams.get(service)
        return upstream is not None and upstream.paths.fullmatch(path) is not None


def application(bedrock: Bedrock, client: httpx.AsyncClient, token: str, instance: str) -> Starlette:
    """The relay for those who know `token`; `instance` tells its processes from those of another stack."""

    async def health(request: Request) -> Response:
        return JSONResponse({"status": "ok", "instance": instance})

    async def relay(request: Request) -> Response:
        given, service, path = _parts(cast("bytes", request.scope["raw_path"]).decode("latin-1"))
        if not hmac.compare_digest(given.encode(), token.encode()) or not bedrock.knows(service, path):
            log.warning("refused a request")
            return _error(404, "UnknownOperationException", "the relay to Bedrock knows nothing of this path")
        response = await _relayed(bedrock, client, service, path, request)
        log.info("POST %s%s %d", service, path, response.status_code)
        return response

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        yield
        await client.aclose()

    routes = [
        Route("/healthz", health, methods=["GET"]),
        Route("/{path:path}", relay, methods=["POST"]),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


def user_client(environ: Mapping[str, str]) -> httpx.AsyncClient:
    """A client that goes through the user's proxies and trusts who they trust, and never follows a redirect."""
    authorities = environ.get("AWS_CA_BUNDLE") or environ.get("REQUESTS_CA_BUNDLE")
    trust = ssl.create_default_context(cafile=authorities) if authorities else True
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
    # Where there is no TLS, it is this machine, which no proxy reaches.
    return httpx.AsyncClient(limits=limits, verify=trust, follow_redirects=False, mounts={"http://": None})


def main() -> None:
    """Serve until told to stop."""
    parser = Options("bedrock_relay")
    parser.add_argument("--region", required=True)
    options = parser.given()
    logging.basicConfig(format="%(asctime)s %(message)s")
    log.setLevel(logging.INFO)
    # A `credential_process` must not inherit it.
    token = os.environ.pop(RELAY_TOKEN)
    bedrock = Bedrock(AwsAccess(os.environ), options.region, upstreams(options.region, os.environ))
    app = application(bedrock, user_client(os.environ), token, options.instance)
    # Bedrock's answers carry a date.
    serve(app, options.port, date_header=False)


async def _relayed(
    bedrock: Bedrock, client: httpx.AsyncClient, service: str, path: str, request: Request
) -> Response:
    body = await request.body()
    try:
        # Credentials may have to be fetched.
        outgoing = await run_in_threadpool(bedrock.request, service, path, request.headers, body)
        answer = await client.send(outgoing, stream=True)
    except NoAccess as error:
        return _error(403, error.code, f"{error}. {HOW_TO_GET}")
    except httpx.TransportError as error:
        told = f"Bedrock does not answer ({type(error).__name__})"
        return _error(503, "ServiceUnavailableException", told)
    if answer.is_error:
        return await _without_secrets(answer, outgoing)
    response = StreamingResponse(
        answer.aiter_raw(), answer.status_code, background=BackgroundTask(answer.aclose)
    )
    response.raw_headers = [(name.lower(), value) for name, value in answer.headers.raw if passes(name)]
    return response


async def _without_secrets(answer: httpx.Response, outgoing: httpx.Request) -> Response:
    """AWS quotes a request that it does not accept, the user's session token or API key included."""
    try:
        content = await answer.aread()
    except httpx.TransportError as error:
        return _error(503, "ServiceUnavailableException", f"Bedrock broke off ({type(error).__name__})")
    finally:
        await answer.aclose()
    for name in _SECRET_HEADERS:
        if secret := outgoing.headers.get(name):
            content = content.replace(secret.removeprefix("Bearer ").encode(), b"***")
    response = Response(content, answer.status_code)
    response.raw_headers += [(name.lower(), value) for name, value in answer.headers.raw if passes(name)]
    return response


def _parts(path: str) -> tuple[str, str, str]:
    """`/<token>/<service>/<rest>`; parts that are missing are empty."""
    _, _, path = path.partition("/")
    token, _, path = path.partition("/")
    service, _, rest = path.partition("/")
    return token, service, f"/{rest}"


def _error(status: int, code: str, message: str) -> Response:
    """As AWS's own APIs word it, and OpenAI's beside it: the client may speak either."""
    told = {"message": message, "error": {"message": message, "type": code, "code": code}}
    return JSONResponse(told, status, headers={"x-amzn-errortype": code})


if __name__ == "__main__":
    main()
