"""The agent loop, whole: HTTP request to answer, through the real state machine and the real functions."""

from __future__ import annotations

import pytest

from model_server import ask, say
from product_stack import Product, function

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
