"""One stack at one address: requests, retries, errors."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast
from urllib.parse import quote

import httpx

from .errors import (
    Conflict,
    FreeholdApiError,
    InvalidRequest,
    NotFound,
    Problem,
    ServerError,
    SessionBusy,
    Unauthorized,
    Unreachable,
)
from .reading import mappings, text

ATTEMPTS = 4
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 20.0
TRY_AGAIN = frozenset((429, 502, 503, 504))
NO_NAMES = frozenset(("", ".", ".."))
LOOPBACK = frozenset(("127.0.0.1", "localhost", "::1"))

Json = dict[str, Any]


class Connection:
    """Sends requests below `/v1` and turns every failure into a named error.

    What may safely be repeated is sent up to four times: after a lost connection, 429, 502, 503 and 504, with
    full jitter or as long as `Retry-After` asks, at most 20 seconds.
    """

    def __init__(
        self,
        url: str,
        key: str,
        transport: httpx.BaseTransport | None = None,
        timeout: float = 30.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        address = url.rstrip("/")
        self.url = address if address.endswith("/v1") else f"{address}/v1"
        self.timeout = timeout
        self._sleep = sleep
        self._http = httpx.Client(
            headers={"accept": "application/json", "authorization": f"Bearer {key}"},
            timeout=timeout,
            transport=transport,
            trust_env=httpx.URL(self.url).host not in LOOPBACK,  # a company's proxy cannot reach this machine
        )

    def close(self) -> None:
        self._http.close()

    def request(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
        *,
        query: Mapping[str, str | int | None] | None = None,
        idempotency_key: str | None = None,
        repeatable: bool = False,
        extra_seconds: float = 0.0,
    ) -> tuple[int, Json]:
        """Status and JSON of the answer. `extra_seconds` is how long the stack was asked to take over it."""
        request = self._http.build_request(
            method,
            f"{self.url}{path}",
            json=body,
            params={name: value for name, value in (query or {}).items() if value is not None},
            headers={"idempotency-key": idempotency_key} if idempotency_key else {},
            timeout=self.timeout + extra_seconds,
        )
        safe = repeatable or method in ("GET", "PUT") or idempotency_key is not None
        response = self._send(request, repeatable=safe)
        answer = _json(response)
        if response.is_success and answer is not None:
            return response.status_code, answer
        raise _error(response, answer)

    def put(self, url: str, content: bytes, headers: Mapping[str, str]) -> None:
        """Put it elsewhere, with these headers and no others: the key is for the stack alone."""
        timeout = {"timeout": httpx.Timeout(self.timeout).as_dict()}
        request = httpx.Request("PUT", url, content=content, headers=headers, extensions=timeout)
        response = self._send(request, repeatable=True)
        if not response.is_success:
            raise _error(response, None)

    def _send(self, request: httpx.Request, *, repeatable: bool) -> httpx.Response:
        for attempt in range(1, ATTEMPTS + 1):
            last = attempt == ATTEMPTS
            pause = random.uniform(0, FIRST_PAUSE_SECONDS * 2**attempt)  # noqa: S311 - spreads load, guards nothing
            try:
                response = self._http.send(request)
            except httpx.TransportError as error:
                never_sent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
                if last or not (repeatable or never_sent):
                    raise Unreachable(self.url, _reason(error)) from error
            else:
                again = response.status_code == 429 or (repeatable and response.status_code in TRY_AGAIN)
                if last or not again:
                    return response
                pause = _asked_pause(response) or pause
            self._sleep(pause)
        raise AssertionError("unreachable: the last attempt returns or raises")


def segment(name: str) -> str:
    """`name` as one part of a path, whatever it holds. Raises `InvalidRequest` for what would be another place.

    On the way to the stack, `.` and `..` are taken for places in the path, and an empty part may be left out.
    """
    if name in NO_NAMES:
        problem = Problem("id", f"is {name!r}; 1 to 100 characters are allowed, and neither '.' nor '..'")
        raise InvalidRequest(400, "The request is invalid", f"{problem}; nothing was sent", [problem])
    return quote(name, safe="")


def pages(
    connection: Connection, path: str, name: str, query: Mapping[str, str | int | None] | None = None
) -> Iterator[Mapping[str, Any]]:
    """Each entry of a paged list, page after page, read only as far as it is used."""
    token: str | None = None
    while True:
        _, page = connection.request("GET", path, query={**(query or {}), "nextToken": token})
        yield from mappings(page, name)
        following = text(page, "nextToken") or None
        if following is None or following == token:
            return
        token = following


def _json(response: httpx.Response) -> Json | None:
    """The answer's JSON object; empty where there is no content, None where there is something else."""
    if response.status_code == 204 or not response.content:
        return {}
    try:
        answer: Any = response.json()
    except ValueError:
        return None
    return cast("Json", answer) if isinstance(answer, dict) else None


def _error(response: httpx.Response, answer: Json | None) -> FreeholdApiError:
    status, request_id = response.status_code, response.headers.get("x-request-id")
    if answer is None:
        kind = response.headers.get("content-type", "no content type")
        answer = {
            "title": "Not a Freehold answer",
            "status": status,
            "detail": f"expected JSON, found {kind}",
        }
    title = text(answer, "title") or response.reason_phrase or "Error"
    detail = text(answer, "detail") or text(answer, "message") or text(answer, "Message")
    problems = [Problem(text(each, "path"), text(each, "message")) for each in mappings(answer, "problems")]
    wire = answer if "title" in answer else {"title": title, "status": status, "detail": detail}
    return _class_of(status, answer)(status, title, detail, problems, wire=wire, request_id=request_id)


def _class_of(status: int, answer: Json) -> type[FreeholdApiError]:
    if status in (401, 403):
        return Unauthorized
    if status == 404:
        return NotFound
    if status == 409:
        return SessionBusy if answer.get("runId") else Conflict
    if status in (400, 413, 422):
        return InvalidRequest
    return ServerError if status >= 500 else FreeholdApiError


def _reason(error: httpx.TransportError) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "it took too long"
    return str(error) or type(error).__name__


def _asked_pause(response: httpx.Response) -> float | None:
    """What `Retry-After` asks for in seconds, bounded; None where it is absent or a date."""
    asked = response.headers.get("retry-after", "")
    return min(float(asked), LONGEST_PAUSE_SECONDS) if asked.isascii() and asked.isdigit() else None
