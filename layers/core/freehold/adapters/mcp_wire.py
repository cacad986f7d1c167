"""HTTP to one MCP server: only where the way out leads, with credentials, bounded, and never sent elsewhere.

It knows what the SDK above it does not tell: whether the call went out, and what the server answered to it.
"""

from __future__ import annotations

import json
import logging
import ssl
import time
from collections.abc import AsyncIterator, Callable
from typing import NoReturn, Protocol, TypeVar, TypeVarTuple

import anyio.to_thread
import httpx2

from ..errors import FreeholdError, ToolFailed, ToolThrottled
from ..values.agent import Auth, Server
from .egress import LOOKUP_SECONDS, Pinned, places
from .http_exchange import CONNECT_SECONDS, LONGEST_ANSWER
from .tool_auth import Asked, Credentials, redacted

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
# What these log may be content: addresses, session ids, messages.
for name in ("client", "httpcore2", "httpx2", "mcp"):
    logging.getLogger(name).setLevel(logging.CRITICAL + 1)


class WhoAsks(Protocol):
    """As `ToolAuth`."""

    def credentials(self, server: Server, tenant: str, request: Asked, *, deadline: float) -> Credentials: ...

    def renew(self, auth: Auth | None, tenant: str) -> bool: ...


class Wire(httpx2.AsyncBaseTransport):
    """The transport of one session. `sent`: the call may have reached the server.

    `refusal` is why it ended the session, and `status` the last answer that a request got. From when the call is sent,
    both are about the call alone, whatever becomes of requests beside it. `deadline` is by `time.monotonic`.
    """

    def __init__(
        self,
        server: Server,
        tenant: str,
        pinned: Pinned,
        auth: WhoAsks,
        tls: ssl.SSLContext,
        *,
        deadline: float,
    ) -> None:
        self.host = httpx2.URL(server.url).host
        self.deadline = deadline
        self.sent = False
        self.refusal: FreeholdError | None = None
        self.status = 0
        self.stop: Callable[[], None] = lambda: None
        self._server, self._tenant, self._pinned, self._auth = server, tenant, pinned, auth
        self._addresses: list[str] = []
        self._secrets: set[str] = set()
        self._renewed = False
        self._inner = httpx2.AsyncHTTPTransport(verify=tls, trust_env=False)

    def client(self) -> httpx2.AsyncClient:
        """Time is bounded around the whole session, so no wait within it is, but for a connection."""
        return httpx2.AsyncClient(
            transport=self,
            trust_env=False,
            timeout=httpx2.Timeout(None, connect=CONNECT_SECONDS),
            headers={"accept-encoding": "identity", "user-agent": "freehold"},
        )

    def refuse(self, error: FreeholdError, *, is_call: bool = False) -> NoReturn:
        """End the session; the first reason counts. What a request beside the call comes to ends nothing."""
        if is_call or not self.sent:
            self.refusal = self.refusal or error
            self.stop()
        raise httpx2.RequestError(error.message)

    def redacted(self, text: str) -> str:
        """Without what the server was told in confidence."""
        return redacted(text, tuple(self._secrets))

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.method == "GET" and "last-event-id" not in request.headers:
            # Nobody listens to what a server says by itself.
            return httpx2.Response(405, request=request)
        is_call = _is_call(request.method, await request.aread())
        try:
            answer = await self._let_in(request, is_call)
            if request.method != "DELETE":
                await self._judge(answer, is_call)
        except httpx2.RequestError:
            if is_call or not self.sent:
                raise
            # The SDK would end the session, and the call's answer is yet to come.
            return httpx2.Response(503, request=request)
        return httpx2.Response(
            answer.status_code,
            headers=answer.headers,
            stream=Bounded(answer.stream, self, is_call),
            extensions=answer.extensions,
        )

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def _let_in(self, request: httpx2.Request, is_call: bool) -> httpx2.Response:
        """With other credentials, once a session, where the first ones are refused."""
        answer = await self._answered(request, is_call)
        if answer.status_code == 401 and not self._renewed:
            self._renewed = True
            # What is not let in has not run.
            if await _aside(self._auth.renew, self._server.auth, self._tenant):
                await answer.aclose()
                answer = await self._answered(request, is_call)
        return answer

    async def _answered(self, request: httpx2.Request, is_call: bool) -> httpx2.Response:
        """By the first of the server's addresses that takes a connection."""
        await self._prepare(request, is_call)
        while True:
            if is_call:
                if self.refusal:
                    # It may let the call be made again, so this one must not go out.
                    raise httpx2.RequestError(self.refusal.message)
                self.sent, self.status = True, 0
            try:
                return await self._inner.handle_async_request(self._to(self._addresses[0], request))
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                self.sent = self.sent and not is_call
                if len(self._addresses) == 1:
                    raise
                self._addresses.pop(0)

    def _to(self, address: str, request: httpx2.Request) -> httpx2.Request:
        """The name is not looked up again; TLS verifies it all the same."""
        return httpx2.Request(
            request.method,
            request.url.copy_with(host=address),
            headers=request.headers,
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": self.host},
        )

    async def _prepare(self, request: httpx2.Request, is_call: bool) -> None:
        asked = Asked(request.method, str(request.url), {}, request.content)
        try:
            if not self._addresses:
                self._addresses = list(await _aside(self._look_up))
            given = await _aside(self._credentials, asked)
        except FreeholdError as error:
            self.refuse(error, is_call=is_call)
        self._secrets |= set(given.secrets)
        request.headers.update(given.headers)

    def _look_up(self) -> tuple[str, ...]:
        seconds = min(LOOKUP_SECONDS, self.deadline - time.monotonic())
        return self._pinned(self._server.url, places(self._server), timeout_seconds=seconds).addresses

    def _credentials(self, asked: Asked) -> Credentials:
        return self._auth.credentials(self._server, self._tenant, asked, deadline=self.deadline)

    async def _judge(self, answer: httpx2.Response, is_call: bool) -> None:
        """What the SDK would tell in no words, or go along with."""
        if is_call or not self.sent:
            self.status = answer.status_code
        told: FreeholdError | None = None
        if answer.status_code in (401, 403):
            told = ToolFailed(f"the MCP server {self.host} refuses who asks (HTTP {answer.status_code})")
        elif answer.status_code == 429:
            told = ToolThrottled(f"the MCP server {self.host} is throttled (HTTP 429)")
        elif 300 <= answer.status_code < 400:
            told = ToolFailed(
                f"the MCP server {self.host} sends elsewhere (HTTP {answer.status_code}); redirects are not followed"
            )
        elif answer.headers.get("content-encoding", "identity") != "identity":
            told = ToolFailed(f"the MCP server {self.host} answers compressed, which nobody asked for")
        if told:
            await answer.aclose()
            self.refuse(told, is_call=is_call)


class Bounded(httpx2.AsyncByteStream):
    """The body of an answer, as long as it is no longer than an answer may be."""

    def __init__(self, stream: object, wire: Wire, is_call: bool) -> None:
        assert isinstance(stream, httpx2.AsyncByteStream)
        self._stream, self._wire, self._is_call = stream, wire, is_call

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for part in self._stream:
            size += len(part)
            if size > LONGEST_ANSWER:
                told = f"the MCP server {self._wire.host} answered more than {LONGEST_ANSWER:,} bytes"
                self._wire.refuse(ToolFailed(told), is_call=self._is_call)
            yield part

    async def aclose(self) -> None:
        await self._stream.aclose()


def _is_call(method: str, body: bytes) -> bool:
    """Whether it asks for the call itself, and is none of what the SDK sends while that runs."""
    return method == "POST" and json.loads(body).get("method") == "tools/call"


async def _aside(act: Callable[[*Ts], T], *given: *Ts) -> T:
    """In a thread, for what blocks; the deadline does not wait for it."""
    return await anyio.to_thread.run_sync(act, *given, abandon_on_cancel=True)
