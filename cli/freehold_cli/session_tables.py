"""Sessions, memories and what was erased, as people read them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import typer
from rich.table import Table
from rich.text import Text

from freehold_client import Erasure, Item, Memory, RememberedSession, Session

from . import figures
from .explain import NOT_DONE
from .printable import one_line
from .screen import Screen
from .tables import add, columns

NOT_YET = "not summed up yet"


def sessions(found: Sequence[Session], parked: Collection[str] = ()) -> Table | str:
    """`parked` are the runs that wait for somebody."""
    if not found:
        return "No sessions. `freehold ask AGENT TEXT` begins one."
    table = columns("session", "agent", "version", "turns", "began", "expires", "memory", "now")
    for each in found:
        add(
            table,
            each.session_id,
            each.agent,
            each.agent_version,
            str(each.turns),
            figures.clock(each.created_at, "%m-%d %H:%M"),
            figures.clock(each.expires_at, "%m-%d %H:%M"),
            each.memory_id or "",
            _now(each, parked),
        )
    return table


def _now(session: Session, parked: Collection[str]) -> str:
    if session.escalation:
        return f"with a person, run {session.escalation.run_id}"
    if session.active_run_id:
        working = "replaying" if session.replay else "answering"
        doing = "waits" if session.active_run_id in parked else working
        return f"{doing}, run {session.active_run_id}"
    if session.replay:
        return "a replay"
    return "closed" if session.ended_at else ""


def session(one: Session, parked: Collection[str] = ()) -> Text:
    """What it is, in a few lines. `parked` are the runs that wait for somebody."""
    version = f" (version {one.agent_version})" if one.agent_version not in ("", one.alias) else ""
    remembered = f" · memory {one_line(one.memory_id)}" if one.memory_id else ""
    times = f"began {figures.clock(one.created_at)} · expires {figures.clock(one.expires_at)}"
    closed = f" · closed {figures.clock(one.ended_at)}" if one.ended_at else ""
    head = Text.assemble(
        ("session ", "dim"),
        (one_line(one.session_id), "bold"),
        (f"\n{one_line(one.agent)}, {one_line(one.alias + version)}", "cyan"),
        (f" · {figures.count(one.turns, 'turn')}{remembered}\n{times}{closed}", "dim"),
    )
    if one.active_run_id:
        head.append(f"\n{one_line(_now(one, parked))}", "yellow")
    if one.escalation:
        told = {"because": one.escalation.reason, "summary": one.escalation.summary}
        for name, value in told.items():
            head.append(f"\n{name}: ", "dim").append(one_line(value))
    for name, value in one.session_attributes.items():
        head.append(f"\n{one_line(name)}: ", "dim").append(one_line(value))
    return head


def turn(item: Item) -> Text:
    """What stands above the steps of one run."""
    return Text(f"\nrun {one_line(item.run_id)} · {figures.clock(item.at)}", "dim")


def memories(found: Sequence[RememberedSession]) -> Table | str:
    if not found:
        return "Nothing is remembered. `freehold ask AGENT TEXT --memory ID` begins a memory."
    table = columns("memory", "session", "turns", "began", "changed")
    for each in found:
        times = (figures.clock(each.started_at), figures.clock(each.updated_at))
        add(table, each.memory_id, each.session_id, str(each.turns or NOT_YET), *times)
    return table


def memory(one: Memory) -> Iterator[Text]:
    """Each session with its notes."""
    yield Text.assemble(
        ("memory ", "dim"), (one_line(one.memory_id), "bold"), (f" of {one_line(one.agent)}", "cyan")
    )
    for each in one.sessions:
        version = f"version {each.agent_version} · " if each.agent_version else ""
        times = f"began {figures.clock(each.started_at)} · kept until {figures.clock(each.expires_at)}"
        told = f"\nsession {each.session_id} · {version}{figures.count(each.turns, 'turn')} · {times}"
        yield Text("\n" + one_line(told), "dim")
        notes = {"topic": each.topics, "open": each.open_points, "prefers": each.preferences}
        for name, lines in notes.items():
            for line in lines:
                yield Text.assemble((f"  {name:<8}", "cyan"), one_line(line))
        if not any(notes.values()):
            yield Text("  nothing to note" if each.turns else f"  {NOT_YET}", "dim")
        if each.turns and "usage" in each.wire:
            yield Text(f"  {figures.tokens(each.usage)} · {figures.cost(each.cost_usd)}", "dim")


def conclude(screen: Screen, report: Erasure) -> None:
    """Print what was erased; the exit code is 1 where something is left."""
    erased = report.erased
    rest = [
        figures.count(erased.runs, "run"),
        figures.count(erased.items, "item"),
        figures.count(erased.objects, "object"),
        figures.count(erased.summaries, "summary", "summaries"),
    ]
    screen.answer(report.wire, f"Erased {figures.count(erased.sessions, 'session')}: {', '.join(rest)}.")
    for run_id in report.busy:
        screen.note(f"Run {run_id} is at work, so its session stays. End it with `freehold cancel {run_id}`.")
    if report.busy or not report.complete:
        screen.note("Not everything is erased yet. Run the same command again.")
        raise typer.Exit(NOT_DONE)
