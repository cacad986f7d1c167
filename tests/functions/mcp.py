"""Agents whose tools are those of an MCP server, applied and run as deployed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mcp_server import McpServer

from .aws import REQUESTS, answered, aws
from .caller import TENANT
from .deployed import Deployed, desk
from .lambdas import environment, invoke


def agent(server: McpServer, name: str = "reader", **executor: Any) -> dict[str, Any]:
    given = {"url": server.url, "auth": {"type": "bearer", "secret": "docs"}} | executor
    group = {"actionGroupName": "docs", "actionGroupExecutor": {"mcp": given}}
    return desk() | {"agentName": name, "actionGroups": [group]}


@contextmanager
def serving(product: Deployed, **settings: str) -> Iterator[McpServer]:
    """An MCP server of this machine that the functions may ask; what the API asks of Lambda, ours does."""
    aws("secretsmanager").create_secret(Name=f"freehold/tools/{TENANT}/docs", SecretString="t-1")
    with McpServer() as server, environment(**{"TOOLS_MAY_USE_LOOPBACK": "true"} | settings):
        REQUESTS.tool_answer = lambda: answered(200, invoke("run_mcp_tool", REQUESTS.tool_events[-1]))
        yield server


def call(run_id: str, index: int = 0, *, attempt: int = 0) -> Any:
    run = {"tenant": TENANT, "id": run_id, "execution": 1}
    return invoke("run_mcp_tool", {"run": run, "lap": 1, "call": index, "attempt": attempt})
