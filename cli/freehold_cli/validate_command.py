"""Checking agent files without any stack."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, cast

import typer
from rich.console import RenderableType
from rich.text import Text

from freehold.errors import Invalid, Problem

from . import figures, tables
from .printable import one_line
from .screen import AsJson, Screen
from .world import world_of

if TYPE_CHECKING:
    from freehold.configuration import Compiled, Schemas
    from freehold.values.agent import Agent, Tool

    from .documents import Document

MOST_ARGUMENTS = 6
UNREAD = "was not read, and its tools are missing here; --s3 reads it with your AWS credentials"
_GROUP = re.compile(r"actionGroups\[([0-9]+)\]\.apiSchema")

Region = Annotated[
    str | None,
    typer.Option(metavar="REGION", help="Where Amazon Bedrock is asked.", show_default="AWS_REGION"),
]


def validate(
    ctx: typer.Context,
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE…", help="Agents as JSON or YAML.", show_default=False)
    ],
    s3: Annotated[
        bool, typer.Option("--s3", help="Read OpenAPI documents in S3, with your AWS credentials.")
    ] = False,
    region: Region = None,
    full: Annotated[
        bool, typer.Option("--full", help="Print each tool as the model sees it, with its arguments.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check agent files offline and list their tools, with the tokens that each costs in every model call.

    Names every problem with its path, and warns of models that the Region does not offer. Tokens are estimates: a
    token for every four characters of JSON. An ${OutputKey} stands for some ARN here; `apply --stack` fills it in.

    Example: freehold validate examples/customer-support/agent.json
    """
    screen = Screen(json=as_json)
    world = world_of(ctx)
    schemas = world.account({}) if s3 else Offline()
    region = region or world.environ.get("AWS_REGION") or world.environ.get("AWS_DEFAULT_REGION")
    wires: list[dict[str, Any]] = []
    shown: list[RenderableType] = []
    problems: list[Problem] = []
    for file in files:
        try:
            compiled = _compiled(file, schemas, region)
        except Invalid as error:
            problems += _of_file(error.problems, file if len(files) > 1 else None)
            continue
        wires.append(_wire(compiled))
        shown += _shown(compiled, full=full)
    if wires and not (problems and as_json):
        screen.answer(wires[0] if len(files) == 1 else {"agents": wires}, *shown)
    if problems:
        raise Invalid(problems)


class Offline:
    """Reads no schema: what lies in S3 takes an account to read."""

    def read(self, bucket: str, key: str) -> NoReturn:
        raise Invalid(f"s3://{bucket}/{key} {UNREAD}")


def _compiled(file: Path, schemas: Schemas, region: str | None) -> Compiled:
    """The agent in `file`, without the action groups whose documents could not be read here."""
    from . import documents

    document = documents.rehearsed(documents.read(file))
    try:
        return _compile(document, schemas, region)
    except Invalid as error:
        unread = [problem for problem in error.problems if problem.message.endswith(UNREAD)]
        if not unread or len(unread) < len(error.problems):
            raise
    indexes = {int(found[1]) for problem in unread if (found := _GROUP.match(problem.path))}
    groups = [group for index, group in enumerate(document["actionGroups"]) if index not in indexes]
    rest = _compile({**document, "actionGroups": groups}, schemas, region)
    return type(rest)(rest.agent, rest.source, (*rest.warnings, *map(str, unread)))


def _compile(document: Document, schemas: Schemas, region: str | None) -> Compiled:
    from freehold.adapters.catalog import Catalog
    from freehold.configuration import compile_agent

    known_model = Catalog.packaged().find
    return compile_agent(document, name=None, schemas=schemas, known_model=known_model, region=region)


def _of_file(problems: Sequence[Problem], file: Path | None) -> list[Problem]:
    if file is None:
        return list(problems)
    # What a file's own reader says names the file already.
    return [
        problem
        if problem.path.startswith(str(file))
        else Problem(f"{file}: {problem.path}" if problem.path else str(file), problem.message)
        for problem in problems
    ]


def _tokens(text: str) -> int:
    from freehold.configuration.tokens import tokens_of_text

    return tokens_of_text(text)


def _cost(tool: Tool) -> int:
    from freehold.configuration.tokens import tokens_of_tool

    return tokens_of_tool(tool)


def _offered(agent: Agent) -> int:
    return sum(_cost(tool) for tool in agent.tools if tool.enabled)


def _wire(compiled: Compiled) -> dict[str, Any]:
    agent = compiled.agent
    tools = [
        {
            "name": tool.name,
            "description": tool.description,
            "actionGroup": tool.action_group,
            "enabled": tool.enabled,
            "executor": tool.executor,
            "calls": _calls(tool),
            "waitsFor": list(tool.waits),
            "inputSchema": tool.input_schema,
            "estimatedTokens": _cost(tool),
        }
        for tool in agent.tools
    ]
    estimate = {"tools": _offered(agent), "instruction": _tokens(agent.instruction)}
    return {
        "agentName": agent.name,
        "tools": tools,
        "estimatedTokens": estimate,
        "warnings": list(compiled.warnings),
    }


def _calls(tool: Tool) -> str:
    if tool.collaborator is not None:
        return f"agent {tool.collaborator.agent}:{tool.collaborator.alias or 'DRAFT'}"
    return tool.function or tool.built_in or f"{tool.http_method} {tool.api_path}"


def _shown(compiled: Compiled, *, full: bool) -> list[RenderableType]:
    agent = compiled.agent
    head = Text().append("✓ ", "green").append(one_line(agent.name), "bold")
    listed = ", and with those of its MCP servers, which are not counted" if _asks_mcp(compiled) else ""
    head.append(f" is valid, with {figures.count(len(agent.tools), 'tool')}{listed}", "green")
    rows = [
        (
            tool.name,
            _calls(tool),
            ", ".join(tool.waits),
            _arguments(tool),
            f"{_cost(tool):,}" if tool.enabled else "disabled",
        )
        for tool in agent.tools
    ]
    told: list[RenderableType] = [head]
    if full:
        told += [_tool(tool) for tool in agent.tools]
    elif rows:
        told += [Text(), tables.costs(rows)]
    sum_up = f"about {_offered(agent):,} tokens of tools and {_tokens(agent.instruction):,} of instruction"
    told.append(Text(f"\n{sum_up} in every model call", "dim"))
    return told + [Text(f"warning: {one_line(warning)}", "yellow") for warning in compiled.warnings]


def _asks_mcp(compiled: Compiled) -> bool:
    groups = cast("list[dict[str, Any]]", compiled.source.get("actionGroups") or [])
    return any("mcp" in (group.get("actionGroupExecutor") or {}) for group in groups)


def _arguments(tool: Tool) -> str:
    """The names of what the model fills in; `*` marks what it must."""
    required = set(tool.input_schema.get("required", ()))
    names = [
        f"{name}*" if name in required else str(name) for name in tool.input_schema.get("properties", {})
    ]
    more = len(names) - MOST_ARGUMENTS
    return ", ".join(names[:MOST_ARGUMENTS]) + (f" and {more} more" if more > 0 else "")


def _tool(tool: Tool) -> Text:
    shown = Text("\n").append(one_line(tool.name), "bold magenta")
    shown.append(f"  {one_line(tool.action_group)}{'' if tool.enabled else ', disabled'}", "dim")
    shown.append(f"  {one_line(_calls(tool))}  {_cost(tool):,} tokens", "dim")
    if tool.waits:
        shown.append(f"  waits for {', '.join(tool.waits)}", "yellow")
    if tool.description:
        shown.append(f"\n  {one_line(tool.description)}")
    required = set(tool.input_schema.get("required", ()))
    for name, schema in tool.input_schema.get("properties", {}).items():
        facts = cast("dict[str, Any]", schema) if isinstance(schema, dict) else {}
        shown.append("\n  · ", "dim").append(one_line(name), "cyan")
        shown.append(f" {_kind(facts)}{', required' if name in required else ''}", "dim")
        if facts.get("description"):
            shown.append(f"  {one_line(str(facts['description']))}")
    return shown


def _kind(schema: dict[str, Any]) -> str:
    """The type in a word or two, or the values to choose from."""
    choices = schema.get("enum") or schema.get("type") or "any"
    if isinstance(choices, list):
        return one_line(" | ".join(str(each) for each in cast("list[Any]", choices)))
    return one_line(str(choices))
