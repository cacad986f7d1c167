"""State RunTool."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from freehold import wiring
from freehold.observability import handler, observed
from freehold.tool_call import ToolInvocation, run_tool


@handler
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Make one call: `{run, lap, call, attempt}`. What came of it is in the table, so nothing is returned."""
    run_tool(ToolInvocation.of(event, context.get_remaining_time_in_millis()), observed(wiring.tools()))
    return {}
