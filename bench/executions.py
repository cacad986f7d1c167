"""What Step Functions' own history says about a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from product_stack import Product, eventually

DETAILS = "EventDetails"


@dataclass(frozen=True, slots=True)
class Executions:
    """A run's executions. `transitions` are what AWS bills: one for each state entered, retries included.

    `largest_payload` is the longest input or output of a state or a task, in bytes. `tasks` are the functions that
    were invoked.
    """

    count: int
    transitions: int
    largest_payload: int
    failures: int
    tasks: int = 0


def executions_of(product: Product, run_id: str, machine_name: str = "AgentLoop") -> Executions:
    """Of a run that has ended, once they have as well: a run ends before the last write of its execution."""
    arn = product.outputs[machine_name]
    machine = product.aws("stepfunctions")
    eventually(lambda: all(each["status"] != "RUNNING" for each in _all(machine, arn, run_id)))
    found = _all(machine, arn, run_id)
    events = [event for each in found for event in _events(machine, each["executionArn"])]
    types = Counter(event["type"] for event in events)
    return Executions(
        count=len(found),
        transitions=_transitions(types),
        largest_payload=max(len(text.encode()) for event in events for text in _payloads(event)),
        failures=types["TaskFailed"] + types["ExecutionFailed"],
        tasks=types["TaskScheduled"],
    )


def _all(machine: Any, arn: str, run_id: str) -> list[dict[str, Any]]:
    pages = machine.get_paginator("list_executions").paginate(stateMachineArn=arn)
    return [each for page in pages for each in page["executions"] if each["name"].startswith(f"{run_id}-")]


def _events(machine: Any, arn: str) -> Iterator[dict[str, Any]]:
    pages = machine.get_paginator("get_execution_history").paginate(executionArn=arn, maxResults=1000)
    return (event for page in pages for event in page["events"])


def _transitions(types: Counter[str]) -> int:
    """States entered.

    The local stack leaves out StateEntered inside a Map, but not TaskScheduled: of those there is one for each Task
    entered and one for each retry, at the top and inside. States of other types stand inside the Map only to catch
    failures, and a run with failures is not counted.
    """
    entered = sum(count for name, count in types.items() if name.endswith("StateEntered"))
    return entered - types["TaskStateEntered"] + types["TaskScheduled"]


def _payloads(event: dict[str, Any]) -> Iterator[str]:
    for name, details in event.items():
        if name.endswith(DETAILS):
            yield from (details[field] for field in ("input", "output") if field in details)
