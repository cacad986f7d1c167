"""A real MCP server of the official SDK on 127.0.0.1. Tests change its tools and look at what it was asked."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, fields
from typing import Any

import uvicorn
from mcp import types
from mcp.server.lowlevel import Server
from mcp.server.transport_security import TransportSecuritySettings
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}


def tool(name: str = "echo", **changes: Any) -> dict[str, Any]:
    return {"name": name, "description": f"{name} a text", "inputSchema": SCHEMA} | changes


def text(*parts: str, **more: Any) -> dict[str, Any]:
    """A result of `tools/call`."""
    return {"content": [{"type": "text", "text": part} for part in parts], **more}


@dataclass
class Heard:
    """One HTTP request. `body` is the JSON-RPC message."""

    method: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def says(self) -> str:
        return str(self.body.get("method", ""))


@dataclass
class McpServer:
    """`answer` makes the result of a call; `instead` may answer an HTTP request in the SDK's place."""

    tools: list[dict[str, Any]] = field(default_factory=lambda: [tool()])
    answer: Callable[[str, dict[str, Any]], dict[str, Any]] = lambda _, given: text(
        f"you said {given['text']}"
    )
    instead: Callable[[Heard], Response | None] = lambda _: None
    heard: list[Heard] = field(default_factory=list)
    page: int = 100

    def __post_init__(self) -> None:
        self._times = 1

    def __enter__(self) -> McpServer:
        application = self._watched(
            self._server().streamable_http_app(
                streamable_http_path="/mcp",
                transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
            )
        )
        # Its own signal handlers would be the test process's.
        config = uvicorn.Config(application, log_config=None, lifespan="on", timeout_graceful_shutdown=1)
        self._uvicorn = uvicorn.Server(config)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(
            target=self._uvicorn.run, kwargs={"sockets": [self._socket]}, daemon=True
        )
        self._thread.start()
        until = time.monotonic() + 20
        while not self._uvicorn.started:
            assert time.monotonic() < until, "the MCP server does not start"
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self._uvicorn.should_exit = True
        self._thread.join(20)
        self._socket.close()

    def begin_anew(self) -> None:
        """As if it had just been started, at an address of its own: what is still on its way is not heard."""
        fresh = McpServer()
        for each in fields(self):
            setattr(self, each.name, getattr(fresh, each.name))
        self._times += 1

    def close(self) -> None:
        """Take no more connections, within an answer; those that are open remain."""
        for each in self._uvicorn.servers:
            each.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}{self._prefix}/mcp"

    @property
    def _prefix(self) -> str:
        return f"/{self._times}"

    @property
    def calls(self) -> list[dict[str, Any]]:
        """The parameters of each `tools/call` that arrived."""
        return [each.body["params"] for each in self.heard if each.says == "tools/call"]

    def _server(self) -> Server[Any]:
        async def list_tools(_: Any, given: types.PaginatedRequestParams | None) -> types.ListToolsResult:
            start = int((given and given.cursor) or 0)
            end = start + self.page
            return types.ListToolsResult.model_validate(
                {
                    "tools": self.tools[start:end],
                    "nextCursor": str(end) if end < len(self.tools) else None,
                    "ttlMs": 0,
                    "cacheScope": "private",
                }
            )

        async def call_tool(_: Any, given: types.CallToolRequestParams) -> types.CallToolResult:
            return types.CallToolResult.model_validate(self.answer(given.name, given.arguments or {}))

        return Server("suite", on_list_tools=list_tools, on_call_tool=call_tool)

    def _watched(self, application: ASGIApp) -> ASGIApp:
        async def watch(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await application(scope, receive, send)
                return
            if not scope["path"].startswith(f"{self._prefix}/"):
                await Response(status_code=404)(scope, receive, send)
                return
            scope["path"] = scope["path"].removeprefix(self._prefix)
            body = await Request(scope, receive).body()
            heard = Heard(
                scope["method"],
                {name.decode(): value.decode() for name, value in scope["headers"]},
                json.loads(body) if body else {},
            )
            self.heard.append(heard)

            unread = [{"type": "http.request", "body": body, "more_body": False}]

            async def again() -> Any:
                return unread.pop() if unread else await receive()

            instead = self.instead(heard)
            if instead is not None:
                await instead(scope, receive, send)
            else:
                await application(scope, again, send)

        return watch


def refused_port() -> int:
    """A port of this machine at which nobody listens."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        return listener.getsockname()[1]
