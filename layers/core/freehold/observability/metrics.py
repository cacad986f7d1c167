"""Metrics by CloudWatch's embedded format: one line for each set of dimensions, at the end of an invocation.

Dimensions are bounded: `service`, and for what concerns a model its id in the catalog, or `other`. Whatever else is
known (the run, the agent, the tool, the model's own id) is a property of the same line, for Logs Insights.
"""

from __future__ import annotations

from aws_lambda_powertools.metrics import EphemeralMetrics

NAMESPACE = "Freehold"
# By `service` and `model`.
MODEL_METRICS = {
    "ModelLatency": "Milliseconds",
    "InputTokens": "Count",
    "OutputTokens": "Count",
    "CachedTokens": "Count",
    "CostUsd": "Count",
    "ModelThrottled": "Count",
    "ModelUnavailable": "Count",
    "ModelRejected": "Count",
    "ModelFallbacks": "Count",
}
# By `service` alone.
SERVICE_METRICS = {
    "ToolLatency": "Milliseconds",
    "ToolErrors": "Count",
    "ToolThrottles": "Count",
    "ToolUnavailable": "Count",
    "ToolOutcomesUnknown": "Count",
    "RunsCompleted": "Count",
    "RunsFailed": "Count",
    "RunsStopped": "Count",
    "RunsCancelled": "Count",
    "RunLatency": "Milliseconds",
    "RunsParked": "Count",
    "DecisionsMade": "Count",
    "DecisionsExpired": "Count",
    "DecisionsRefused": "Count",
    "MessagesRefused": "Count",
    "MessagesDropped": "Count",
    "CredentialsRefused": "Count",
    # Of the sweeper, each minute: how many there are …
    "RunsRunning": "Count",
    "RunsQueued": "Count",
    "RunsAwaiting": "Count",
    # … and, where there were any, how many it picked up.
    "RunsRestarted": "Count",
    "RunsLost": "Count",
    "RunsDelivered": "Count",
    "RunsActivated": "Count",
    "RunsUntended": "Count",
}


class Metrics:
    """What one invocation counts. `service` is the stack's name."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._sets: dict[str, EphemeralMetrics] = {}

    def count(self, name: str, value: float = 1, *, model: str = "") -> None:
        """Raises `KeyError` for a name that is not in the tables above."""
        unit = (MODEL_METRICS if model else SERVICE_METRICS)[name]
        if model not in self._sets:
            self._sets[model] = EphemeralMetrics(namespace=NAMESPACE, service=self._service)
            if model:
                self._sets[model].add_dimension("model", model)
        self._sets[model].add_metric(name, unit, value)

    def flush(self, properties: dict[str, str | int]) -> None:
        """Print what was counted, with `properties` beside it."""
        for metrics in self._sets.values():
            for name, value in properties.items():
                metrics.add_metadata(name, value)
            metrics.flush_metrics()
        self._sets.clear()
