"""Logs, metrics and traces behind one package: no handler knows which libraries make them.

docs/observability.md lists what comes out.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

from .invocation import Telemetry
from .logs import for_others
from .observed import (
    ObservedHttpTools,
    ObservedMcpTools,
    ObservedModels,
    ObservedSessions,
    ObservedTools,
    ObservedWaits,
)

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from ..ending import EndCollaborators
    from ..summarizing import SummaryCollaborators
    from ..sweeping import Swept
    from ..tool_call import ToolCollaborators
    from ..turn import Collaborators
    from ..values.run import RunKey

    Using = TypeVar("Using", Collaborators, ToolCollaborators, EndCollaborators, SummaryCollaborators)
    Handler = Callable[[dict[str, Any], LambdaContext], Any]

__all__ = ["count_sweep", "handler", "logger", "observed", "report_run"]

telemetry = Telemetry(os.environ.get("POWERTOOLS_SERVICE_NAME", "freehold"))
logger = telemetry.logger

PORTS: dict[str, Any] = {
    "sessions": ObservedSessions,
    "waits": ObservedWaits,
    "models": ObservedModels,
    "tools": ObservedTools,
    "http": ObservedHttpTools,
    "mcp": ObservedMcpTools,
}


def handler(function: Handler) -> Handler:
    """Log, count and trace an invocation, with its run on every line. Events are never logged."""

    @wraps(function)
    def watched(event: dict[str, Any], context: LambdaContext) -> Any:
        run: Any = event.get("run")
        try:
            with telemetry.segment("handler"):
                if run:
                    telemetry.note(run_id=run["id"], tenant=run["tenant"], execution=run["execution"])
                return function(event, context)
        except Exception as error:
            if run:
                # The runtime's own line names no run.
                logger.exception("the step failed")
                # The runtime logs the message, and the state machine keeps it.
                raise for_others(error) from None
            raise
        finally:
            telemetry.flush()

    return logger.inject_lambda_context(watched, clear_state=True)


def observed(using: Using) -> Using:
    """The same collaborators, watched for one invocation."""
    found = {
        name: watch(getattr(using, name), telemetry) for name, watch in PORTS.items() if hasattr(using, name)
    }
    return replace(using, **found)


def count_sweep(swept: Swept, using: EndCollaborators) -> None:
    """Count what an observed sweep saw and did. What did not happen is not counted, for each metric costs."""
    seen = Counter[str](cast("ObservedSessions", using.sessions).statuses.values())
    gauges = {f"Runs{status.title()}": seen[status] for status in ("RUNNING", "QUEUED")}
    gauges["RunsAwaiting"] = swept.awaiting
    did = {
        "RunsRestarted": swept.restarted,
        "RunsLost": swept.lost,
        "RunsDelivered": swept.delivered,
        "RunsActivated": swept.activated,
        "RunsUntended": swept.failed,
    }
    for name, number in (gauges | {name: number for name, number in did.items() if number}).items():
        telemetry.count(name, number)


def report_run(key: RunKey, error: Exception) -> None:
    """Log what kept a run from being tended, with its traceback."""
    logger.error("run could not be tended", run_id=key.run_id, tenant=key.tenant, exc_info=error)
