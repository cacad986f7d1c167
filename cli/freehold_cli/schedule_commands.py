"""Schedules: add, list, show, remove."""

from __future__ import annotations

from typing import Annotated

import typer

from . import tables
from .printable import well_formed
from .screen import AsJson, Screen
from .world import world_of

schedules = typer.Typer(help="Runs that begin by the clock.", no_args_is_help=True)

ScheduleId = Annotated[
    str, typer.Argument(metavar="SCHEDULE", help="Its id, as `freehold schedule list` shows it.")
]


Agent = Annotated[str, typer.Argument(metavar="AGENT", help="The agent's name.")]
When = Annotated[
    str,
    typer.Argument(
        metavar="WHEN", help="rate(5 minutes), cron(0 8 ? * MON-FRI *) or at(2027-01-31T08:00:00)."
    ),
]
Input = Annotated[
    str,
    typer.Argument(
        metavar="TEXT", help="What the agent is asked; {{scheduledTime}} stands for when it came due."
    ),
]
Zone = Annotated[str | None, typer.Option(metavar="ZONE", help="Such as Europe/Berlin. Default: UTC.")]
Alias = Annotated[str | None, typer.Option(metavar="NAME", help="Default: the draft.")]
Session = Annotated[
    str | None, typer.Option(metavar="ID", help="One session for all its runs. Default: one for each.")
]
Memory = Annotated[str | None, typer.Option(metavar="ID", help="What the runs remember under.")]


def add(
    ctx: typer.Context,
    agent: Agent,
    when: When,
    text: Input,
    time_zone: Zone = None,
    alias: Alias = None,
    session: Session = None,
    memory: Memory = None,
    as_json: AsJson = False,
) -> None:
    """Begin a run whenever a schedule comes due.

    Example: freehold schedule add reporter "cron(0 8 ? * MON *)" "Report on last week." --time-zone Europe/Berlin
    """
    screen = Screen(json=as_json)
    with world_of(ctx).client() as client, screen.progress("adding the schedule"):
        made = client.schedules.add(
            agent,
            when,
            well_formed(text),
            time_zone=time_zone,
            alias=alias,
            session_id=session,
            memory_id=memory,
        )
    screen.answer(made.wire, f"Added {made.schedule_id}: {made.agent} at {made.schedule}, {made.time_zone}.")


def list_schedules(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List the schedules, those of agents' configurations among them.

    Example: freehold schedule list
    """
    screen = Screen(json=as_json)
    with world_of(ctx).client() as client, screen.progress("reading the schedules"):
        found = list(client.schedules.list())
    screen.answer({"schedules": [each.wire for each in found]}, tables.schedules(found))


def show(ctx: typer.Context, schedule: ScheduleId, as_json: AsJson = False) -> None:
    """Show a schedule with what it asks.

    Example: freehold schedule show 5f0a91c27d3e64b8a1c09f27
    """
    screen = Screen(json=as_json)
    with world_of(ctx).client() as client, screen.progress("reading the schedule"):
        found = client.schedules.get(schedule)
    screen.answer(found.wire, tables.schedules([found]), found.input)


def remove(ctx: typer.Context, schedule: ScheduleId, as_json: AsJson = False) -> None:
    """Remove a schedule; runs that it has begun go on.

    Example: freehold schedule remove 5f0a91c27d3e64b8a1c09f27
    """
    screen = Screen(json=as_json)
    with world_of(ctx).client() as client, screen.progress("removing the schedule"):
        client.schedules.remove(schedule)
    screen.answer({"scheduleId": schedule, "removed": True}, f"Removed {schedule}.")
