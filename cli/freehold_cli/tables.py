"""Agents, runs, approvals and keys as tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

from rich.table import Table
from rich.text import Text

from freehold.values.access import AccessEntry
from freehold_client import (
    Agent,
    AgentSummary,
    Alias,
    Approval,
    DeadLetter,
    Key,
    Run,
    Schedule,
    Tool,
    Version,
)

from . import figures
from .printable import one_line, printable
from .timeline import STATUS_STYLES, took

WAITS_FOR = "waits for"


def agents(found: Sequence[AgentSummary]) -> Table | str:
    if not found:
        return "No agents yet. Make one with `freehold apply FILE`."
    table = columns("agent", "model", "description", "changed")
    for each in found:
        add(table, each.agent_name, each.foundation_model, each.description, figures.clock(each.updated_at))
    return table


def agent(one: Agent, versions: Iterable[Version], aliases: Iterable[Alias]) -> list[Text | Table]:
    """An agent in full: model, tools, versions and aliases."""
    head = Text.assemble((one_line(one.agent_name), "bold"), (f"  {one_line(_model(one))}", "cyan"))
    described = one.configuration.get("description")
    if described:
        head.append(f"\n{one_line(str(described))}")
    names = [f"{each.alias} → {_led_to(each)}" for each in aliases]
    frozen = [each.version for each in versions]
    head.append("\nversions: ", "dim").append(one_line(", ".join(frozen) or "none, the draft only"))
    head.append("\naliases:  ", "dim").append(one_line(", ".join(names) or "none; runs use DRAFT"))
    return [head, tools(one.tools), *(Text(f"warning: {one_line(each)}", "yellow") for each in one.warnings)]


def _model(one: Agent) -> str:
    """The configuration has an id, or a mapping of it and its API."""
    named: Any = one.configuration.get("foundationModel", "")
    if not isinstance(named, dict):
        return str(named)
    model = cast("dict[str, Any]", named)
    return f"{model.get('model')} ({model['api']})" if model.get("api") else str(model.get("model"))


def _led_to(alias: Alias) -> str:
    if len(alias.routes) == 1:
        return alias.routes[0].version
    return ", ".join(f"{route.version} ({route.weight}%)" for route in alias.routes)


def tools(found: Sequence[Tool]) -> Table | Text:
    if not found:
        return Text("No tools.", "dim")
    rows = [(each.name, each.action_group, ", ".join(each.waits_for), each.description) for each in found]
    return _waiting(("tool", "action group", WAITS_FOR, "description"), rows)


def costs(rows: Sequence[tuple[str, ...]]) -> Table:
    """Tools with what they call and wait for, what the model fills in and the tokens; `*` marks what it must."""
    table = _waiting(("tool", "calls", WAITS_FOR, "arguments", "tokens"), rows)
    table.columns[-1].justify = "right"
    return table


def _waiting(names: Sequence[str], rows: Sequence[tuple[str, ...]]) -> Table:
    """A table without the column of what is waited for, where none waits."""
    waits = names.index(WAITS_FOR)
    shown = [i for i in range(len(names)) if i != waits or any(row[waits] for row in rows)]
    table = columns(*(names[i] for i in shown))
    for row in rows:
        add(table, *(row[i] for i in shown))
    return table


def runs(found: Sequence[Run]) -> Table | str:
    if not found:
        return "No runs. Start one with `freehold ask AGENT TEXT`."
    table = columns("run", "agent", "status", "began", "took", "cost", "asked")
    table.columns[-1].overflow = "ellipsis"
    table.columns[-1].no_wrap = True
    for run in found:
        add(
            table,
            run.run_id,
            run.agent
            + (" (replay)" if run.replays else " (asked by an agent)" if run.trigger == "agent" else ""),
            Text(one_line(run.status), STATUS_STYLES.get(run.status, "yellow")),
            figures.clock(run.created_at, "%m-%d %H:%M"),
            took(run),
            figures.cost(run.cost_usd) if run.ended else "",
            _short(run.input),
        )
    return table


def approvals(found: Sequence[Approval]) -> Iterator[Text]:
    """Each run with a line for each call. What is asked with is shown whole before it is decided about, not here."""
    if not found:
        yield Text("Nothing waits for anybody.")
    for one in found:
        who = f"asked by {one.principal.type}:{one.principal.id}" if one.principal else ""
        until = f"until {figures.clock(one.expires_at, '%m-%d %H:%M')}"
        told = Text.assemble(("run ", "dim"), (one_line(one.run_id), "bold"))
        told.append("\n" + one_line(" · ".join(part for part in (one.agent, who, until) if part)), "dim")
        for each in one.awaiting:
            told.append(f"\n  {one_line(each.call_id)}  ").append(one_line(each.kind), "yellow")
            told.append(f"  {one_line(each.tool)}", "magenta")
            told.append(f"\n    {_short(each.question or each.arguments)}")
        yield told


def keys(found: Sequence[Key]) -> Table | str:
    if not found:
        return "No keys."
    table = columns("key", "name", "scopes", "made", "expires")
    for each in found:
        made, expires = figures.clock(each.created_at), figures.clock(each.expires_at) or "never"
        add(table, each.key_id, each.name, ", ".join(each.scopes), made, expires)
    return table


def access(found: Sequence[AccessEntry]) -> Table | str:
    if not found:
        return "Nobody comes in without a key. `freehold access grant` lets somebody in."
    table = columns("kind", "name", "tenant", "scopes", "by")
    for each in found:
        by = each.created_by.name if each.created_by else ""
        add(table, each.kind, each.name, each.tenant, ", ".join(each.scopes), by)
    return table


def dead_letters(found: Sequence[DeadLetter]) -> Table | str:
    if not found:
        return "No dead letters."
    table = columns("letter", "since", "from", "error", "reason")
    for each in found:
        came = each.source.rpartition(":")[2]
        add(table, each.letter_id, figures.clock(each.at), came, each.error or "", each.reason or "")
    return table


def dead_letter(one: DeadLetter) -> list[Text]:
    """With all that it says, which may be on many lines."""
    told = {
        "since": figures.clock(one.at),
        "from": one.source,
        "sender": one.sender,
        "group": one.group,
        "deduplication": one.deduplication_id,
        "error": one.error,
        "reason": one.reason,
    }
    head = Text(one_line(one.letter_id), "bold")
    for name, value in told.items():
        if value:
            head.append(f"\n{name}: ", "dim").append(one_line(value))
    return [head, Text(printable(one.body or ""))]


def schedules(found: Sequence[Schedule]) -> Table | str:
    if not found:
        return "No schedules. Add one with `freehold schedule add AGENT SCHEDULE TEXT`."
    table = columns("schedule", "agent", "when", "time zone", "added", "by")
    for each in found:
        by = f"{each.created_by.type}:{each.created_by.id}" if each.created_by else ""
        told = f"{by}, in the agent" if each.set_by == "agent" else by
        told = told if each.armed else f"{told}, not armed"
        made = figures.clock(each.created_at)
        add(table, each.schedule_id, each.agent, each.schedule, each.time_zone, made, told)
    return table


def columns(*names: str) -> Table:
    """An empty table of these columns; the first is never broken."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for position, column in enumerate(names):
        table.add_column(column, no_wrap=position == 0, overflow="fold")
    return table


def add(table: Table, *cells: str | Text) -> None:
    """A row. Plain text is made safe; `Text` must be safe already."""
    table.add_row(*(cell if isinstance(cell, Text) else Text(one_line(cell)) for cell in cells))


def _short(text: str, limit: int = 60) -> str:
    text = one_line(text)
    return text if len(text) <= limit else text[: limit - 1] + "…"
