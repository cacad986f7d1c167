"""A run, step by step, as lines: when, who, what."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.text import Text

from freehold_client import (
    CallItem,
    CompactionItem,
    DecisionItem,
    DiscardedItem,
    Item,
    LapItem,
    LateItem,
    MessageItem,
    OtherItem,
    RefusalItem,
    Run,
    UserItem,
)

from . import figures
from .printable import one_line, printable

CUT_AT = 400
STATUS_STYLES = {
    "COMPLETED": "green",
    "FAILED": "bold red",
    "STOPPED": "yellow",
    "CANCELLED": "yellow",
    "RUNNING": "cyan",
    "QUEUED": "dim",
    "AWAITING": "bold yellow",
}
# Where a run is that is watched no longer: it waits for somebody, or behind a run that does.
WAITING = ("AWAITING", "QUEUED")
OUTCOMES = {
    "success": ("✓", "green"),
    "error": ("✗ failed", "red"),
    "unknown": ("? outcome unknown", "yellow"),
    "cancelled": ("– cancelled", "yellow"),
    "denied": ("– denied", "yellow"),
    "started": ("… started, no result yet", "cyan"),
}
GUTTER = 18
LEAST_ROOM = 20


class Timeline:
    """Turns items into lines, each step with its distance from the run's beginning.

    Long arguments and results are cut at a marked place, unless `full`. Lines are broken at `width` columns
    and go on under their own text; None never breaks them.
    """

    def __init__(self, begun: str | None = None, *, full: bool = False, width: int | None = None) -> None:
        self._begun = begun
        self._full = full
        self._width = width

    def step(self, item: Item) -> Text:
        """The lines of one item, without a last line break."""
        self._begun = self._begun or item.at
        match item:
            case UserItem():
                pictures = f"with {figures.count(len(item.images), 'image')}" if item.images else ""
                return self._lines(item.at, "you", "bold", _given(printable(item.text), pictures))
            case LapItem():
                return self._lines(item.at, "model", "bold cyan", self._reply(item))
            case CallItem():
                return self._lines(item.at, "tool", "bold magenta", self._result(item))
            case LateItem():
                told = f"a late answer to call {item.call + 1} of lap {item.lap}; the model did not see it"
                parts = [_dim(told), self._content(item.result)]
                return self._lines(item.at, "tool", "bold magenta", parts)
            case DiscardedItem():
                told = f"{item.model}, lap {item.lap}: a second reply, not used"
                return self._lines(item.at, "model", "bold cyan", [_dim(told, _paid(item))])
            case CompactionItem():
                return self._lines(item.at, "compact", "bold yellow", self._compaction(item))
            case DecisionItem():
                told = f"{item.decision}, {item.waited_for} of {item.call_id}"
                return self._lines(item.at, "who", "bold green", _by(item.by, told, item.comment))
            case RefusalItem():
                told = f"refused: {item.decision} of {item.call_id}"
                return self._lines(item.at, "who", "bold green", _by(item.by, told, item.reason))
            case MessageItem():
                told = "to the person who has the conversation"
                return self._lines(item.at, "you", "bold", [Text(printable(item.text)), _dim(told)])
            case OtherItem():
                told = f"a step of a kind that this version does not know: {item.kind}"
                return self._lines(item.at, "?", "bold", [_dim(told)])

    def _reply(self, lap: LapItem) -> Iterator[Text]:
        again = f"attempt {lap.attempt + 1}" if lap.attempt else ""
        instead = f"instead of {lap.fallback.after} ({lap.fallback.error})" if lap.fallback else ""
        name = f"{lap.model}, lap {lap.lap}"
        yield _dim(name, instead, figures.duration(lap.duration_ms), _paid(lap), again)
        if lap.text.strip():
            yield Text(printable(lap.text.strip()))
        for call in lap.calls:
            arguments = self._content(call.arguments)
            yield Text.assemble((f"→ {one_line(call.name)} ", "magenta"), arguments)
            if call.refused:
                yield Text.assemble(("  refused: ", "red"), self._content(call.refused))

    def _result(self, call: CallItem) -> Iterator[Text]:
        mark, style = OUTCOMES.get(call.outcome, (one_line(call.outcome), "yellow"))
        took = f"  {figures.duration(call.duration_ms)}" if call.duration_ms is not None else ""
        again = f", attempt {call.attempt + 1}" if call.attempt else ""
        again += f", by {one_line(call.decided_by)}" if call.decided_by else ""
        yield Text.assemble((one_line(call.tool), "magenta"), (f" {mark}", style), (took + again, "dim"))
        if call.result:
            yield self._content(call.result)

    def _compaction(self, item: CompactionItem) -> Iterator[Text]:
        again = f"attempt {item.attempt + 1}" if item.attempt else ""
        took = figures.duration(item.duration_ms)
        yield _dim(_covered(item), item.model, took, _paid(item), again)
        yield self._content(item.text)

    def _content(self, text: str) -> Text:
        text = printable(text if self._full else _compact(text))
        if self._full or len(text) <= CUT_AT:
            return Text(text)
        rest = f" […] {len(text) - CUT_AT:,} more characters (`show RUN --full`)"
        return Text.assemble(text[:CUT_AT], (rest, "dim"))

    def _lines(self, at: str, who: str, style: str, parts: Iterable[Text]) -> Text:
        offset = figures.between(self._begun, at)
        when = f"{offset / 1000:7.2f} s" if offset is not None else ""
        told = f"{who:<6} "  # a longer word begins further left
        gutter = Text.assemble((f"{when:>9}".ljust(GUTTER - len(told)), "dim"), (told, style))
        lines = [line for part in parts for line in self._broken(part)]
        hanging = [gutter, *(Text(" " * GUTTER if line else "") for line in lines[1:])]
        return Text("\n").join(margin + line for margin, line in zip(hanging, lines or [Text()], strict=True))

    def _broken(self, text: Text) -> list[Text]:
        """Its lines, none longer than there is room."""
        lines = list(text.split("\n", allow_blank=True))
        if self._width is None or self._width < GUTTER + LEAST_ROOM:
            return lines
        room = self._width - GUTTER
        return [piece for line in lines for piece in (line.wrap(Console(width=room), room) or [line])]


def _covered(item: CompactionItem) -> str:
    """What it stands for."""
    turns, laps = item.begins.turn - 1, item.begins.laps
    told = [_span("turn", turns), _span("lap", laps) + f" of turn {item.begins.turn}" if laps else ""]
    return " and ".join(part for part in told if part) or "nothing"


def _span(noun: str, last: int) -> str:
    if last < 1:
        return ""
    return f"{noun} 1" if last == 1 else f"{noun}s 1–{last}"


def outcome(run: Run, ahead: Run | None = None) -> Text:
    """How the run ended, why, and what it took, in a line or two; or which one is `ahead` of it."""
    line = Text().append(one_line(run.status), STATUS_STYLES.get(run.status, "yellow"))
    if run.stop_reason:
        line.append(f" ({one_line(run.stop_reason)})", "yellow")
    if run.ended:
        parts = [took(run), figures.count(run.laps, "lap"), figures.count(run.calls, "tool call")]
        parts += [figures.tokens(run.usage), figures.cost(run.cost_usd)]
        line.append("  " + " · ".join(part for part in parts if part), "dim")
    elif run.waits_until:
        line.append(f"  until {figures.clock(run.waits_until)}", "dim")
    if ahead is not None:
        line.append(f"  behind run {one_line(ahead.run_id)}, which is {one_line(ahead.status)}", "dim")
    if run.error:
        line.append(f"\n{one_line(run.error.type)}: ", "red").append(printable(run.error.message))
    for warning in run.warnings:
        line.append("\nwarning: ", "yellow").append(printable(warning))
    return line


def took(run: Run) -> str:
    """From the request to the end; empty while it goes on."""
    span = figures.between(run.created_at, run.finished_at)
    return figures.duration(span) if span is not None else ""


def heading(run: Run) -> Text:
    """Which run this is, of what agent, in which session."""
    version = f" (version {run.agent_version})" if run.agent_version not in ("", run.alias) else ""
    remembered = f" · memory {one_line(run.memory_id)}" if run.memory_id else ""
    replayed = f" · replays {one_line(run.replays)}" if run.replays else ""
    asked = f" · answers {one_line(run.parent.run_id)}" if run.parent else ""
    asked += f" · asked {one_line(', '.join(run.children))}" if run.children else ""
    rest = f" · session {one_line(run.session_id)}{remembered}{replayed}{asked} · {figures.clock(run.created_at)}"
    return Text.assemble(
        ("run ", "dim"),
        (one_line(run.run_id), "bold"),
        (f"\n{one_line(run.agent)}, {one_line(run.alias + version)}", "cyan"),
        (rest, "dim"),
    )


def _paid(item: LapItem | DiscardedItem | CompactionItem) -> str:
    return f"{figures.tokens(item.usage)} · {figures.cost(item.cost_usd)}"


def _by(who: str, told: str, why: str) -> list[Text]:
    return [
        Text.assemble(one_line(who), (f" {one_line(told)}", "dim")),
        *([Text(printable(why))] if why else []),
    ]


def _given(text: str, pictures: str) -> list[Text]:
    return [Text(text), _dim(pictures)] if pictures else [Text(text)]


def _dim(*parts: str) -> Text:
    return Text(one_line(" · ".join(part for part in parts if part)), "dim")


def _compact(text: str) -> str:
    """JSON on one line; anything else as it is."""
    try:
        return json.dumps(json.loads(text), ensure_ascii=False)
    except (ValueError, RecursionError):
        return text
