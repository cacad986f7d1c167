"""results-kills.md."""

from __future__ import annotations

from collections.abc import Sequence

from bench.figures import Figure
from bench.killing import BOUNDARIES, EXECUTORS, Kill
from bench.report import markdown_table

HOW = """\
## How it was counted
Each call is made by a process of its own, forked for it, that runs the product's own step on a table over HTTP, with
the product's own adapters for tools. At the boundary it writes a line into a file, waits until that is on the disk,
and sends itself SIGKILL. A kill counts if the line is there and the process ended by that signal; with any other the
bench fails. Then the step is repeated as the state machine does it, past the mark's end, until the call has a result.

* **Tools** are servers of another process: Lambda's Invoke, an HTTP API, an MCP server of the official SDK. Each writes
  the call's idempotency key into a file as it arrives, and into another one as it takes effect. During the call means
  after the one or after the other, drawn by a fixed seed.
* **The table** speaks DynamoDB's protocol and holds a dictionary; tests hold it against moto.
* **Another agent** is a run of its own. To park the caller is the mark, to begin and start the run is the call, its
  end is the answer, and the decision is the write of the result. What was lost is found by the sweeper, or by the state
  machine that repeats the step. Its own tool is the effect that is counted.
* **Made twice**: a key took effect more than once, or another agent was asked more than once.
* **Not reported**: the result says that the call was made and it was not, or the other way round; or there is none. A
  call of which nobody knows is `unknown`, and the model is told so.
"""


def figures(made: Sequence[Kill]) -> tuple[Figure, ...]:
    """The rows that decide whether the bench succeeds."""
    repeated, unreported = sum(each.repeated for each in made), sum(each.unreported for each in made)
    told = f"{len(made)} kills of {len(EXECUTORS)} executors at {len(BOUNDARIES)} boundaries"
    return (
        Figure(f"{told}: calls made twice", str(repeated), "0", repeated == 0),
        Figure(f"{told}: calls lost or made up, and not reported", str(unreported), "0", unreported == 0),
    )


def markdown(rows: Sequence[Figure], made: Sequence[Kill], *, day: str) -> str:
    """The whole of results-kills.md."""
    held = [(row.name, row.bound, row.measured, "yes" if row.reached else "NO") for row in rows]
    head = (
        "executor",
        "killed",
        "kills",
        "made, and said so",
        "not made, and said so",
        "unknown: made",
        "unknown: not made",
    )
    parts = (
        f"# Calls whose process is killed\n\nWritten by `make bench` on {day}. All are counts.\n",
        markdown_table(("figure", "bound", "measured", "reached"), held),
        f"## By executor and boundary\n\n{markdown_table(head, _rows(made))}",
        HOW,
    )
    return "\n".join(parts)


def _rows(made: Sequence[Kill]) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for executor in EXECUTORS:
        for boundary in BOUNDARIES:
            these = [each for each in made if (each.executor, each.boundary) == (executor, boundary)]
            kinds = [(each.outcome == "unknown", bool(each.effects)) for each in these]
            told = ((False, True), (False, False), (True, True), (True, False))
            rows.append((executor, boundary, len(these), *(kinds.count(kind) for kind in told)))
    return rows
