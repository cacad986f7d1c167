"""Every minute: pick up what fell between two steps."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from freehold import wiring
from freehold.observability import count, handler, report_run
from freehold.sweeping import sweep


@handler
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, int]:
    """Look at every open run once; the answer counts what was done."""
    swept = asdict(sweep(wiring.endings(), patience_ms=wiring.patience_ms(), report=report_run))
    count(**{f"Sweep{name.title()}": number for name, number in swept.items()})
    return swept
