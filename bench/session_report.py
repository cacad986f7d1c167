"""results-sessions.md and its plots."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench.figures import Figure
from bench.plot import Line, Plot
from bench.session_figures import TURNS, WINDOW, Sessions
from bench.tokens import Compared

LAPS, SUMS = "conversation-laps.svg", "conversation-sums.svg"
HOW = """\
## How it was counted
The steps are the product's own (begin, InvokeModel, RunTool, CompactHistory, FinishRun, SummarizeMemory), taken in the
order of the state machine, on tables that moto holds, but for the messages at once. The models are scripted.

* **Tokens sent** are o200k_base's count of instruction, tools and messages of each request. Each turn is a message of
  150 to 600 tokens, a call whose result has 200 to 1,200 characters of JSON, and an answer of 40 to 200 tokens, in four
  languages. A compaction is as long as it may be, which is the worst for what follows. Compactions are in the sums.
  Without compaction the window has no end, so that nothing is left out.
* **The exponent** is the slope of the line through the logarithms of turn and tokens sent so far, over the later half.
* **Read units** are those of the requests that InvokeModel makes for a session's next lap, strongly consistent, from
  the sizes of what they return. The sessions are as if their first turn had come many times; then come three turns,
  in the first of which the oldest part is compacted. A lap without compaction reads all of it.
* **Facts**: five are planted in each of ten sessions with one memory id. The model notes each fact that it is shown, so
  what is counted is what of it reaches the request for the eleventh session's answer.
* **The cache** is a model of Bedrock's (tests/prompt_cache.py), given the requests as Converse is sent them. Of the
  tokens of all prompts, without compaction; a compaction begins the cache anew.
* **Messages at once** come over HTTP from as many threads to a local stack with `whenBusy: enqueue`. Each has to have
  one run, which is COMPLETED with its answer, and no run begins before that of the turn before has ended.
* **The estimate** is `freehold.tokens`, against the tokenizers of GPT-4o and later (o200k) and GPT-4 (cl100k). No
  other maker's can be had. Once a model has counted a request of 500 tokens or more, its own count corrects it.
"""
UNUSUAL = """\
The last ones are shown and held against no bound: by bytes alone they are not to be told from others.
"""


def plots(made: Sessions) -> dict[str, Plot]:
    """By file name."""
    window = [(1, WINDOW), (len(made.compacted.sent), WINDOW)]
    sums = Line("all of it, each time", _points(made.whole.cumulated))
    laps = Line("all of it, each time", _points(made.whole.sent))
    return {
        LAPS: Plot(
            f"Tokens sent in each lap of {TURNS} turns",
            "laps",
            "tokens",
            (Line("compacted", _points(made.compacted.sent)), laps, Line("the agent's window", window)),
            top=2.5 * WINDOW,
        ),
        SUMS: Plot(
            f"Tokens sent in all, through {TURNS} turns",
            "turns",
            "tokens",
            (Line("compacted", _points(made.with_compactions)), sums),
        ),
    }


def _points(values: Sequence[int]) -> list[tuple[float, float]]:
    return [(float(at), float(value)) for at, value in enumerate(values, 1)]


def markdown(figures: Iterable[Figure], made: Sessions, *, day: str) -> str:
    """The whole of the page."""
    held = [
        (row.name, row.bound, row.measured, {True: "yes", False: "NO", None: ""}[row.reached])
        for row in figures
    ]
    parts = (
        f"# Figures of sessions and memory\n\nWritten by `make bench` on {day}. All are counts.\n",
        _rows(("figure", "bound", "measured", "reached"), held),
        f"![Tokens sent in each lap](../docs/{LAPS})\n\n![Tokens sent in all](../docs/{SUMS})\n",
        _compactions(made),
        _readings(made),
        _estimates(made.estimates),
        HOW,
    )
    return "\n".join(parts)


def _rows(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = (head, ["---"] * len(head), *rows)
    return "".join(f"| {' | '.join(str(cell) for cell in line)} |\n" for line in lines)


def _compactions(made: Sessions) -> str:
    compacted, whole = made.compacted, made.whole
    used = compacted.compactions
    rows = [
        ("most tokens sent in a lap", f"{max(compacted.sent):,}", f"{max(whole.sent):,}"),
        ("tokens sent for answers", f"{compacted.cumulated[-1]:,}", f"{whole.cumulated[-1]:,}"),
        ("compactions", len(used), 0),
        ("tokens sent for compactions", f"{sum(each.input_tokens for each in used):,}", 0),
        ("tokens that compactions have, all together", f"{sum(each.output_tokens for each in used):,}", 0),
    ]
    return f"## {TURNS} turns\n\n{_rows(('', f'window of {WINDOW:,}', 'without compaction'), rows)}"


def _readings(made: Sessions) -> str:
    rows = [
        (
            f"{each.there:,}",
            f"{each.window:,}" if each.window else "none",
            each.requests,
            each.items,
            each.units,
        )
        for each in made.readings
    ]
    head = ("items of the session", "window", "requests", "items read", "read units")
    return f"## What the next lap reads\n\n{_rows(head, rows)}"


def _estimates(compared: Sequence[Compared]) -> str:
    rows = [
        (
            each.kind,
            f"{each.characters:,}",
            f"{each.o200k:,}",
            f"{each.cl100k:,}",
            f"{each.estimate:,}",
            f"{each.ratio:.2f}",
            f"{each.estimate / each.cl100k:.2f}",
        )
        for each in compared
    ]
    head = ("kind", "characters", "o200k", "cl100k", "estimate", "over o200k", "over cl100k")
    return f"## The estimate of tokens\n\n{UNUSUAL}\n{_rows(head, rows)}"
