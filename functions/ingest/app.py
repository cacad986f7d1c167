"""Messages of queues, each of which asks for a run."""

from __future__ import annotations

from functools import partial
from typing import Any

from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    SqsFifoPartialProcessor,
    process_partial_response,  # pyright: ignore[reportUnknownVariableType]
)
from aws_lambda_powertools.utilities.typing import LambdaContext

from freehold import wiring
from freehold.arriving import arrive
from freehold.http.messages import read
from freehold.observability import handler, observed, reported
from freehold.wiring.arrivals import api_role, arriving

PLAIN = BatchProcessor(EventType.SQS)
# One that fails holds back those of its own group alone.
ORDERED = SqsFifoPartialProcessor(skip_group_on_error=True)
# All of a batch may come again without the function having failed.
PLAIN.raise_on_entire_batch_failure = ORDERED.raise_on_entire_batch_failure = False


@handler
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Begin the run that each message asks for; the answer names those that have to come again."""
    using = arriving(observed(wiring.endings()), read, context.get_remaining_time_in_millis)
    take = reported(partial(arrive, using=using), api_role=api_role())
    is_ordered = event["Records"][0]["eventSourceARN"].endswith(".fifo")
    return {**process_partial_response(event, take, ORDERED if is_ordered else PLAIN, context)}
