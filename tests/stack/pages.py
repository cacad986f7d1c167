"""The fences of a page, and what an output lacks of what a page shows.

A line that is **`a/path`** right before a fence names a file. A `text` fence lists lines that an output has, in this
order; `…` stands for anything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from product_stack import ROOT

FENCE = re.compile(
    r"(?:^\*\*`(?P<path>[^`]+)`\*\*\n)?^```(?P<kind>\w+)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Block:
    kind: str
    path: str | None
    body: str
    line: int


def blocks(page: str) -> list[Block]:
    text = (ROOT / page).read_text()
    return [
        Block(found["kind"], found["path"], found["body"], text[: found.start()].count("\n") + 1)
        for found in FENCE.finditer(text)
    ]


def missing_line(wanted: str, output: str) -> str | None:
    """The first line of `wanted` that `output` lacks after those before it."""
    lines = iter(output.splitlines())
    for line in wanted.splitlines():
        pattern = re.compile(".*".join(re.escape(part) for part in line.split("…")))
        if line.strip() and not any(pattern.fullmatch(seen.rstrip()) for seen in lines):
            return line
    return None
