"""Runs whose shape is given: so many laps of so many tools, with results of so many bytes."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from random import Random
from typing import Any, Literal

from freehold import compacting
from freehold_client import Run
from model_server import Reply, ask, say
from product_stack import Product, function

# Text as tools give it: JSON, a fifth of it quotes.
ROW_BYTES = 32
SMALLEST, LARGEST = 96, 8192
MINUTES = 60

Mode = Literal["durable", "fast"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What the model does in a run; the run's input says it, so that the model's answers need no memory.

    `result_bytes` is what each tool answers, None draws it between 96 bytes and 8 KB, evenly in its logarithm.
    """

    laps: int
    tools: int
    result_bytes: int | None = 1024
    tool: str = "echo"

    def reply(self, lap: int) -> Reply:
        """The model's answer after `lap` laps."""
        if lap >= self.laps:
            return say("That is all.")
        if self.tools == 0:
            # A call that is refused reaches no tool, and yet the model is asked again. The same one would end the run.
            return ask(("no_such_tool", {"lap": lap}))
        return ask(*((self.tool, self._arguments(lap, call)) for call in range(self.tools)))

    def _arguments(self, lap: int, call: int) -> dict[str, Any]:
        row = f'{{"id": "{lap:04d}-{call:02d}", "in": true}},'.ljust(ROW_BYTES)
        return {"note": row, "times": self._size(lap, call) // ROW_BYTES}

    def _size(self, lap: int, call: int) -> int:
        if self.result_bytes is not None:
            return self.result_bytes
        drawn = Random(f"{lap}-{call}").uniform(math.log(SMALLEST), math.log(LARGEST))
        return round(math.exp(drawn))


class Runner:
    """Makes runs of one agent that has the suite's tools. `mode` is its `executionMode`."""

    def __init__(self, product: Product, mode: Mode = "durable") -> None:
        self.product = product
        self.machine = "AgentLoop" if mode == "durable" else "AgentLoopFast"
        self._agent = product.agent(
            function("echo", idempotent=True),
            function("pay", idempotent=False),
            limits={"maxLaps": 1000, "maxConcurrentTools": 8, "timeoutSeconds": 60 * MINUTES},
            executionMode=mode,
        )
        product.model.script([], then=self._answer)

    def run(self, plan: Plan) -> Run:
        """Raises `AssertionError` where the run does not end as planned."""
        run = self.product.ask(self._agent, json.dumps(asdict(plan)))
        calls = plan.laps * max(1, plan.tools)
        ended = (run.status, run.laps, run.calls)
        assert ended == ("COMPLETED", plan.laps + 1, calls), f"{plan} ended as {ended}: {run.wire}"
        return run

    def _answer(self, request: dict[str, Any]) -> Reply:
        # Kept requests of a long run would take a gigabyte.
        self.product.model.requests.clear()
        system, *told = request["messages"]
        if system["content"] == compacting.INSTRUCTION:
            return say("Calls were made, and answered.")
        said = (message["content"] for message in told if message["role"] == "user")
        asked = next(text for text in said if text.startswith('{"laps"'))
        # The oldest laps may be compacted by now, so that the calls' own names have to tell.
        calls = [message["tool_call_id"] for message in told if message["role"] == "tool"]
        lap = int(calls[-1].split("-")[1].removeprefix("l")) if calls else 0
        return Plan(**json.JSONDecoder().raw_decode(asked)[0]).reply(lap)
