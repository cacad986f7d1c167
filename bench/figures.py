"""The rows of the report: what was measured, held against its bound."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bench.costs import Costs, growth_exponent
from bench.loading import LOOP, Loadings
from bench.measurements import Measurements
from bench.turns import Bill

PAYLOAD_BOUND, UNITS_BOUND, GROWTH_BOUND = 4096, 1.25, 1.05
TRACED_BOUND, UNTRACED_BOUND = 2.5, 1.4
TURN_BOUNDS = {"durable": 0.45, "fast": 0.07}


@dataclass(frozen=True, slots=True)
class Figure:
    """One row. `reached` is None where there is no bound."""

    name: str
    measured: str
    bound: str = ""
    reached: bool | None = None


def bounded(made: Measurements) -> tuple[Figure, ...]:
    """The rows that decide whether `make bench` succeeds."""
    counted = made.counted
    repeatable, marked, long = counted.repeatable, counted.marked_per_lap, counted.long
    shape = f"{long.plan.laps} laps of {long.plan.tools} parallel tools with 1 KB results"
    return (
        _for_each(
            "billed state transitions per lap, m tools",
            "3 + m",
            ((lap.transitions, 3 + lap.tools) for lap in repeatable),
        ),
        _for_each(
            "DynamoDB writes per lap, m calls that may be repeated",
            "1 + m",
            ((lap.writes, 1 + lap.tools) for lap in repeatable),
        ),
        _for_each(
            "DynamoDB writes per lap, m calls that may not be repeated",
            "1 + 2m",
            ((lap.writes, 1 + 2 * lap.tools) for lap in marked),
        ),
        _payload(long, shape),
        _over_the_floor(long, shape),
        _over_the_floor(
            counted.mixed,
            f"{counted.mixed.plan.laps} laps of {counted.mixed.plan.tools}, 96 B to 8 KB results",
        ),
        _growth(counted.growth),
        Figure(
            f"{shape} finish",
            f"{long.results:,} results, executions: {long.executions.count}",
            f"{long.plan.laps * long.plan.tools:,} results",
            long.results == long.plan.laps * long.plan.tools,
        ),
        *map(_turns, made.bills),
        *loading(made.loading),
    )


def loading(found: Loadings) -> tuple[Figure, ...]:
    """The loop's functions, with traces and without."""
    return (
        _loading("with traces", TRACED_BOUND, {name: found.of(name).traced for name in LOOP}),
        _loading("without", UNTRACED_BOUND, {name: found.of(name).untraced for name in LOOP}),
    )


def further(made: Measurements) -> tuple[Figure, ...]:
    """Rows that are worth knowing and have no bound."""
    counted, speed = made.counted, made.speed
    widest, long, beside = counted.widest, counted.long, counted.repeatable[1]
    reads = long.reads_of_last_lap
    by_operation = {read.operation: 0.0 for read in reads}
    for read in reads:
        by_operation[read.operation] += read.units
    return (
        Figure("state transitions of a run beside its laps", f"{beside.transitions_beside:g}"),
        Figure("DynamoDB writes of a run beside its laps", f"{beside.writes_beside:g}"),
        Figure(
            f"largest payload, a lap of {widest.plan.tools} calls (the most)",
            f"{widest.executions.largest_payload:,} B",
        ),
        Figure(
            f"write units over the floor, {counted.marked.plan.laps} laps of 8 calls that may not be repeated",
            f"{_ratio(counted.marked):.3f}",
        ),
        Figure(
            f"write units over the floor where rounding is unkind, all results {counted.unlucky.plan.result_bytes} B",
            f"{_ratio(counted.unlucky):.3f}",
        ),
        Figure("bytes written over the floor's, 1 KB results", f"{long.bytes_written / long.floor.size:.3f}"),
        Figure("writes refused by their condition", str(counted.refused)),
        Figure(
            f"read units of lap {long.plan.laps} of {long.plan.tools} tools",
            ", ".join(f"{name} {units:g}" for name, units in by_operation.items()),
        ),
        Figure("warm laps a second in one run, 1 tool", f"{speed.laps_of_one:.0f}"),
        Figure(f"warm laps a second in one run, {long.plan.tools} tools", f"{speed.laps_of_most:.0f}"),
        Figure("second start of a local stack", f"{speed.second_start:.1f} s"),
        Figure("second `make run`", made.make_run),
    )


def _for_each(name: str, bound: str, pairs: Iterable[tuple[float, int]]) -> Figure:
    """From m = 0 on, what was found and what was expected."""
    pairs = tuple(pairs)
    found = ", ".join(f"{measured:g}" for measured, _ in pairs)
    reached = all(measured == expected for measured, expected in pairs)
    return Figure(f"{name} (0 … {len(pairs) - 1})", found, bound, reached)


def _payload(costs: Costs, shape: str) -> Figure:
    largest = costs.executions.largest_payload
    return Figure(
        f"largest payload between states, {shape}",
        f"{largest:,} B",
        f"< {PAYLOAD_BOUND:,} B",
        largest < PAYLOAD_BOUND,
    )


def _over_the_floor(costs: Costs, shape: str) -> Figure:
    return Figure(
        f"write units over an append-only floor, {shape}",
        f"{_ratio(costs):.3f} ({costs.units:,} / {costs.floor.units:,})",
        f"≤ {UNITS_BOUND}",
        _ratio(costs) <= UNITS_BOUND,
    )


def _growth(runs: tuple[Costs, ...]) -> Figure:
    exponent = growth_exponent([(run.plan.laps, run.bytes_written) for run in runs])
    name = f"growth exponent of bytes written, {runs[0].plan.laps} to {runs[-1].plan.laps} laps"
    return Figure(name, f"{exponent:.3f}", f"≤ {GROWTH_BOUND}", exponent <= GROWTH_BOUND)


def _turns(bill: Bill) -> Figure:
    bound = TURN_BOUNDS[bill.mode]
    name = f"1,000 turns of three laps with one tool, {bill.mode}, without Lambda's duration"
    return Figure(name, f"${bill.dollars:.3f}", f"≤ ${bound}", bill.dollars <= bound)


def _loading(traces: str, bound: float, ratios: dict[str, float]) -> Figure:
    found = ", ".join(f"{name} {ratio:.2f}" for name, ratio in ratios.items())
    return Figure(
        f"CPU to load a function over that of `import boto3`, {traces}",
        found,
        f"≤ {bound}",
        all(ratio <= bound for ratio in ratios.values()),
    )


def _ratio(costs: Costs) -> float:
    return costs.units / costs.floor.units
