"""What the agent loop's states send to their functions, worked out from the state machine itself."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonata import Jsonata

DEFINITION = Path(__file__).parents[2] / "statemachines" / "agent_loop.asl.yaml"
EXPRESSION = re.compile(r"\{%(.*)%\}", re.DOTALL)


@cache
def states() -> dict[str, Any]:
    outer = yaml.safe_load(DEFINITION.read_text())["States"]
    return outer | outer["RunTools"]["ItemProcessor"]["States"]


def payload(state: str, given: dict[str, Any], *, retries: int = 0) -> Any:
    """The event of the state's function for the state input `given`."""
    return _evaluated(states()[state]["Arguments"]["Payload"], {"input": given}, retries)


def called(state: str, given: dict[str, Any]) -> Any:
    """Which function is called, by the name of its substitution."""
    return _evaluated(states()[state]["Arguments"]["FunctionName"], {"input": given}, 0)


def items(given: dict[str, Any]) -> list[Any]:
    """The inputs that RunTools makes of its own, one for each call."""
    selector = states()["RunTools"]["ItemSelector"]
    return [_evaluated(selector, {"input": given}, 0, item=call) for call in given["calls"]]


def output(state: str, given: dict[str, Any], result: Any) -> Any:
    """The state's output where its function answered `result`."""
    return _evaluated(states()[state]["Output"], {"input": given, "result": {"Payload": result}}, 0)


def caught(state: str, given: dict[str, Any], error: str, cause: str) -> Any:
    """What a state's Catch hands on."""
    (catch,) = states()[state]["Catch"]
    told = {"input": given, "errorOutput": {"Error": error, "Cause": cause}}
    return catch["Next"], _evaluated(catch["Output"], told, 0)


def _evaluated(template: Any, told: dict[str, Any], retries: int, *, item: Any = None) -> Any:
    if isinstance(template, dict):
        return {name: _evaluated(value, told, retries, item=item) for name, value in template.items()}
    if isinstance(template, list):
        return [_evaluated(value, told, retries, item=item) for value in template]
    found = EXPRESSION.fullmatch(template) if isinstance(template, str) else None
    if found is None:
        return template
    expression = Jsonata(found[1])
    context = {"State": {"RetryCount": retries}, "Map": {"Item": {"Value": item}}}
    expression.assign("states", told | {"context": context})
    return expression.evaluate(None)
