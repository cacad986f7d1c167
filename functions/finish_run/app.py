"""States FinishRun, RunFailed, ContinueRun and ParkRun."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from freehold import wiring
from freehold.beginning import continue_run
from freehold.ending import Ending, finish_run
from freehold.observability import handler, observed
from freehold.state import run_of


@handler
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """End the run (`outcome` or `error`), hand it on (`step: continue`) or park it (`step: park`)."""
    key, execution = run_of(event)
    if event.get("step") == "continue":
        continue_run(key, execution, wiring.sessions(), wiring.executions(), now=wiring.now())
    elif event.get("step") == "park":
        # Few runs wait, so the others need not load it.
        from freehold.parking import park_run

        return {"step": park_run(key, execution, wiring.parking(observed(wiring.endings())))}
    else:
        finish_run(key, execution, Ending.of(event), observed(wiring.endings()))
    return {}
