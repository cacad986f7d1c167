"""One stack at one address: requests, retries, errors."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast
from urllib.parse import quote

import httpx

from .credential import BY_AWS, Credential
from .errors import (
    Conflict,
    FreeholdApiError,
    InvalidRequest,
    NotFound,
    PreconditionFailed,
    Problem,
    ServerError,
    SessionBusy,
    Unauthorized,
    Unreachable,
)
from .headers import sendable
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

    What may safely be repeated is sent up to four times: after a lost connection, 429, 502, 503, 504 and any other 5xx
    that has `Retry-After`, with full jitter or as long as that asks, at most 20 seconds. While the first of them is
    still at work, it is sent again for as long as one request may take.
    """

    def __init__(
        self,
        url: str,
        key: str | Callable[[], str],
        transport: httpx.BaseTransport | None = None,
        timeout: float = 30.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        address = url.strip().rstrip("/")
        self.url = address if address.endswith("/v1") else f"{address}/v1"
        self.timeout = timeout
        self.credential = Credential(key)
        self._sleep = sleep
        self._http = httpx.Client(
            headers={"accept": "application/json"},
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
            headers=sendable({"idempotency-key": idempotency_key} if idempotency_key else {}),
            timeout=self.timeout + extra_seconds,
        )
        safe = repeatable or method in ("GET", "PUT") or bool(idempotency_key)
        response, answer = self._answered(request, repeatable=safe)
        return response.status_code, answer

    def tagged(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        precondition: Mapping[str, str] | None = None,
    ) -> tuple[str, Json]:
        """ETag and JSON of the answer.

        What rests on a precondition is not repeated: where the first request did it, the second would fail.
        """
        headers = sendable(precondition or {})
        request = self._http.build_request(method, f"{self.url}{path}", json=body, headers=headers)
        response, answer = self._answered(request, repeatable=method != "DELETE" and not precondition)
        return response.headers.get("etag", ""), answer

    def _answered(self, request: httpx.Request, *, repeatable: bool) -> tuple[httpx.Response, Json]:
        response = self._send_as_us(request, repeatable=repeatable)
        return response, _told(response)

    def signed(
        self, path: str, body: bytes, sign: Callable[[str, bytes], Mapping[str, str]]
    ) -> Mapping[str, Any]:
        """JSON of the answer to a POST that comes with a signature in place of a credential; it may be repeated."""
        url = f"{self.url}{path}"
        headers = sendable({"content-type": "application/json", **sign(url, body)})
        request = self._http.build_request("POST", url, content=body, headers=headers)
        return _told(self._send(request, repeatable=True))

    @contextmanager
    def opened(self, path: str, headers: Mapping[str, str], *, silence: float) -> Generator[httpx.Response]:
        """The answer to one GET, whatever it says, to be read as it comes; nothing is sent again.

        Raises `httpx.TransportError`, also where nothing comes for `silence` seconds.
        """
        timeout = httpx.Timeout(self.timeout, read=silence)
        headers = {**sendable(headers), "accept": "text/event-stream", **self.credential.header()}
        request = self._http.build_request("GET", f"{self.url}{path}", headers=headers, timeout=timeout)
        response = self._sent(request, stream=True)
        try:
            if response.status_code == 401 and self.credential.forget():
                response.close()
                request.headers.update(self.credential.header())
                response = self._sent(request, stream=True)
            yield response
        finally:
            response.close()

    def refusal(self, response: httpx.Response) -> tuple[FreeholdApiError, float | None]:
        """What an answer that is no success means, and how long it asks to wait."""
        response.read()
        return _error(response, _json(response)), _asked_pause(response)

    def put(self, url: str, content: bytes, headers: Mapping[str, str]) -> None:
        """Put it elsewhere, with these headers and no others: the key is for the stack alone."""
        timeout = {"timeout": httpx.Timeout(self.timeout).as_dict()}
        request = httpx.Request("PUT", url, content=content, headers=headers, extensions=timeout)
        response = self._send(request, repeatable=True)
        if not response.is_success:
            raise _error(response, None)

    def _send_as_us(self, request: httpx.Request, *, repeatable: bool) -> httpx.Response:
        """With a credential, and once more with another where the stack does not accept it and there may be one."""
        request.headers.update(self.credential.header())
        response = self._send(request, repeatable=repeatable)
        if response.status_code != 401 or not self.credential.forget():
            return response
        request.headers.update(self.credential.header())
        return self._send(request, repeatable=repeatable)

    def _send(self, request: httpx.Request, *, repeatable: bool) -> httpx.Response:
        attempt, waited = 1, 0.0
        patience = request.extensions["timeout"]["read"]
        while True:
            last = attempt == ATTEMPTS
            pause = jittered(FIRST_PAUSE_SECONDS * 2**attempt)
            try:
                response = self._sent(request)
            except httpx.TransportError as error:
                never_sent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
                if last or not (repeatable or never_sent):
                    raise Unreachable(self.url, _reason(error)) from error
            else:
                pause = _asked_pause(response) or pause
                if repeatable and _is_at_work(response):
                    if waited >= patience:
                        return response
                    waited += pause
                    # It takes as long as it takes, and is no failure.
                    attempt -= 1
                elif last or not (response.status_code == 429 or (repeatable and may_succeed(response))):
                    return response
            attempt += 1
            self._sleep(pause)

    def _sent(self, request: httpx.Request, *, stream: bool = False) -> httpx.Response:
        try:
            return self._http.send(request, stream=stream)
        except httpx.LocalProtocolError:  # never the stack's fault, and its text may quote a credential
            raise InvalidRequest.unsent("", "the request cannot be sent as it is") from None


def jittered(seconds: float) -> float:
    """A pause of up to so many seconds, so that those who were cut off together do not come back together."""
    return random.uniform(0, seconds)  # noqa: S311 - spreads load, guards nothing


def segment(name: str) -> str:
    """`name` as one part of a path, whatever it holds. Raises `InvalidRequest` for what would be another place.

    On the way to the stack, `.` and `..` are taken for places in the path, and an empty part may be left out.
    """
    if name in NO_NAMES:
        told = f"is {name!r}; 1 to 100 characters are allowed, and neither '.' nor '..'"
        raise InvalidRequest.unsent("id", told)
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


def _told(response: httpx.Response) -> Json:
    """What an answer says, or the error that it is."""
    answer = _json(response)
    if response.is_success and answer is not None:
        return answer
    raise _error(response, answer)


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
    error = _class_of(status, answer)(status, title, detail, problems, wire=wire, request_id=request_id)
    if isinstance(error, Unauthorized):
        error.by_aws = response.request.headers.get("authorization", "").startswith(BY_AWS)
    return error


def _class_of(status: int, answer: Json) -> type[FreeholdApiError]:
    if status in (401, 403):
        return Unauthorized
    if status == 404:
        return NotFound
    if status == 409:
        return SessionBusy if answer.get("runId") else Conflict
    if status == 412:
        return PreconditionFailed
    if status in (400, 413, 422):
        return InvalidRequest
    return ServerError if status >= 500 else FreeholdApiError


def may_succeed(response: httpx.Response) -> bool:
    """Whether a failure of the stack may be over a little later."""
    status = response.status_code
    return status in TRY_AGAIN or (status >= 500 and "retry-after" in response.headers)


def _is_at_work(response: httpx.Response) -> bool:
    """A conflict that names a time is one with the first of our own requests."""
    return response.status_code == 409 and "retry-after" in response.headers


def _reason(error: httpx.TransportError) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "it took too long"
    return str(error) or type(error).__name__


def _asked_pause(response: httpx.Response) -> float | None:
    """What `Retry-After` asks for in seconds, bounded; None where it is absent or a date."""
    asked = response.headers.get("retry-after", "")
    return min(float(asked), LONGEST_PAUSE_SECONDS) if asked.isascii() and asked.isdigit() else None
