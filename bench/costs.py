"""What a run cost, from its history and from the wire."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from bench.executions import Executions, executions_of
from bench.floor import Floor, floor_of
from bench.traffic import Read, Traffic, Write
from bench.workload import Plan, Runner

LAP = re.compile(r"#LAP#(\d+)#0$")


@dataclass(frozen=True, slots=True)
class Costs:
    """One run. `requests` counts write requests of one item each; those of begin and end are transactions."""

    plan: Plan
    executions: Executions
    writes: tuple[Write, ...]
    reads_of_last_lap: tuple[Read, ...]
    read_units: float = 0

    @property
    def bytes_written(self) -> int:
        return sum(write.size for write in self.writes)

    @property
    def units(self) -> int:
        """Write units of the table and of its indexes."""
        return sum(write.units + write.index_units for write in self.writes)

    @property
    def refused(self) -> int:
        """Writes whose condition failed. Billed, and none is expected here."""
        return sum(not write.accepted for write in self.writes)

    @property
    def results(self) -> int:
        """Calls that succeeded."""
        return sum(write.item.get("outcome", {}).get("S") == "success" for write in self.writes)

    @property
    def floor(self) -> Floor:
        return floor_of(self.writes)


def costs_of(runner: Runner, traffic: Traffic, plan: Plan) -> Costs:
    """Run `plan` and add up what it cost."""
    run = runner.run(plan)
    executions = executions_of(runner.product, run.run_id, runner.machine)
    seen = traffic.of(run.run_id)
    if traffic.not_counted:
        raise ValueError(f"requests that the bench cannot bill: {', '.join(sorted(traffic.not_counted))}")
    if executions.failures:
        raise ValueError(f"{executions.failures} tasks of {plan} failed, so its figures say little")
    writes = tuple(each for each in seen if isinstance(each, Write))
    there = {item["sk"] for item in runner.product.items_of(run.run_id)}
    if there != {write.sk for write in writes if write.sk.startswith("RUN#")}:
        raise ValueError(f"the table holds other items of run {run.run_id} than were seen on the wire")
    read_units = sum(each.units for each in seen if isinstance(each, Read))
    return Costs(plan, executions, writes, _reads_of_last_lap(seen, plan.laps), read_units)


def _reads_of_last_lap(seen: Sequence[Read | Write], laps: int) -> tuple[Read, ...]:
    """From after the write of the last lap but one with tools, up to the write of the last one."""
    numbers = {
        i: int(found[1])
        for i, each in enumerate(seen)
        if isinstance(each, Write) and (found := LAP.search(each.sk))
    }
    start, end = (next((i for i, number in numbers.items() if number == lap), 0) for lap in (laps - 1, laps))
    return tuple(each for each in seen[start:end] if isinstance(each, Read))


@dataclass(frozen=True, slots=True)
class PerLap:
    """What one more lap of `tools` tools costs, and what a run costs beside its laps."""

    tools: int
    transitions: float
    writes: float
    transitions_beside: float
    writes_beside: float


def per_lap(short: Costs, long: Costs) -> PerLap:
    """From two runs that differ in their number of laps alone."""
    laps = long.plan.laps - short.plan.laps
    transitions = (long.executions.transitions - short.executions.transitions) / laps
    writes = (len(long.writes) - len(short.writes)) / laps
    return PerLap(
        tools=short.plan.tools,
        transitions=transitions,
        writes=writes,
        transitions_beside=short.executions.transitions - transitions * short.plan.laps,
        writes_beside=len(short.writes) - writes * short.plan.laps,
    )


def growth_exponent(points: Sequence[tuple[int, int]]) -> float:
    """Slope of the straight line through the points' logarithms, by least squares."""
    xs, ys = ([math.log(point[axis]) for point in points] for axis in (0, 1))
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    above = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True))
    return above / sum((x - mean_x) ** 2 for x in xs)
