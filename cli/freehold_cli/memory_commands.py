"""Memories: list, show, delete. And erasing all of a principal."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

import typer

from freehold_client import Freehold, Memory, NotFound

from . import session_tables
from .confirming import Yes, confirm
from .screen import AsJson, Screen
from .settings import WrongUse
from .world import world_of

AgentName = Annotated[str, typer.Argument(metavar="AGENT", help="The agent's name.")]
MemoryId = Annotated[str, typer.Argument(metavar="ID", help="The memory's id.")]

memory = typer.Typer(
    help="Memories: what agents remember of earlier sessions. List, read and erase them.",
    no_args_is_help=True,
)


def list_memories(
    ctx: typer.Context,
    agent: AgentName,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the sessions that an agent remembers, newest first.

    Example: freehold memory list customer-support-agent
    """
    screen = Screen(json=as_json)
    with world_of(ctx).client() as client, screen.progress("reading the memories"):
        found = list(islice(client.memories.list(agent), limit))
    screen.answer({"memories": [each.wire for each in found]}, session_tables.memories(found))


def show(ctx: typer.Context, agent: AgentName, memory_id: MemoryId, as_json: AsJson = False) -> None:
    """Show what an agent remembers under an id, oldest session first.

    Example: freehold memory show customer-support-agent customer-7
    """
    screen = Screen(json=as_json)
    with world_of(ctx).client() as client, screen.progress("reading the memory"):
        found = _found(client, agent, memory_id)
    screen.answer(found.wire, *session_tables.memory(found))


def _found(client: Freehold, agent: str, memory_id: str) -> Memory:
    try:
        return client.memories.get(agent, memory_id)
    except NotFound as error:
        error.add_note(f"`freehold memory list {agent}` tells what the agent remembers.")
        raise


def delete(
    ctx: typer.Context,
    agent: AgentName,
    memory_id: MemoryId,
    session: Annotated[str | None, typer.Option(metavar="ID", help="Forget this session alone.")] = None,
    everything: Annotated[
        bool,
        typer.Option("--everything", help="Erase the sessions as well, with all that was said and replays."),
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Make an agent forget what it remembers under an id. The sessions stay, unless --everything. Asks first.

    Example: freehold memory delete customer-support-agent customer-7 --everything --yes
    """
    if session is not None and everything:
        raise WrongUse("--session forgets one session, --everything erases them all: choose one")
    world, screen = world_of(ctx), Screen(json=as_json)
    what = f"memory {memory_id}" if session is None else f"session {session} in memory {memory_id}"
    confirm(world, screen, f"Erasing {what}{' with its sessions' if everything else ''}", yes=yes)
    with world.client() as client, screen.progress("erasing"):
        if everything:
            report = client.erasures.memory(agent, memory_id)
        else:
            report = client.memories.delete(agent, memory_id, session_id=session)
    session_tables.conclude(screen, report)


def erase(
    ctx: typer.Context,
    principal: Annotated[
        str,
        typer.Argument(metavar="PRINCIPAL", help="TYPE:ID, as runs show it; a key is key:ID."),
    ],
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Erase every session that somebody wrote to, with what is remembered of it and its replays. Asks first.

    Example: freehold erase key:0123456789ab --yes
    """
    world, screen = world_of(ctx), Screen(json=as_json)
    confirm(world, screen, f"Erasing every session of {principal}", yes=yes)
    with world.client() as client, screen.progress("erasing"):
        report = client.erasures.principal(principal)
    session_tables.conclude(screen, report)
