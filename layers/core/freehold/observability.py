"""Logs, metrics and traces behind one decorator, so that no handler knows which libraries make them."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from .values.run import Run, RunKey

Handler = Callable[[dict[str, Any], LambdaContext], Any]

SERVICE = os.environ.get("POWERTOOLS_SERVICE_NAME", "freehold")
logger = Logger(service=SERVICE)
metrics = Metrics(namespace="Freehold", service=SERVICE)
tracer = Tracer(service=SERVICE)


def handler(function: Handler) -> Handler:
    """Log with the run's id on every line, flush metrics, trace the invocation. Events are never logged."""

    def with_run(event: dict[str, Any], context: LambdaContext) -> Any:
        run: Any = event.get("run")
        if run:
            logger.append_keys(run_id=run["id"], tenant=run["tenant"], execution=run["execution"])
            tracer.put_annotation("run_id", run["id"])
        try:
            return function(event, context)
        finally:
            # Powertools' own decorator warns in the log of every invocation that counted nothing.
            if metrics.metric_set:
                metrics.flush_metrics()

    traced = tracer.capture_lambda_handler(with_run, capture_response=False, capture_error=False)
    return logger.inject_lambda_context(traced, clear_state=True)


def count_run(run: Run | None) -> None:
    """Add an ended run to the metrics, by its status. A repeated end counts again, as its event is published again."""
    if run is None or run.totals is None:
        return
    usage = run.totals.usage
    count(InputTokens=usage.input_tokens, OutputTokens=usage.output_tokens, Laps=run.totals.laps)
    count(**{f"Runs{run.status.title()}": 1})
    if run.totals.cost_usd is not None:
        metrics.add_metric(name="CostUsd", unit=MetricUnit.Count, value=float(run.totals.cost_usd))


def report_run(key: RunKey, error: Exception) -> None:
    """Log what kept a run from being tended, with its traceback."""
    logger.error("run could not be tended", run_id=key.run_id, tenant=key.tenant, exc_info=error)


def count(**figures: float) -> None:
    """Add counts to this invocation's metrics: `count(RunsRestarted=2)`."""
    for name, value in figures.items():
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)
