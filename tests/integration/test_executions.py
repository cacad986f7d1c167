"""Executions are started by name, so that the same start twice is one."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
from botocore.exceptions import EndpointConnectionError

from freehold.adapters.executions import StateMachines, StepFunctions
from freehold.errors import StoreUnavailable
from world import World

MACHINES = StateMachines("us-east-1", "123456789012", "aws", "durable", "fast")


class Machines:
    """Step Functions' client: a name that was used already is refused."""

    class exceptions:  # noqa: N801
        class ExecutionAlreadyExists(Exception):
            pass

    def __init__(self) -> None:
        self.started: dict[str, dict[str, Any]] = {}

    def start_execution(self, **given: Any) -> None:
        if given["name"] in self.started:
            raise self.exceptions.ExecutionAlreadyExists
        self.started[given["name"]] = given


def test_an_attempt_at_a_summary_has_a_name_of_its_own_and_the_run_s_input(world: World):
    client = Machines()
    executions = StepFunctions(cast(Any, client), MACHINES)
    run = world.ask()
    executions.start(run)

    first = world.sessions.try_summary(run, now=world.clock)
    executions.summarize(first)
    executions.summarize(first)
    executions.summarize(world.sessions.try_summary(first, now=world.clock))

    run_id = run.key.run_id
    assert list(client.started) == [f"{run_id}-1", f"{run_id}-s1", f"{run_id}-s2"]
    inputs = [json.loads(given["input"]) for given in client.started.values()]
    named = {"tenant": "acme", "id": run_id, "execution": 1}
    assert inputs == [{"run": named}, {"run": named | {"summary": 1}}, {"run": named | {"summary": 2}}]
    assert {given["stateMachineArn"].rpartition(":")[2] for given in client.started.values()} == {"durable"}


def test_a_summary_that_cannot_be_started_is_told(world: World):
    class Unreachable(Machines):
        def start_execution(self, **given: Any) -> None:
            raise EndpointConnectionError(endpoint_url="https://states.test")

    run = world.sessions.try_summary(world.ask(), now=world.clock)

    with pytest.raises(StoreUnavailable, match=f"{run.key.run_id}-s1"):
        StepFunctions(cast(Any, Unreachable()), MACHINES).summarize(run)
