"""States CompactHistory and SummarizeMemory."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from freehold import wiring
from freehold.observability import handler, observed
from freehold.summarizing import SummaryInvocation, summarize


@handler
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Sum up a conversation: `{run, step, attempt}`, where `step` is `compact` (its oldest part) or `memory`."""
    invocation = SummaryInvocation.of(event, context.get_remaining_time_in_millis())
    return {"done": summarize(invocation, observed(wiring.summaries()))}
