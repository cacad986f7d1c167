"""One run, taken step by step as the state machine would."""

from __future__ import annotations

from typing import Any

from model_server import ModelServer

from .aws import REQUESTS, answered
from .caller import TENANT
from .deployed import Deployed
from .lambdas import invoke
from .state_machine import output, payload


class Loop:
    """A deployment with one agent and a scripted model."""

    def __init__(self, product: Deployed, model: ModelServer) -> None:
        self.product, self.model = product, model

    def start(self, *replies: Any, **more: Any) -> dict[str, Any]:
        """A new run's state, as its execution is given it."""
        self.model.script(replies)
        run_id = self.product.start("go", **more)["runId"]
        (name,) = [name for name in self.product.started() if name.startswith(f"{run_id}-")]
        return {"run": {"tenant": TENANT, "id": run_id, "execution": int(name.rpartition("-")[2])}}

    def step(self, state: dict[str, Any], **more: Any) -> dict[str, Any]:
        """InvokeModel; what comes is the input of the next state."""
        return output("InvokeModel", state, invoke("invoke_model", payload("InvokeModel", state, **more)))

    def tool(self, state: dict[str, Any], call: int, answer: Any = None, **more: Any) -> Any:
        text = {"responseBody": {"TEXT": {"body": "found it"}}}
        function = {"actionGroup": "desk", "function": "look_up", "functionResponse": text}
        told = {"messageVersion": "1.0", "response": function} if answer is None else answer
        REQUESTS.tool_answer = told if hasattr(told, "status_code") else answered(200, told)
        given = {"run": state["run"], "lap": state["lap"], "call": call}
        return invoke("run_tool", payload("RunTool", given, **more))

    def finish(self, state: dict[str, Any]) -> Any:
        return invoke("finish_run", payload("FinishRun", state))

    def run(self, state: dict[str, Any]) -> dict[str, Any]:
        return self.product.admin.call("GET", f"/runs/{state['run']['id']}").body

    def calls(self, state: dict[str, Any]) -> list[dict[str, Any]]:
        path, query = f"/sessions/{self.run(state)['sessionId']}/items", {}
        items: list[dict[str, Any]] = []
        while True:
            page = self.product.admin.call("GET", path, query=query).body
            items += page["items"]
            if "nextToken" not in page:
                return [item for item in items if item["kind"] == "call"]
            query = {"nextToken": page["nextToken"]}
