"""Tools of MCP servers over streamable HTTP, by the official SDK. Each call has a session of its own."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, TypeVar, cast

import anyio
import httpx2
from mcp import Client, ClientSession, MCPError, types
from mcp.client.streamable_http import streamable_http_client

from .. import mcp_messages
from ..errors import FreeholdError, OutcomeUnknown, ToolFailed, ToolUnavailable
from ..values.agent import Server
from ..values.tool import Answer
from .egress import Pinned
from .http_exchange import LONGEST_ANSWER, public_certificates
from .mcp_wire import WhoAsks, Wire

MOST_LISTED = 512
MOST_PAGES = 64
MOST_LISTED_CHARACTERS = 1_000_000
# For taking leave of a server that has answered.
GOODBYE_SECONDS = 2.0
# JSON-RPC's words for: there is no such tool, or not with these arguments.
NOT_RUN = (types.METHOD_NOT_FOUND, types.INVALID_PARAMS)
# Said by the SDK, too, where it could not make out what a server answered.
AMBIGUOUS = (types.CONNECTION_CLOSED, types.REQUEST_TIMEOUT, types.PARSE_ERROR, types.INVALID_REQUEST)
OURSELVES = types.Implementation(name="freehold", version="1")
CHANGED = "its definition has changed since the agent was applied; apply the agent again"

T = TypeVar("T")
Act = Callable[[ClientSession, Wire], Awaitable[T]]


class McpClient:
    """`McpTools`, and `Listing`. `pinned` says where may be connected to, `tls` verifies who is there."""

    def __init__(
        self, pinned: Pinned, auth: WhoAsks, tls: Callable[[], ssl.SSLContext] = public_certificates
    ) -> None:
        self._pinned, self._auth, self._tls = pinned, auth, tls

    def tools(self, server: Server, *, tenant: str, timeout_seconds: float) -> list[dict[str, Any]]:
        """The definitions of all its tools. Raises `ToolThrottled`, `ToolUnavailable` or `ToolFailed`."""
        return self._converse(server, tenant, _listed, timeout_seconds)[0]

    def call(
        self,
        server: Server,
        name: str,
        pin: str,
        arguments: Mapping[str, Any],
        *,
        tenant: str,
        idempotency_key: str,
        timeout_seconds: float,
    ) -> Answer:
        async def act(session: ClientSession, wire: Wire) -> types.CallToolResult:
            found = [each for each in await _listed(session, wire) if each["name"] == name]
            if len(found) != 1 or mcp_messages.digest(found[0]) != pin:
                wire.refuse(ToolFailed(f"the tool {name} of {wire.host} is not called: {CHANGED}"))
            return await session.send_request(_call(name, arguments, idempotency_key), types.CallToolResult)

        result, wire = self._converse(server, tenant, act, timeout_seconds)
        answer = mcp_messages.read_answer(result.model_dump(by_alias=True, mode="json", exclude_none=True))
        return Answer(answer.ok, wire.redacted(answer.content))

    def _converse(self, server: Server, tenant: str, act: Act[T], seconds: float) -> tuple[T, Wire]:
        """What `act` comes to in a session of its own, all within `seconds`. Later trouble changes nothing."""
        deadline = time.monotonic() + seconds
        wire = Wire(server, tenant, self._pinned, self._auth, self._tls(), deadline=deadline)
        answers: list[T] = []
        trouble: Exception | None = None

        async def converse() -> None:
            with anyio.move_on_after(seconds) as scope:
                wire.stop = scope.cancel
                async with wire.client() as http:
                    way = streamable_http_client(
                        server.url, http_client=http, max_sse_event_size=LONGEST_ANSWER
                    )
                    async with Client(way, cache=None, client_info=OURSELVES) as client:
                        answers.append(await act(client.session, wire))
                        scope.deadline = min(scope.deadline, anyio.current_time() + GOODBYE_SECONDS)

        try:
            anyio.run(converse)
        except Exception as error:
            # Whatever a stranger's server makes of the SDK: what it means for the call is judged below.
            trouble = error
        if answers:
            return answers[0], wire
        raise _verdict(wire, trouble, seconds) from trouble


def _call(name: str, arguments: Mapping[str, Any], idempotency_key: str) -> types.CallToolRequest:
    meta: Any = {"freehold/idempotencyKey": idempotency_key}
    return types.CallToolRequest(
        params=types.CallToolRequestParams(name=name, arguments=dict(arguments), _meta=meta)
    )


async def _listed(session: ClientSession, wire: Wire) -> list[dict[str, Any]]:
    """Every page, as long as there are no more than an agent could be offered."""
    found: list[dict[str, Any]] = []
    cursor, size = None, 0
    for _ in range(MOST_PAGES):
        page = await session.list_tools(params=types.PaginatedRequestParams(cursor=cursor))
        for tool in page.tools:
            found.append(mcp_messages.definition(tool.model_dump(by_alias=True, mode="json")))
            text = json.dumps(found[-1], ensure_ascii=False)
            if wire.redacted(text) != text:
                wire.refuse(
                    ToolFailed(f"a tool of {wire.host} shows the credentials that its server was sent")
                )
            size += len(text)
        if len(found) > MOST_LISTED or size > MOST_LISTED_CHARACTERS:
            break
        if not (cursor := page.next_cursor):
            return found
    return wire.refuse(
        ToolFailed(
            f"the MCP server {wire.host} lists more tools than are read: at most {MOST_LISTED} on {MOST_PAGES} pages,"
            f" of {MOST_LISTED_CHARACTERS:,} characters in all"
        )
    )


def _verdict(wire: Wire, trouble: Exception | None, seconds: float) -> FreeholdError:
    """What it means for the call that there is no answer."""
    if wire.refusal:
        return wire.refusal
    leaves = list(_leaves(trouble)) if trouble else []
    said = next((leaf for leaf in leaves if isinstance(leaf, MCPError)), None)
    words = wire.redacted("; ".join(map(_words, leaves)))[:2000] or f"not within {seconds:g} s"
    if not wire.sent:
        told = f"the MCP server {wire.host} could not be asked"
        if 400 <= wire.status < 500:
            return ToolFailed(f"{told} (HTTP {wire.status})", words=words)
        return ToolUnavailable(told, words=words)
    if said and (said.code in NOT_RUN or (said.code not in AMBIGUOUS and wire.status < 500)):
        return ToolFailed(f"the MCP server {wire.host} refused the call ({said.code})", words=words)
    if any(isinstance(leaf, ValueError) for leaf in leaves):
        return ToolFailed(
            f"the MCP server {wire.host} answered with no result of a call, or asked for more input"
        )
    if 400 <= wire.status < 500:
        return ToolFailed(f"the MCP server {wire.host} refused the call (HTTP {wire.status})", words=words)
    return OutcomeUnknown(f"the answer of the MCP server {wire.host} was lost", words=words)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for each in cast("BaseExceptionGroup[BaseException]", error).exceptions:
            yield from _leaves(each)
    else:
        yield error


def _words(error: BaseException) -> str:
    """A server's own, or what went wrong on the way to it."""
    ours = isinstance(error, MCPError | httpx2.HTTPError)
    return str(error) if ours and str(error) else type(error).__name__
