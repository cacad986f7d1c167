"""Logs, metrics and traces behind one package: no handler knows which libraries make them.

docs/observability.md lists what comes out.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

from ..errors import FreeholdError
from ..value import replace
from .invocation import Telemetry
from .logs import for_others
from .observed import (
    ObservedHttpTools,
    ObservedMcpTools,
    ObservedSessions,
    ObservedTools,
    ObservedWaits,
)
from .observed_models import ObservedLiveTexts, ObservedModels

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from ..arriving import Outcome
    from ..ending import EndCollaborators
    from ..summarizing import SummaryCollaborators
    from ..sweeping import Swept
    from ..tool_call import ToolCollaborators
    from ..turn import Collaborators
    from ..values.arrival import Arrival
    from ..values.run import RunKey

    Using = TypeVar("Using", Collaborators, ToolCollaborators, EndCollaborators, SummaryCollaborators)
    Handler = Callable[[dict[str, Any], LambdaContext], Any]

__all__ = ["count_sweep", "counted", "handler", "logger", "observed", "report_run", "reported"]

telemetry = Telemetry(os.environ.get("POWERTOOLS_SERVICE_NAME", "freehold"))
logger = telemetry.logger

PORTS: dict[str, Any] = {
    "sessions": ObservedSessions,
    "waits": ObservedWaits,
    "models": ObservedModels,
    "live": ObservedLiveTexts,
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


@contextmanager
def counted(error: type[Exception], name: str) -> Generator[None]:
    """Count an error of this class on its way through."""
    try:
        yield
    except error:
        telemetry.count(name)
        raise


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


def reported(
    arrive: Callable[[Arrival], Outcome], *, api_role: str | None = None
) -> Callable[[SQSRecord], None]:
    """Log whose each message was, who asked by it and what became of it, and count it where that is no run.

    `api_role` is the id of the role that puts messages back. Why one could not be taken is content, which stands beside
    it among the dead letters.
    """
    from ..values.arrival import Arrival

    def take(record: SQSRecord) -> None:
        message = Arrival.of(record.raw_event, api_role=api_role)
        told: dict[str, object] = {"queue": message.queue_name, "message_id": message.id}
        if message.redriven_by:
            told |= {"redriven_by": message.redriven_by}
        try:
            outcome = arrive(message)
        except Exception:
            logger.exception("message has to come again", extra=told)
            raise
        asked_by = outcome.principal
        told |= {"tenant": outcome.tenant, "principal": asked_by.name if asked_by else None}
        if outcome.run is not None:
            logger.info("message taken", extra=told | {"run_id": outcome.run.key.run_id})
        elif outcome.error is None:
            telemetry.count("MessagesDropped")
            logger.info("message is for nobody", extra=told | {"reason": outcome.why})
        else:
            telemetry.count("MessagesRefused")
            defect = None if isinstance(outcome.error, FreeholdError) else outcome.error
            logger.error(
                "message refused", extra=told | {"error": type(outcome.error).__name__}, exc_info=defect
            )

    return take
