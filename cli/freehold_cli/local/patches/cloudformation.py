"""Resources that CloudFormation makes."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from freehold_cli.local.patches.upstream import expect, wrap


def keep_time_to_live() -> None:
    """A table's `TimeToLiveSpecification` is applied on create and update. MiniStack drops it."""
    resources = import_module("ministack.services.cloudformation.provisioners")
    tables = import_module("ministack.services.dynamodb")

    def apply(name: str, properties: dict[str, Any]) -> None:
        wanted = properties.get("TimeToLiveSpecification")
        if wanted:
            enabled = str(wanted.get("Enabled")).lower() == "true"
            attribute = wanted.get("AttributeName", "")
            specification = {"Enabled": enabled, "AttributeName": attribute}
            tables._update_ttl({"TableName": name, "TimeToLiveSpecification": specification})

    def create(original: Any, logical_id: str, properties: dict[str, Any], stack: str) -> Any:
        name, attributes = original(logical_id, properties, stack)
        apply(name, properties)
        return name, attributes

    def update(
        original: Any, physical_id: str, old: Any, new: dict[str, Any], *names: Any, **ids: Any
    ) -> Any:
        answer = original(physical_id, old, new, *names, **ids)
        apply(answer[0], new)
        return answer

    handlers = resources._RESOURCE_HANDLERS["AWS::DynamoDB::Table"]
    for action, wrapper in (("create", create), ("update", update)):
        name = f"_ddb_{action}"
        expect(handlers[action] is getattr(resources, name), f"tables are no longer made by {name}")
        wrap(resources, name, wrapper, reads=("StreamSpecification",))
        handlers[action] = getattr(resources, name)


def accept_alarms_over_several_metrics() -> None:
    """An alarm that calculates is made, as one on the first metric it names. MiniStack fails the whole stack.

    Nothing here is measured as on AWS, so no alarm means anything.
    """
    resources = import_module("ministack.services.cloudformation.provisioners")

    def record(original: Any, name: str, properties: dict[str, Any]) -> Any:
        given: list[dict[str, Any]] = properties.get("Metrics") or []
        named = [entry["MetricStat"]["Metric"] for entry in given if "MetricStat" in entry]
        plain = {key: value for key, value in properties.items() if key != "Metrics"}
        if given:
            plain |= named[0] if named else {"Namespace": "-", "MetricName": given[0]["Id"]}
        return original(name, plain)

    wrap(resources, "_cw_metric_alarm_record", record, reads=("(metric math) is not supported",))
