"""Every minute: pick up what fell between two steps."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from freehold import wiring
from freehold.observability import count_sweep, handler, observed, report_run
from freehold.sweeping import sweep
from freehold.value import asdict


@handler
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, int]:
    """Look at every open run once, and at conversations that may have ended; the answer counts what was done."""
    using = observed(wiring.endings())
    parking = wiring.parking(using)

    def is_late() -> bool:
        return context.get_remaining_time_in_millis() < wiring.SWEEP_MARGIN_MS

    swept = sweep(
        parking, wiring.erasing(using), patience_ms=wiring.patience_ms(), report=report_run, until=is_late
    )
    count_sweep(swept, using)
    return asdict(swept)
