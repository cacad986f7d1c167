"""results-load.md."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from bench.figures import Figure
from bench.holding import (
    BEHIND_SECONDS,
    HELD_SECONDS,
    PRESSED_SECONDS,
    RATES,
    SLACK,
    TRIAL_SECONDS,
    Held,
    Phase,
    is_held,
)
from bench.machine import DOORS, EMULATOR, FUNCTIONS
from bench.offering import SESSIONS, Offered, Sent
from bench.report import markdown_table, reached

# Of memory that grows by no more than this, nothing is said to grow.
FLAT = 1.10
HOW = f"""\
## How it was measured
A local stack of its own, with the offline stand-in as the model, gets short runs (one lap, no tool) over
`POST /v1/agents/greeter/runs`, in turn for {SESSIONS} sessions with `whenBusy: enqueue`. They go out at a steady rate,
whether those before them are answered or not. Client, stack and whatever else the machine does share two cores.

* **The rate** is raised by {RATES.step} runs a second as long as none is refused and, after {TRIAL_SECONDS:g} s, no
  more is left to do than what began in the last {BEHIND_SECONDS:g} s: requests to answer, and runs that have not ended.
  The highest of these rates is then held for {HELD_SECONDS:g} s under the same rule, on a stack of its own, or else
  {SLACK:.0%} of what was taken of it, until one is.
* **Lost, doubled, out of turn**: after each phase, once nothing is open any more, the list of runs is held against
  what was accepted: each run is there once, COMPLETED, and begins after the turn before it has ended.
* **Latency** is from a request to its answer, at the client. Nothing that was refused is sent again.
* **CPU** is user and system time of the stack's processes; the client's is not in it. **Memory** is resident, at the
  median of the second fifth of the phase and of its last one. The local AWS keeps tables and executions in memory, so
  it grows with what is stored; functions and front doors must not.
"""


def bounded(made: Held) -> tuple[Figure, ...]:
    steady, pressed = made.steady, made.pressed
    offered = len(pressed.offered.sent)
    return (
        Figure(
            f"short runs a second, held for {HELD_SECONDS:g} s over {SESSIONS} sessions",
            f"{steady.offered.rate:g} ({len(steady.offered.accepted):,} runs,"
            f" {len(steady.offered.refused):,} refused, {steady.offered.left} left at the end)",
            f"none refused, left ≤ {BEHIND_SECONDS:g} s of them",
            is_held(steady.offered),
        ),
        *_of(steady, "steady"),
        Figure(
            f"three times of it for {PRESSED_SECONDS:g} s",
            f"{pressed.offered.rate:g} a second: {len(pressed.offered.accepted):,} of {offered:,} accepted,"
            f" {len(pressed.offered.refused):,} refused; done {pressed.drained:.0f} s after the last answer",
            "",
        ),
        *_of(pressed, "three times"),
    )


def _of(phase: Phase, name: str) -> tuple[Figure, ...]:
    problems, shares = phase.offered.problems, phase.watch.shares()
    return (
        Figure(
            f"{name}: lost, doubled, failed or out of turn",
            f"{len(phase.wrongs)}" + "".join(f"; {each}" for each in phase.wrongs[:3]),
            "0",
            not phase.wrongs,
        ),
        Figure(
            f"{name}: answers other than a run, or 429 or 503 with Retry-After",
            "; ".join(problems) or "0",
            "0",
            not problems,
        ),
        Figure(
            f"{name}: POST runs that are accepted, p50 and p95",
            _latency(phase.offered.accepted),
        ),
        *(
            (Figure(f"{name}: those that are refused, p50 and p95", _latency(phase.offered.refused)),)
            if phase.offered.refused
            else ()
        ),
        Figure(
            f"{name}: CPU of functions, front doors, local AWS",
            ", ".join(f"{shares.get(each, 0.0):.0%}" for each in (FUNCTIONS, DOORS, EMULATOR))
            + " of {:.2f} cores; the machine had {:.2f} at work".format(*phase.watch.cores()),
        ),
        *(_memory(phase, name, of) for of in (FUNCTIONS, DOORS, EMULATOR)),
    )


def _latency(of: Sequence[Sent]) -> str:
    return f"{Offered.percentile(of, 0.5) * 1000:,.0f} and {Offered.percentile(of, 0.95) * 1000:,.0f} ms"


def _memory(phase: Phase, name: str, of: str) -> Figure:
    before, after = phase.watch.growth(of)
    bound, flat = (f"≤ {FLAT:g} times", after <= before * FLAT) if of != EMULATOR else ("", None)
    return Figure(f"{name}: memory of {of}", f"{before:.0f} MB, then {after:.0f} MB", bound, flat)


def markdown(figures: Sequence[Figure]) -> str:
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    rows = [(row.name, row.bound, row.measured, reached(row)) for row in figures]
    held = markdown_table(("what", "bound", "measured", "reached"), rows)
    return f"# Load on the local stack\n\nWritten by `python bench/load.py` on {day}.\n\n{held}\n\n{HOW}"
