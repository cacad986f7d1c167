"""Which tools an MCP server has, asked when an agent is applied.

Another function asks than the one that applies agents, since it alone carries the client. So question and answer travel
as JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import ceil
from typing import Any, Protocol

from .errors import FreeholdError, Invalid, OutcomeUnknown, ToolFailed, ToolThrottled, ToolUnavailable
from .ports import Tools
from .value import asdict
from .values.agent import Auth, Server

# Whoever applies an agent waits for it, for half a minute at most: for one server, and for all that the agent names.
SECONDS_EACH, SECONDS_IN_ALL = 10, 18
# What is kept of the function's own time for answering.
MARGIN_SECONDS = 2
FAILURES = (OutcomeUnknown, ToolFailed, ToolThrottled, ToolUnavailable)


class Client(Protocol):
    """Of MCP servers."""

    def tools(self, server: Server, *, tenant: str, timeout_seconds: float) -> Sequence[Mapping[str, Any]]:
        """Raises `ToolThrottled`, `ToolUnavailable` or `ToolFailed`."""
        ...


class Listings:
    """What the servers of one agent say, by way of the `function` that may ask them. `clock` gives seconds."""

    def __init__(self, tools: Tools, function: str, tenant: str, clock: Callable[[], float]) -> None:
        self._tools, self._function, self._tenant, self._clock = tools, function, tenant, clock
        self._until = clock() + SECONDS_IN_ALL

    def tools(self, server: Server) -> Sequence[Mapping[str, Any]]:
        """Raises `Invalid` where the server does not tell."""
        seconds = min(SECONDS_EACH, self._until - self._clock())
        if seconds < 1:
            raise _untold(f"all servers of an agent have {SECONDS_IN_ALL} s together, and they are over")
        auth = server.auth and asdict(server.auth)
        question = {
            "list": asdict(server) | {"auth": auth, "tenant": self._tenant, "timeout_seconds": seconds}
        }
        try:
            told = self._tools.invoke(self._function, question, timeout_seconds=ceil(seconds))
        except FAILURES as error:
            raise _untold(error.message) from error
        if "error" in told:
            raise _untold(told["error"]["message"])
        return told["tools"]


def answer(event: Mapping[str, Any], using: Client, *, remaining_ms: int) -> dict[str, Any]:
    """`{tools}`, or `{error: {type, message}}`: what is wrong with a server is no failure of the function."""
    asked = event["list"]
    server = Server(asked["url"], _auth(asked["auth"]), tuple(asked["hosts"]))
    seconds = min(asked["timeout_seconds"], remaining_ms / 1000 - MARGIN_SECONDS)
    try:
        return {"tools": list(using.tools(server, tenant=asked["tenant"], timeout_seconds=seconds))}
    except FAILURES as error:
        return {"error": _told(error)}


def _told(error: FreeholdError) -> dict[str, str]:
    return {"type": type(error).__name__, "message": str(error)}


def _untold(why: str) -> Invalid:
    return Invalid(f"leads to a server that does not tell its tools: {why}")


def _auth(given: Mapping[str, Any] | None) -> Auth | None:
    if given is None:
        return None
    told: dict[str, Any] = {**given, "scopes": tuple(given["scopes"])}
    return Auth(**told)
