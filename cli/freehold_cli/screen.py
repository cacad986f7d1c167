"""Where commands print: answers on standard output, progress and errors on standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from .printable import as_json, one_line, printable

UNBOUNDED = 100_000

AsJson = Annotated[
    bool, typer.Option("--json", help="Print the API's JSON on standard output and nothing else there.")
]


def _console(*, stderr: bool) -> Console:
    """Without markup, so that no text is ever read as styling; without a width unless a terminal has one."""
    console = Console(stderr=stderr, markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = UNBOUNDED
    return console


class Screen:
    """Prints the answer of one command, as text for people or, with `json`, as exactly one JSON document."""

    def __init__(self, *, json: bool = False, out: Console | None = None, err: Console | None = None) -> None:
        self.json = json
        self.out = out or _console(stderr=False)
        self.err = err or _console(stderr=True)

    def answer(self, wire: Any, *shown: RenderableType) -> None:
        """`wire` with --json, else what is `shown`."""
        if self.json:
            self.write_json(wire)
        else:
            self.show(*shown)

    def show(self, *shown: RenderableType) -> None:
        """Print for people; plain strings are made safe, anything else must be safe already."""
        for each in shown:
            if isinstance(each, Table) and not self.out.is_terminal:
                self._show_unpadded(each)
            else:
                self.out.print(Text(printable(each)) if isinstance(each, str) else each)

    def _show_unpadded(self, table: Table) -> None:
        """Without the blanks that fill its last column."""
        with self.out.capture() as captured:
            self.out.print(table)
        lines = captured.get().rstrip("\n").split("\n")
        self.out.print(Text("\n".join(line.rstrip() for line in lines)), soft_wrap=True)

    def write_json(self, wire: Any) -> None:
        sys.stdout.write(as_json(wire) + "\n")
        sys.stdout.flush()

    def note(self, text: str, style: str = "dim") -> None:
        """A remark that is no part of the answer."""
        self.err.print(Text(printable(text), style=style))

    @property
    def width(self) -> int | None:
        """Columns of the terminal; None where lines are not to be broken."""
        return self.out.width if self.out.is_terminal else None

    @contextmanager
    def progress(self, text: str, *, lines: bool = False) -> Generator[Callable[[str], None]]:
        """A spinner on a terminal, told what happens now; elsewhere nothing or, with `lines`, a line each."""
        console = self.out if self.out.is_terminal and not self.json else self.err
        if console.is_terminal:
            with console.status(Text(one_line(text))) as status:
                yield lambda now: status.update(Text(printable(now)))
            return
        tell = self.note if lines else _silent
        tell(text)
        yield tell


def _silent(_: str) -> None:
    return
