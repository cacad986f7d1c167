"""Two runs of the same input side by side: what each lap said and asked for, and what it all took."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rich.table import Table
from rich.text import Text

from freehold_client import AskedCall, CallItem, Item, LapItem, Run

from . import figures
from .printable import one_line, printable
from .tables import columns
from .timeline import CUT_AT, OUTCOMES, STATUS_STYLES, took

DIFFERS = "≠"
UNLIKE = "yellow"


@dataclass(frozen=True)
class Recorded:
    """A run with its items, in order."""

    run: Run
    items: tuple[Item, ...]

    @property
    def wire(self) -> dict[str, Any]:
        return {"run": self.run.wire, "items": [item.wire for item in self.items]}

    @property
    def laps(self) -> dict[int, LapItem]:
        return {item.lap: item for item in self.items if isinstance(item, LapItem)}

    @property
    def outcomes(self) -> dict[tuple[int, int], str]:
        """By lap and call."""
        return {(item.lap, item.call): item.outcome for item in self.items if isinstance(item, CallItem)}

    @property
    def models(self) -> str:
        """Those that answered, each once."""
        return ", ".join(dict.fromkeys(lap.model for lap in self.laps.values())) or "no model answered"


def side_by_side(original: Recorded, replay: Recorded, *, full: bool) -> tuple[Text, Table]:
    """A row each lap, then the totals. The last column names what differs.

    Arguments in another order or spacing are the same. Long texts are cut unless `full`.
    """
    # Beside each other, two ids would leave a narrow terminal no room.
    heading = Text("\n").join(
        Text.assemble((f"{name:<7}", "dim"), one_line(each.run.run_id))
        for name, each in (("run", original), ("replay", replay))
    )
    table = columns("", "run", "replay", "differs")
    _row(table, "model", Text(one_line(original.models), "cyan"), Text(one_line(replay.models), "cyan"))
    table.add_row()
    for number in sorted({*original.laps, *replay.laps}):
        then, now = original.laps.get(number), replay.laps.get(number)
        cells = (_lap(then, now, original, full=full), _lap(now, then, replay, full=full))
        _row(table, f"lap {number}", *cells, differs=_differing(then, now))
        table.add_row()
    _row(table, "status", *_compared(_status(original.run), _status(replay.run)))
    _row(table, "laps", *_compared(*(Text(f"{each.run.laps:,}") for each in (original, replay))))
    _row(table, "calls", *_compared(*(Text(f"{each.run.calls:,}") for each in (original, replay))))
    for (name, then), (_, now) in zip(_took(original.run), _took(replay.run), strict=True):
        if then or now:
            _row(table, name, Text(then), Text(now))
    return heading, table


def _row(table: Table, name: str, then: Text, now: Text, differs: str = "") -> None:
    table.add_row(Text(name, "dim"), then, now, Text(differs, UNLIKE))


def _compared(then: Text, now: Text) -> tuple[Text, Text, str]:
    return then, now, DIFFERS if then.plain != now.plain else ""


def _lap(lap: LapItem | None, other: LapItem | None, of: Recorded, *, full: bool) -> Text:
    if lap is None:
        return Text("–", "dim")
    lacking = _unmatched(lap, other)
    said = [Text(_cut(lap.text.strip(), full=full))] if lap.text.strip() else []
    calls = [
        _call(call, of.outcomes.get((lap.lap, call.call)), full=full, alike=call not in lacking)
        for call in lap.calls
    ]
    return Text("\n").join((*said, *calls))


def _call(call: AskedCall, came_to: str | None, *, full: bool, alike: bool) -> Text:
    mark, style = ("✗ refused", "red") if call.refused else OUTCOMES.get(came_to or "", ("", ""))
    shown = Text.assemble(
        f"→ {one_line(call.name)} ",
        f"{_cut(_arguments(call), full=full)} ",
        style="magenta" if alike else UNLIKE,
    )
    return shown + Text(mark, style)


def _differing(then: LapItem | None, now: LapItem | None) -> str:
    if then is None or now is None:
        return f"{DIFFERS} {'the replay' if then is None else 'the run'} only"
    text = ["text"] if then.text.strip() != now.text.strip() else []
    calls = [f"→ {one_line(call.name)}" for call in (*_unmatched(then, now), *_unmatched(now, then))]
    named = ", ".join((*text, *dict.fromkeys(calls)))
    return f"{DIFFERS} {named}" if named else ""


def _unmatched(lap: LapItem, other: LapItem | None) -> list[AskedCall]:
    """The calls that the other lap does not ask for, or not as often."""
    left = [(call.name, _arguments(call)) for call in other.calls] if other else []
    found: list[AskedCall] = []
    for call in lap.calls:
        same = (call.name, _arguments(call))
        if same in left:
            left.remove(same)
        else:
            found.append(call)
    return found


def _arguments(call: AskedCall) -> str:
    """The same for the same arguments, however they were written; what is no JSON stays as it is."""
    try:
        return json.dumps(json.loads(call.arguments), ensure_ascii=False, sort_keys=True)
    except (ValueError, RecursionError):
        return call.arguments


def _cut(text: str, *, full: bool) -> str:
    text = printable(text)
    return text if full or len(text) <= CUT_AT else f"{text[:CUT_AT]} […]"


def _status(run: Run) -> Text:
    why = run.stop_reason or (run.error.type if run.error else "")
    told = one_line(f"{run.status} ({why})" if why else run.status)
    return Text(told, STATUS_STYLES.get(run.status, "yellow"))


def _took(run: Run) -> Iterator[tuple[str, str]]:
    yield "tokens", figures.tokens(run.usage)
    yield "cost", figures.cost(run.cost_usd)
    yield "took", took(run)
    yield "error", one_line(run.error.message) if run.error else ""
