"""State InvokeModel."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from freehold import wiring
from freehold.observability import handler, observed
from freehold.turn import Invocation, take_turn


@handler
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Decide what comes next in a run: `{run, failed, attempt, events}` to `{step, lap, calls, …}`."""
    invocation = Invocation.of(event, context.get_remaining_time_in_millis())
    return take_turn(invocation, observed(wiring.turn())).to_state()
