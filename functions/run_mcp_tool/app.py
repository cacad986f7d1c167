"""State RunTool, for tools of MCP servers; and what these servers list when an agent is applied."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from freehold import mcp_listing, wiring
from freehold.observability import handler, observed
from freehold.tool_call import ToolInvocation, run_tool


@handler
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Make one call: `{run, lap, call, attempt}`. Or tell a server's tools: `{list: {url, auth, hosts, tenant, …}}`."""
    remaining_ms = context.get_remaining_time_in_millis()
    if "list" in event:
        return mcp_listing.answer(event, wiring.mcp_client(), remaining_ms=remaining_ms)
    run_tool(ToolInvocation.of(event, remaining_ms), observed(wiring.mcp_tools()))
    return {}
