"""Tools that are operations of an HTTP API: one attempt each, and an error name for what surely or perhaps happened."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC
from email.message import Message
from email.utils import parsedate_to_datetime
from typing import NoReturn
from urllib.parse import quote, unquote_plus, urljoin

from .. import web_address
from ..errors import ToolFailed, ToolThrottled, ToolUnavailable
from ..value import Value, replace
from ..values.agent import Server
from ..values.tool import HttpAnswer, HttpRequest
from .egress import LOOKUP_SECONDS, Pinned, places
from .http_exchange import Exchange, Incoming, Outgoing
from .tool_auth import Asked, Credentials, ToolAuth, redacted

MOST_REDIRECTS = 5
# What is kept of the tool's time for what follows a wait.
WAIT_MARGIN_SECONDS = 1.0
LONGEST_WORDS = 2_000
_ACCEPT = "application/json, text/plain;q=0.9, */*;q=0.8"
_REDIRECTS = (301, 302, 303, 307, 308)
_KEEPS_METHOD = (307, 308)
_SAFE = ("GET", "HEAD")
_WITH_BODY = ("POST", "PUT", "PATCH")


class Attempt(Value):
    """What stays the same from request to request of one call. `deadline` is by the exchange's clock."""

    server: Server
    tenant: str
    idempotency_key: str
    idempotent: bool
    deadline: float


class PinnedHttpTools:
    """`HttpTools`. `pinned` says where may be connected to; `wait` and `now` (epoch seconds) are for Retry-After."""

    def __init__(
        self,
        pinned: Pinned,
        auth: ToolAuth,
        exchange: Exchange,
        *,
        wait: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._pinned, self._auth, self._exchange = pinned, auth, exchange
        self._wait, self._now = wait, now

    def call(
        self,
        server: Server,
        request: HttpRequest,
        *,
        tenant: str,
        idempotency_key: str,
        idempotent: bool,
        timeout_seconds: float,
    ) -> HttpAnswer:
        deadline = self._exchange.clock() + timeout_seconds
        attempt = Attempt(server, tenant, idempotency_key, idempotent, deadline)
        answer, credentials = self._answered(url_of(server, request), request, attempt)
        text = redacted(_told(answer), credentials.secrets)
        if answer.status == 429:
            self._give_up(answer, attempt, text, ToolThrottled)
        if answer.status >= 500 and idempotent:
            self._give_up(answer, attempt, text, ToolUnavailable)
        return HttpAnswer(answer.status, text)

    def _answered(self, url: str, request: HttpRequest, attempt: Attempt) -> tuple[Incoming, Credentials]:
        """The last answer of a chain of redirects, none of which leaves the server."""
        renewed, redirects = False, 0
        while True:
            answer, credentials = self._sent(url, request, attempt)
            # What is not let in has not run.
            if answer.status == 401 and not renewed and self._auth.renew(attempt.server.auth, attempt.tenant):
                renewed = True
                continue
            following = _following(url, request, answer, idempotent=attempt.idempotent)
            if following is None:
                return answer, credentials
            url, request = following
            redirects += 1
            if redirects > MOST_REDIRECTS:
                raise ToolFailed(f"the server redirects more than {MOST_REDIRECTS} times")

    def _sent(self, url: str, request: HttpRequest, attempt: Attempt) -> tuple[Incoming, Credentials]:
        seconds = min(LOOKUP_SECONDS, attempt.deadline - self._exchange.clock())
        target = self._pinned(url, places(attempt.server), timeout_seconds=seconds)
        own = {"Idempotency-Key": attempt.idempotency_key}
        if request.content_type is not None and request.body is not None:
            own["Content-Type"] = request.content_type
        asked = Asked(request.method, url, own, request.body)
        credentials = self._auth.credentials(attempt.server, attempt.tenant, asked, deadline=attempt.deadline)
        outgoing = _outgoing(asked, request, credentials)
        return self._exchange.send(target, outgoing, deadline=attempt.deadline), credentials

    def _give_up(
        self,
        answer: Incoming,
        attempt: Attempt,
        text: str,
        error: type[ToolThrottled | ToolUnavailable],
    ) -> NoReturn:
        """For this attempt. The next one comes soon, so what the server wants to be waited for is waited for here."""
        seconds = retry_after(answer.headers.get("retry-after", ""), self._now())
        words = text[:LONGEST_WORDS]
        if seconds > attempt.deadline - self._exchange.clock() - WAIT_MARGIN_SECONDS:
            told = f"the server asks to be left alone for {seconds:,.0f} seconds (HTTP {answer.status})"
            raise ToolFailed(told, words=words)
        if seconds > 0:
            self._wait(seconds)
        raise error(f"the server answered HTTP {answer.status}", words=words)


def url_of(server: Server, request: HttpRequest) -> str:
    """Where the request goes: to a path under the server's. Raises `ToolFailed` for one that leads out of there."""
    steps = {step.partition(";")[0] for step in unquote_plus(request.path).replace("\\", "/").split("/")}
    if not request.path.startswith("/") or {".", ".."} & steps or set(request.path) & set("?#"):
        raise ToolFailed("the path of the request leads out of the server's own")
    query = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in request.query)
    return f"{server.url.rstrip('/')}{request.path}{'?' if query else ''}{query}"


def retry_after(value: str, now: float) -> float:
    """Seconds to wait, by a number or a date (RFC 9110, 10.2.3); 0 where nothing is said."""
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    # A date without a zone is one of UTC.
    return max(0.0, (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now)


def _outgoing(asked: Asked, request: HttpRequest, credentials: Credentials) -> Outgoing:
    """With credentials in the place of whatever else has their names, and nothing in the place of our own headers."""
    address = web_address.read(asked.url)
    names = {name for name, _ in credentials.query}
    parts = [
        part
        for part in address.query.split("&")
        if part and unquote_plus(part.partition("=")[0]) not in names
    ]
    parts += [f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in credentials.query]
    ours = [
        ("Host", address.authority),
        ("Accept", _ACCEPT),
        ("Accept-Encoding", "identity"),
        ("User-Agent", "freehold"),
        *asked.headers.items(),
        *credentials.headers,
    ]
    if asked.body is not None or asked.method in _WITH_BODY:
        ours.append(("Content-Length", str(len(asked.body or b""))))
    taken = {name.lower() for name, _ in ours}
    given = [(name, value) for name, value in request.headers if name.lower() not in taken]
    place = f"{address.path or '/'}{'?' if parts else ''}{'&'.join(parts)}"
    return Outgoing(asked.method, place, [*ours, *given], asked.body)


def _following(
    url: str, request: HttpRequest, answer: Incoming, *, idempotent: bool
) -> tuple[str, HttpRequest] | None:
    """Where a redirect leads and what is asked there; None where it is not one, or not one to follow."""
    location = answer.headers.get("location")
    if answer.status not in _REDIRECTS or not location:
        return None
    if answer.status not in _KEEPS_METHOD and request.method not in _SAFE:
        # It may have run, and what is asked next is another request.
        if not idempotent:
            return None
        if answer.status == 303 or request.method == "POST":
            request = replace(request, method="GET", body=None, content_type=None)
    try:
        onward = urljoin(url, location).partition("#")[0]
        here, there = web_address.read(url), web_address.read(onward)
    except ValueError:
        return None
    same = (here.scheme, here.place) == (there.scheme, there.place)
    return (onward, request) if same else None


def _told(answer: Incoming) -> str:
    """The body as text, and where a redirect that was not followed leads to."""
    text = _text(answer)
    location = answer.headers.get("location")
    if answer.status in _REDIRECTS and location:
        return f"redirects to {location}, which was not followed\n{text}".rstrip()
    return text


def _text(answer: Incoming) -> str:
    kind = Message()
    kind["content-type"] = answer.headers.get("content-type", "")
    charset = str(kind.get_content_charset("utf-8"))
    try:
        return answer.body.decode("utf-8-sig" if charset == "utf-8" else charset)
    except (LookupError, ValueError):
        return f"[{len(answer.body):,} bytes of {kind.get_content_type()}, which are no text]"
