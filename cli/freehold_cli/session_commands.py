"""Sessions: list, show, hand-back, end, delete."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from itertools import groupby, islice
from typing import Annotated

import typer
from rich.text import Text

from freehold_client import Freehold, NotFound, Session, in_order

from . import session_tables
from .confirming import Yes, confirm
from .screen import AsJson, Screen
from .timeline import Timeline
from .world import world_of

SessionId = Annotated[
    str, typer.Argument(metavar="SESSION", help="The session's id, as `freehold sessions list` shows it.")
]

sessions = typer.Typer(help="Sessions: list, read, hand back, close and erase them.", no_args_is_help=True)


def list_sessions(
    ctx: typer.Context,
    agent: Annotated[str | None, typer.Option(metavar="NAME", help="Only of this agent.")] = None,
    memory: Annotated[str | None, typer.Option(metavar="ID", help="Only of this memory.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List sessions that have not expired, newest first.

    Example: freehold sessions list --agent customer-support-agent
    """
    screen = Screen(json=as_json)
    with world_of(ctx).client() as client, screen.progress("reading the sessions"):
        found = list(islice(client.sessions.list(agent=agent, memory_id=memory), limit))
        parked = _parked(client, found) if not as_json else ()
    screen.answer({"sessions": [each.wire for each in found]}, session_tables.sessions(found, parked))


def _parked(client: Freehold, found: Iterable[Session]) -> set[str]:
    """The runs that these sessions answer and that wait for somebody."""
    parked = set[str]()
    for run_id in (each.active_run_id for each in found if each.active_run_id):
        with suppress(NotFound):  # erased meanwhile
            parked |= {run_id} if client.runs.get(run_id).status == "AWAITING" else set()
    return parked


def show(
    ctx: typer.Context,
    session: SessionId,
    full: Annotated[bool, typer.Option("--full", help="Print long arguments and results whole.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show a session: what it is, and everything that was said and done in it.

    Example: freehold sessions show front-desk
    """
    screen = Screen(json=as_json)
    with world_of(ctx).client() as client, screen.progress("reading the session"):
        found = client.sessions.get(session)
        items = list(client.sessions.items(session))
        parked = _parked(client, [found])
    shown: list[Text] = [session_tables.session(found, parked)]
    for _, steps in groupby(in_order(items), key=lambda item: item.run_id):
        timeline, run = Timeline(full=full, width=screen.width), list(steps)
        shown += [session_tables.turn(run[0]), *(timeline.step(item) for item in run)]
    screen.answer({"session": found.wire, "items": [item.wire for item in items]}, *shown)


def hand_back(
    ctx: typer.Context,
    session: SessionId,
    note: Annotated[
        str, typer.Option(metavar="TEXT", help="What the agent is told; up to 20,000 characters.")
    ],
    as_json: AsJson = False,
) -> None:
    """Give a session that was escalated back to its agent, which reads the note and goes on.

    Example: freehold sessions hand-back front-desk --note "Refunded by hand."
    """
    screen = Screen(json=as_json)
    with world_of(ctx).client() as client, screen.progress("handing it back"):
        found = client.sessions.hand_back(session, note)
    screen.answer(found.wire, f"Handed {found.session_id} back to {found.agent}.")


def end(ctx: typer.Context, session: SessionId, as_json: AsJson = False) -> None:
    """Close a session: its id begins anew. What was said stays readable until it would have expired.

    Example: freehold sessions end front-desk
    """
    screen = Screen(json=as_json)
    with world_of(ctx).client() as client, screen.progress("closing the session"):
        found = client.sessions.end(session)
    told = f"Closed {found.session_id}."
    screen.answer(found.wire, told + (" Its summary is being finished." if found.summary_pending else ""))


def delete(ctx: typer.Context, session: SessionId, yes: Yes = False, as_json: AsJson = False) -> None:
    """Erase a session with all that was said in it, what is remembered of it, and its replays. Asks first.

    Example: freehold sessions delete front-desk --yes
    """
    world, screen = world_of(ctx), Screen(json=as_json)
    confirm(world, screen, f"Erasing session {session}", yes=yes)
    with world.client() as client, screen.progress("erasing"):
        report = client.sessions.delete(session)
    session_tables.conclude(screen, report)
