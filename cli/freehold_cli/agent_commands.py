"""Agents: apply, validate, agents, deploy."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from freehold_client import Agent, Freehold, InvalidRequest, NotFound, Problem

from . import figures, tables
from .printable import one_line
from .screen import AsJson, Screen
from .settings import Down, WrongUse
from .world import Stack, World, world_of

File = Annotated[Path, typer.Argument(metavar="FILE", help="An agent as JSON or YAML.", show_default=False)]
Folder = Annotated[
    Path,
    typer.Argument(
        metavar="DIR",
        help="A folder with an agent file and a template.yaml for its tools.",
        show_default=False,
    ),
]


def apply(
    ctx: typer.Context,
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE…", help="Agents as JSON or YAML.", show_default=False)
    ],
    stack: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Fill each ${OutputKey} from this CloudFormation stack's outputs."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Store agents as drafts.

    A file that breaks the contract is refused with every problem that it has; the others are stored. Tells which
    tools came and went, and which ones an MCP server describes otherwise than before.

    Example: freehold apply examples/customer-support/agent.json --stack customer-support
    """
    from . import documents

    world, screen = world_of(ctx), Screen(json=as_json)
    read = [documents.read(path) for path in files]
    if stack is None:
        for path, document in zip(files, read, strict=True):
            if names := documents.placeholders(document):
                screen.note(f"{path} names {', '.join(names)}, which `--stack NAME` fills in")
    else:
        outputs = _outputs(world, stack)
        read = [documents.filled(document, outputs, f"the stack {stack}") for document in read]
    stored, refused = _all_applied(world, screen, files, read)
    if refused:
        raise _together(refused, stored)
    if as_json:
        wires = [agent.wire for agent in stored]
        screen.write_json(wires[0] if len(wires) == 1 else {"agents": wires})


def _all_applied(
    world: World, screen: Screen, files: Sequence[Path], read: Sequence[Mapping[str, Any]]
) -> tuple[list[Agent], dict[Path, InvalidRequest]]:
    """What is stored, and what is refused by its file."""
    stored, refused = list[Agent](), dict[Path, InvalidRequest]()
    with world.client() as client, screen.progress("applying"):
        for path, document in zip(files, read, strict=True):
            try:
                stored.append(_applied(client, screen, document))
            except InvalidRequest as error:
                refused[path] = error
    return stored, refused


def _applied(client: Freehold, screen: Screen, document: Mapping[str, Any]) -> Agent:
    """Told of at once, so that it is known what is stored when a later file fails."""
    before = None
    with suppress(NotFound, InvalidRequest):  # a name that cannot be read is refused when it is stored
        before = client.agents.get(str(document.get("agentName", "")))
    agent = client.agents.apply(document)
    if not screen.json:
        screen.show(_told(agent, changes(before, agent) if before else ""))
    return agent


def _together(refused: Mapping[Path, InvalidRequest], stored: Sequence[Agent]) -> InvalidRequest:
    """One error for all of the files, which its problems name where there are several."""
    first = next(iter(refused.values()))
    if len(refused) + len(stored) == 1:
        return first
    problems = [
        Problem(f"{path}: {problem.path}" if problem.path else str(path), problem.message)
        for path, error in refused.items()
        for problem in error.problems or [Problem("", error.detail or error.title)]
    ]
    told = {"problems": [{"path": each.path, "message": each.message} for each in problems]}
    wire = {**first.wire, **told, "stored": [agent.agent_name for agent in stored]}
    return InvalidRequest(first.status, first.title, first.detail, problems, wire=wire)


def changes(before: Agent, after: Agent) -> str:
    """Which tools came and went, and which ones an MCP server describes otherwise than before."""
    old, new = ({tool.name: tool.definition for tool in agent.tools} for agent in (before, after))
    other = [
        name for name in new if name in old and "" not in (old[name], new[name]) and old[name] != new[name]
    ]
    told = {
        "new": [name for name in new if name not in old],
        "gone": [name for name in old if name not in new],
        "with another definition": other,
    }
    return one_line("; ".join(f"{how}: {', '.join(names)}" for how, names in told.items() if names))


def _outputs(world: World, stack: str) -> dict[str, str]:
    """From the local stack when that is spoken to, else from the user's own account."""
    if not world.target().local:
        return world.account({}).outputs(stack)
    local = world.local_stack()
    if local.running() is None:
        raise Down("the local stack is not running")
    return world.account(local.aws.environment()).outputs(stack)


def agents(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Show this one in full.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the agents, or show one with its tools, versions and aliases.

    Example: freehold agents customer-support-agent
    """
    screen = Screen(json=as_json)
    with world_of(ctx).client() as client, screen.progress("reading"):
        if name is None:
            found = list(client.agents.list())
            wire: dict[str, Any] = {"agents": [agent.wire for agent in found]}
            shown: list[Any] = [tables.agents(found)]
        else:
            wire, shown = _one(client, name)
    screen.answer(wire, *shown)


def _one(client: Freehold, name: str) -> tuple[dict[str, Any], list[Any]]:
    agent = client.agents.get(name)
    return agent.wire, tables.agent(
        agent, list(client.agents.versions(name)), list(client.agents.aliases(name))
    )


def deploy(
    ctx: typer.Context,
    directory: Folder,
    name: Annotated[
        str | None, typer.Option("--stack", metavar="NAME", help="Default: the folder's name.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Deploy a folder to the local stack.

    First its template.yaml (the tools), then its agent with the outputs of that stack filled in.

    Example: freehold deploy examples/customer-support
    """
    world, screen = world_of(ctx), Screen(json=as_json)
    if not world.target().local:
        raise WrongUse(
            "deploy is for the local stack, and FREEHOLD_URL names another",
            "There: `sam deploy` the folder's template, then `freehold apply FILE --stack NAME`.",
        )
    local = world.local_stack()
    if local.running() is None:
        raise Down("the local stack is not running")
    with world.client() as client:
        agent = deployed(screen, local, client, directory, name)
    screen.answer(agent.wire, _told(agent))


def deployed(
    screen: Screen, stack: Stack, client: Freehold, directory: Path, name: str | None = None
) -> Agent:
    """Deploy the folder's own stack, where it has one, and apply its agent with that stack's outputs."""
    from . import documents

    document = documents.read(documents.agent_file(directory))
    outputs: dict[str, str] = {}
    name = name or stack_name(directory)
    with screen.progress(f"deploying {directory.name}", lines=True):
        if (directory / "template.yaml").is_file():
            outputs = stack.deploy(directory, name)
        return client.agents.apply(documents.filled(document, outputs, f"the stack {name}"))


def stack_name(directory: Path) -> str:
    """The folder's name as CloudFormation allows it."""
    name = re.sub(r"[^A-Za-z0-9]+", "-", directory.resolve().name).strip("-")[:128]
    return name if name[:1].isalpha() else f"stack-{name}"


def stored(agent: Agent) -> str:
    names = ", ".join(tool.name for tool in agent.tools)
    tools = f" with {figures.count(len(agent.tools), 'tool')}: {names}" if agent.tools else " without tools"
    return one_line(f"{agent.agent_name} is stored{tools}")


def _told(agent: Agent, changed: str = "") -> Text:
    told = Text().append(stored(agent), "green")
    if changed:
        told.append(f"\n{changed}", "yellow")
    for warning in agent.warnings:
        told.append(f"\nwarning: {one_line(warning)}", "yellow")
    return told.append(f'\nfreehold ask {one_line(agent.agent_name)} "…"', "dim")
