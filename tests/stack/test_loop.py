"""The agent loop, whole: HTTP request to answer, through the real state machine and the real functions."""

from __future__ import annotations

import json
from threading import Event

import pytest

from model_server import ask, say
from product_stack import TENANT, Product, eventually, function

pytestmark = pytest.mark.stack


@pytest.mark.parametrize("mode", ["durable", "fast"])
def test_parallel_calls_run_in_the_map_and_the_model_sees_every_result(product: Product, mode: str):
    agent = product.agent(function("echo", idempotent=True), executionMode=mode)
    product.model.script([ask(*(("echo", {"note": f"n{i}"}) for i in range(5))), say("done")])

    run = product.ask(agent, "five at once")

    assert run.status == "COMPLETED"
    assert run.output == "done"
    told = [
        message["content"] for message in product.model.requests[-1]["messages"] if message["role"] == "tool"
    ]
    assert told == [f"n{i}" for i in range(5)]
    assert len(product.effects_of(run.run_id)) == 5


def test_an_execution_that_is_nearly_full_hands_the_run_to_the_next(product: Product):
    agent, hold, asked = product.agent(), Event(), len(product.model.requests)
    product.model.script([say("from the first", hold=hold), say("from the second")])
    started = product.api.runs.start(agent, "go")
    product.model.wait_for(asked + 1)

    # The same execution again, as it would stand after some hundred laps.
    state = {"run": {"tenant": TENANT, "id": started.run_id, "execution": 1}, "events": 19_990}
    machine, loop = product.aws("stepfunctions"), product.outputs["AgentLoop"]
    machine.start_execution(stateMachineArn=loop, name=f"{started.run_id}-worn", input=json.dumps(state))
    run = product.api.runs.wait(started.run_id)
    hold.set()

    def ended(execution: int) -> bool:
        arn = f"{loop.replace(':stateMachine:', ':execution:')}:{started.run_id}-{execution}"
        return machine.describe_execution(executionArn=arn)["status"] == "SUCCEEDED"

    assert (run.status, run.output) == ("COMPLETED", "from the second")
    assert eventually(lambda: ended(1) and ended(2))
