"""What a turn costs on AWS: what was counted on the local stack, at list prices."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bench.costs import Costs

TURNS = 1000
# The caller's request: API Gateway asks the authorizer, at most, and then the api.
REQUEST_INVOCATIONS = 2
MEGABYTES_OF_A_GIGABYTE = 1024
EXPRESS_STEP_MILLISECONDS = 100


@dataclass(frozen=True, slots=True)
class Part:
    """One row of a bill: how many a turn takes, and US dollars for 1,000 turns."""

    name: str
    number: float
    dollars: float


@dataclass(frozen=True, slots=True)
class Bill:
    """1,000 turns. `beside` is Lambda's duration, which follows from how long the model lets one wait."""

    mode: str
    parts: tuple[Part, ...]
    beside: Part

    @property
    def dollars(self) -> float:
        return sum(part.dollars for part in self.parts)


@cache
def prices() -> dict[str, Any]:
    return json.loads((Path(__file__).parent / "prices.json").read_text(encoding="utf-8"))


def bill(costs: Costs, mode: str, megabytes: Mapping[str, int]) -> Bill:
    """`megabytes` is the memory of each function of the loop."""
    loop = (
        _counted("Standard state transitions", costs.executions.transitions),
        _counted("DynamoDB write units", costs.units),
        _counted("DynamoDB read units", costs.read_units),
        _counted("Lambda requests", costs.executions.tasks + REQUEST_INVOCATIONS),
    )
    if mode == "fast":
        express = _counted("Express requests", costs.executions.count), _express_seconds(costs)
        loop = (*express, *loop[1:])
    return Bill(mode, loop, _lambda_seconds(costs, megabytes))


def _counted(name: str, number: float) -> Part:
    return Part(name, number, number * prices()["perMillion"][name] / 1_000_000 * TURNS)


def _express_seconds(costs: Costs) -> Part:
    """An execution is billed for as long as it runs, in steps of 100 ms of 64 MB each."""
    assumed = prices()["assumed"]
    steps = -(-round(_seconds_of_a_turn(costs) * 1000) // EXPRESS_STEP_MILLISECONDS)
    memory = assumed["expressMegabytes"] / MEGABYTES_OF_A_GIGABYTE
    gigabyte_seconds = steps * EXPRESS_STEP_MILLISECONDS / 1000 * memory
    return Part(
        "Express GB-seconds", gigabyte_seconds, gigabyte_seconds * prices()["perGbSecond"]["Express"] * TURNS
    )


def _seconds_of_a_turn(costs: Costs) -> float:
    assumed, laps = prices()["assumed"], costs.plan.laps
    waiting = (laps + 1) * assumed["secondsOfAModel"] + laps * assumed["secondsOfATool"]
    return waiting + costs.executions.tasks * assumed["secondsBeside"]


def _lambda_seconds(costs: Costs, megabytes: Mapping[str, int]) -> Part:
    assumed, laps = prices()["assumed"], costs.plan.laps
    beside = assumed["secondsBeside"]
    seconds = {
        "invoke_model": (laps + 1) * (assumed["secondsOfAModel"] + beside),
        "run_tool": laps * costs.plan.tools * (assumed["secondsOfATool"] + beside),
        "finish_run": beside,
    }
    used = sum(megabytes[name] / MEGABYTES_OF_A_GIGABYTE * spent for name, spent in seconds.items())
    return Part("Lambda GB-seconds", used, used * prices()["perGbSecond"]["Lambda arm64"] * TURNS)
