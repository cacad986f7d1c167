"""Queues that Lambda reads by itself, and schedules that write to them."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib import import_module
from typing import Any

from freehold_cli.local.patches.upstream import wrap


def read_concurrency_as_a_number() -> None:
    """A mapping's `MaximumConcurrency` may come from a parameter, so as a text.

    MiniStack compares it with a number, and the error stops all queues, of this mapping and of every other one.
    """

    def concurrency(original: Any, mapping: dict[str, Any], *rest: Any) -> int:
        scaling: dict[str, Any] = mapping.get("ScalingConfig") or {}
        numbers = {name: int(given) for name, given in scaling.items()}
        return original(mapping | {"ScalingConfig": numbers}, *rest)

    wrap(
        import_module("ministack.services.lambda_svc"),
        "_sqs_esm_concurrency",
        concurrency,
        reads=('limit = (esm.get("ScalingConfig") or {}).get("MaximumConcurrency")',),
    )


def tell_what_a_schedule_is_at() -> None:
    """In a schedule's input `<aws.scheduler.…>` stands for its time and its execution. MiniStack puts nothing in."""

    def invoke(original: Any, target: dict[str, Any], event: dict[str, Any], *rest: Any, **more: Any) -> Any:
        if event.get("Source") == "aws.scheduler":
            given: str = target.get("Input") or ""
            at = datetime.fromtimestamp(int(event["Time"]), UTC)
            told = {
                "scheduled-time": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "execution-id": event["EventId"],
                "attempt-number": "1",
                "schedule-arn": event["Resources"][0],
            }
            for name, value in told.items():
                given = given.replace(f"<aws.scheduler.{name}>", value)
            target = target | {"Input": given}
        return original(target, event, *rest, **more)

    bus = import_module("ministack.services.eventbridge")
    wrap(bus, "_invoke_target", invoke, reads=('target.get("Input")',))
