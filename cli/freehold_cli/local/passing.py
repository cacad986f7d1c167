"""Requests that are passed on as they came, and their answers as they come."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from uuid import uuid4

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

# What API Gateway tells the function behind it. From outside, nobody may say so.
CONTEXT = "x-amzn-request-context"
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
# What API Gateway takes as a request's body.
MOST_BYTES = 10 * 1024 * 1024


class TooLarge(Exception):
    """The body has more than `MOST_BYTES`."""


def passes(name: bytes) -> bool:
    """Whether a header is meant for the other end, and not for one connection alone."""
    return name.lower().decode("latin-1") not in _OF_ONE_CONNECTION


async def body_of(request: Request) -> bytes:
    """Raises `TooLarge`."""
    body = bytearray()
    async for chunk in request.stream():
        # More is read, so that the client comes to read the answer, but not kept.
        if len(body) <= MOST_BYTES:
            body += chunk
    if len(body) > MOST_BYTES:
        raise TooLarge
    return bytes(body)


def outgoing(request: Request, url: str, content: bytes, **more: str) -> httpx.Request:
    """The same request to another address, with the headers that it came with and these."""
    # Not client.build_request, which would add headers of its own.
    sent = [
        (name, value)
        for name, value in request.headers.raw
        if passes(name) and name.lower() != CONTEXT.encode()
    ]
    sent += [(name.replace("_", "-").encode(), value.encode()) for name, value in more.items()]
    return httpx.Request(
        request.method, url, headers=sent, content=content, extensions={"timeout": _TIMEOUT.as_dict()}
    )


def answered(answer: httpx.Response) -> Response:
    """The answer, passed on as it comes. One that breaks off ends."""
    response = StreamingResponse(_content(answer), answer.status_code)
    response.raw_headers = [(name.lower(), value) for name, value in answer.headers.raw if passes(name)]
    return response


async def _content(answer: httpx.Response) -> AsyncGenerator[bytes]:
    try:
        async for chunk in answer.aiter_raw():
            yield chunk
    except httpx.TransportError:
        return
    finally:
        await answer.aclose()


def unavailable(detail: str) -> Response:
    answer = problem(503, "Try again soon", detail, "Unavailable")
    answer.headers["retry-after"] = "1"
    return answer


def throttled(detail: str) -> Response:
    """As API Gateway answers what is too much."""
    answer = problem(429, "Too many requests", detail, "Throttled")
    answer.headers["retry-after"] = "1"
    return answer


def problem(status: int, title: str, detail: str, kind: str) -> Response:
    """As API Gateway answers by itself: every page may read it, since it says nothing of anybody."""
    told = {"type": f"urn:freehold:{kind}", "title": title, "status": status, "detail": detail}
    headers = {
        "x-request-id": str(uuid4()),
        "access-control-allow-origin": "*",
        "access-control-expose-headers": "Retry-After,x-request-id",
    }
    return JSONResponse(told, status, headers, media_type="application/problem+json")
