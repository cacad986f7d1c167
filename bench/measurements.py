"""Make every run that the figures need, on one local stack."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bench.costs import Costs, PerLap, costs_of, per_lap
from bench.loading import Loadings, loadings
from bench.make_run import second_make_run
from bench.tap import tapped
from bench.traffic import Traffic
from bench.turns import Bill, bill
from bench.workers import memory_of, peak_megabytes
from bench.workload import Plan, Runner
from freehold_cli.local.stack import LocalStack
from freehold_client import Run
from product_stack import ROOT, Product, running_product

Progress = Callable[[str], None]

MOST_TOOLS, MOST_CALLS = 8, 90
FEW_LAPS, MORE_LAPS = 2, 6
GROWTH = (10, 20, 50, 100, 200)
MIXED_TOOLS = 3
SHORT = 20
# Its bare text fits into a write unit and its item does not.
UNLUCKY_BYTES = 896
WARM_LAPS = 40
# Three laps with one tool each, and the one with the answer; results of 1 KB.
TURN = Plan(3, 1)


@dataclass(frozen=True, slots=True)
class Speed:
    """Laps a second of one warm run, and seconds until a stack that was stopped answers again."""

    laps_of_one: float
    laps_of_most: float
    second_start: float


@dataclass(frozen=True, slots=True)
class Counted:
    """`repeatable` and `marked_per_lap` have an entry for each number of tools from 0 to 8."""

    repeatable: tuple[PerLap, ...]
    marked_per_lap: tuple[PerLap, ...]
    growth: tuple[Costs, ...]
    mixed: Costs
    unlucky: Costs
    marked: Costs
    widest: Costs

    @property
    def long(self) -> Costs:
        """200 laps of 8 tools with 1 KB each."""
        return self.growth[-1]

    @property
    def refused(self) -> int:
        """Writes of all long runs whose condition failed: a step was repeated, or two raced."""
        return sum(
            each.refused for each in (*self.growth, self.mixed, self.unlucky, self.marked, self.widest)
        )


@dataclass(frozen=True, slots=True)
class Measurements:
    counted: Counted
    speed: Speed
    make_run: str
    bills: tuple[Bill, ...]
    loading: Loadings
    peaks: dict[str, float]


def measure(progress: Progress) -> Measurements:
    """Start a stack, make the runs one after the other, stop it. Takes about six minutes."""
    with tempfile.TemporaryDirectory(prefix="freehold-bench-") as folder:
        home = Path(folder) / "home"
        progress("starting a local stack")
        with running_product(home) as product:
            runner = Runner(product)
            progress("laps a second")
            runner.run(Plan(5, MOST_TOOLS))
            one, most = (_laps_a_second(runner.run(Plan(WARM_LAPS, tools))) for tools in (1, MOST_TOOLS))
            with tapped(product) as traffic:
                bills = _bills(product, runner, traffic, progress)
                counted = _count(lambda plan: costs_of(runner, traffic, plan), progress)
                peaks = peak_megabytes()
        progress("starting it again")
        speed = Speed(one, most, _second_start(home))
    progress("make run, twice")
    make_run = second_make_run()
    return Measurements(counted, speed, make_run, bills, loadings(progress), peaks)


def _bills(product: Product, durable: Runner, traffic: Traffic, progress: Progress) -> tuple[Bill, ...]:
    """Both modes' turns cost. Of a warm stack, for what a function reads once it keeps."""
    progress("a turn of three laps with one tool, in both modes")
    megabytes = memory_of(product)
    return tuple(
        bill(costs_of(runner, traffic, TURN), mode, megabytes)
        for mode, runner in (("durable", durable), ("fast", Runner(product, "fast")))
    )


def _count(cost: Callable[[Plan], Costs], progress: Progress) -> Counted:
    def count(plan: Plan) -> Costs:
        progress(f"{plan.laps} laps of {plan.tools} {plan.tool}")
        return cost(plan)

    def for_each(tool: str) -> tuple[PerLap, ...]:
        plans = [(Plan(FEW_LAPS, m, tool=tool), Plan(MORE_LAPS, m, tool=tool)) for m in range(MOST_TOOLS + 1)]
        return tuple(per_lap(count(few), count(more)) for few, more in plans)

    return Counted(
        repeatable=for_each("echo"),
        marked_per_lap=for_each("pay"),
        growth=tuple(count(Plan(laps, MOST_TOOLS)) for laps in GROWTH),
        mixed=count(Plan(GROWTH[-1], MIXED_TOOLS, result_bytes=None)),
        unlucky=count(Plan(SHORT, MOST_TOOLS, UNLUCKY_BYTES)),
        marked=count(Plan(SHORT, MOST_TOOLS, tool="pay")),
        widest=count(Plan(1, MOST_CALLS)),
    )


def _laps_a_second(run: Run) -> float:
    began, ended = (datetime.fromisoformat(text or "") for text in (run.started_at, run.finished_at))
    return run.laps / (ended - began).total_seconds()


def _second_start(home: Path) -> float:
    stack = LocalStack(home, ROOT)
    began = time.monotonic()
    try:
        stack.start(parameters={}, progress=lambda _: None)
        return time.monotonic() - began
    finally:
        stack.stop()
