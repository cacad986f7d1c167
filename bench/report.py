"""results.md and what `make bench` prints."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from bench.billing import WireItem, attribute_size
from bench.costs import Costs
from bench.figures import Figure
from bench.floor import BODY, content_size
from bench.loading import Loadings
from bench.measurements import Counted, Measurements
from bench.turns import Bill, prices

HOW = """\
## How it was counted
A local stack of its own runs the product as it is deployed: its state machine, its functions, its API. The model and
the tools are those of the test suites; the model asks for as many calls as the figure needs, each with arguments of
its own, and results are JSON text. Nothing is derived from the code: all runs are really made.

* **State transitions** are the states entered in the execution's history, retries included, as AWS bills them. Inside
  a Map the local stack writes TaskScheduled and no StateEntered; one stands for the other. A run costs three more
  than its laps: InvokeModel for the answer, WhatNext, FinishRun. A lap whose calls were all refused has m = 0.
  Per lap is the difference of two runs that differ by four laps alone.
* **Payload** is the longest input or output of any state or task in the history. A call's own input has three of the
  fields of the Map's input and no more.
* **Writes** were counted on the wire: a tap between every function and DynamoDB sees each request and its answer. An
  item of a transaction counts as a write. A run writes, beside its laps, session, run and idempotency key (one
  transaction), the start, the lap with the answer, run and session at the end (one transaction), and the delivery.
* **Write units** follow DynamoDB's rules: item size from names and values, the larger of old and new image, rounded up
  to 1 KB, twice in a transaction, also where a condition fails; each change of an index entry is one more.
* **The floor** is the same content in an append-only log: the user's message, each lap and each result once, as an
  item with the same key and one attribute that holds nothing but the bare text (no JSON, no names, no counters, no
  quotes escaped), rounded up to 1 KB, without transactions, indexes or conditions. Rounding favours some sizes, so
  the second row draws them from 96 B to 8 KB, evenly in their logarithm.
* **Bytes written** are the sizes of all items of all writes; the exponent is the slope of the line through their
  logarithms.
* **Read units** of a lap are those between the write of the lap before and its own. InvokeModel reads what the window
  may hold, so they grow with the history until compaction bounds it (the model of this page has a window that never
  fills; results-sessions.md has one that does). GetItem is the caller asking for the status.
* **A turn's cost** counts the transitions (durable) or the execution (fast), the invocations of the loop's functions
  and two for the caller's request, write units and read units of the sessions table, the caller's questions for the
  status among them. API Gateway, events, logs, traces and the model itself are not in it.
* **CPU to load a function** is user and system time of a fresh interpreter that runs `functions/<name>/app.py`, less
  that of one which does nothing, over the same of `import boto3`: medians of 15 rounds in each of which every
  interpreter is started once, without `site`. With traces there is the address of a daemon, as in Lambda; without,
  tracing is switched off. `python bench/run.py --loading` measures these alone.
* **Memory** is the most that a fresh interpreter held, and the most that any worker of the local stack held after all
  runs of this page, the largest among them. **Packages** are made as `sam build` makes them, for Lambda's own Python.
* **A call that may not be repeated** is marked before it is made. The mark is a write of its own, by design, and is
  in no floor; that row has no bound.
"""

BESIDE = """\
## Bytes of an item beside its content

Names and values, mean over a run's items. Beside the content, `body` is a map: names of fields, and a few
bytes for each of them.

"""


def table(figures: Iterable[Figure]) -> str:
    """For the terminal."""
    rows = [(row.name, row.bound, row.measured, reached(row)) for row in figures]
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def markdown(bounded: Iterable[Figure], further: Iterable[Figure], measured: Measurements) -> str:
    """The whole of results.md."""
    made = f"Written by `make bench` on {datetime.now(UTC):%Y-%m-%d}, on {os.cpu_count()} cores."
    held = [(row.name, row.bound, row.measured, reached(row)) for row in bounded]
    told = [(row.name, row.measured) for row in further]
    counted = measured.counted
    parts = (
        f"# Figures\n\n{made} All are counts, but: the two rows in dollars are computed from counts, list prices\n"
        "and, for `fast`, an assumed duration of the model; the last two rows of this table and the last four of the\n"
        "second are measured times.\n",
        markdown_table(("figure", "bound", "measured", "reached"), held),
        f"## Without a bound\n\n{markdown_table(('figure', 'measured'), told)}",
        _turns(measured.bills),
        _functions(measured.loading, measured.peaks),
        _growth(counted.growth),
        _overhead(counted),
        HOW,
    )
    return "\n".join(parts)


def reached(row: Figure) -> str:
    return {True: "yes", False: "NO", None: ""}[row.reached]


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown."""
    every = (head, ["---"] * len(head), *rows)
    return "".join(f"| {' | '.join(str(cell) for cell in line)} |\n" for line in every)


def _turns(bills: Sequence[Bill]) -> str:
    """What 1,000 turns are made of, and what they cost beside it."""
    given, assumed = prices(), prices()["assumed"]
    rows = [
        (bill.mode, part.name, f"{part.number:g}", f"${part.dollars:.4f}")
        for bill in bills
        for part in bill.parts
    ]
    rows += [
        (
            bill.mode,
            f"beside it: {bill.beside.name}",
            f"{bill.beside.number:.2f}",
            f"${bill.beside.dollars:.4f}",
        )
        for bill in bills
    ]
    head = ("mode", "part", "for each turn", "1,000 turns")
    waits = f"a model that takes {assumed['secondsOfAModel']:g} s and a tool that takes {assumed['secondsOfATool']:g} s"
    return (
        "## Cost of 1,000 turns of three laps with one tool\n\n"
        f"{given['source']}, {given['date']} (`bench/prices.json`). A turn is three laps of one call each and the one\n"
        "with the answer. The sum of the parts is held against the bound. Lambda's duration is beside it, since it is\n"
        f"mostly waiting: the row, and the duration of Express, assume {waits}.\n\n{markdown_table(head, rows)}"
    )


def _functions(loading: Loadings, peaks: Mapping[str, float]) -> str:
    """Each function's CPU to load, memory and size."""
    rows = [
        (
            each.function,
            f"{each.traced:.2f}",
            f"{each.untraced:.2f}",
            f"{each.imported_megabytes:.0f} MB",
            f"{peaks[each.function]:.0f} MB" if each.function in peaks else "",
            f"{(each.package_bytes + sum(loading.shared_layer_bytes.values())) / 1_000_000:.1f} MB",
        )
        for each in loading.functions
    ]
    head = (
        "function",
        "traced",
        "untraced",
        "memory once loaded",
        "at most, on the local stack",
        "zipped package, no bytecode",
    )
    layers = ", ".join(
        f"{name} {size / 1_000_000:.1f} MB" for name, size in loading.shared_layer_bytes.items()
    )
    return (
        "## Functions\n\n"
        f"CPU is over that of `import boto3`, {loading.boto3_milliseconds:.0f} ms here. All functions share\n"
        f"layers: {layers}. What a package has beyond them is a layer of the\n"
        f"function's own, and a few kilobytes; that of `live` has the Lambda Web Adapter beside it.\n\n"
        f"{markdown_table(head, rows)}"
    )


def _growth(runs: Sequence[Costs]) -> str:
    rows = [
        (
            run.plan.laps,
            len(run.writes),
            f"{run.bytes_written:,}",
            f"{run.units:,}",
            f"{run.floor.units:,}",
            f"{run.units / run.floor.units:.3f}",
        )
        for run in runs
    ]
    head = ("laps", "writes", "bytes written", "write units", "floor's units", "ratio")
    return (
        f"## Growth: laps of {runs[0].plan.tools} tools with results of 1 KB\n\n{markdown_table(head, rows)}"
    )


def _overhead(counted: Counted) -> str:
    """What an item holds beside what was said: mean bytes of each attribute, over all items of a kind."""
    kinds = {"lap": counted.long, "result": counted.long, "marker": counted.marked}
    parts = [
        _overhead_of(kind, [write.item for write in run.writes if write.kind == kind])
        for kind, run in kinds.items()
    ]
    return BESIDE + "\n".join(parts)


def _overhead_of(kind: str, items: Sequence[WireItem]) -> str:
    totals: dict[str, int] = {}
    for item in items:
        for name, value in item.items():
            size = attribute_size(name, value) - (content_size(item) if name == BODY else 0)
            totals[name] = totals.get(name, 0) + size
    means = {name: total / len(items) for name, total in totals.items()}
    key = means["pk"] + means["sk"]
    content = sum(map(content_size, items)) / len(items)
    listed = ", ".join(
        f"{name} {mean:.0f}" for name, mean in sorted(means.items(), key=lambda each: -each[1])
    )
    return f"* **{kind}**: {sum(means.values()):.0f} beside {content:.0f} of content ({key:.0f} of it key): {listed}\n"
