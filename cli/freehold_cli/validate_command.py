"""Checking an agent file without any stack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, cast

from rich.text import Text

from . import figures
from .agent_commands import File
from .printable import one_line
from .screen import AsJson, Screen

if TYPE_CHECKING:
    from freehold.values.agent import Agent, Tool


def validate(file: File, as_json: AsJson = False) -> None:
    """Check an agent file offline and list its tools.

    Names every problem with its path, or prints the tools as the model would see them. An ${OutputKey} stands
    for some ARN here; `apply --stack` fills it in.

    Example: freehold validate examples/customer-support/agent.json
    """
    from freehold.adapters.catalog import Catalog
    from freehold.configuration import compile_agent

    from . import documents

    screen = Screen(json=as_json)
    document = documents.rehearsed(documents.read(file))
    compiled = compile_agent(document, name=None, schemas=Offline(), known_model=Catalog.packaged().find)
    agent, warnings = compiled.agent, compiled.warnings
    wire = {
        "agentName": agent.name,
        "tools": [_wire(tool) for tool in agent.tools],
        "warnings": list(warnings),
    }
    told = [Text(f"\nwarning: {one_line(warning)}", "yellow") for warning in warnings]
    screen.answer(wire, *_shown(agent), *told)


class Offline:
    """Reads no schema: what lies in S3 is only known to a stack."""

    def read(self, bucket: str, key: str) -> NoReturn:
        from freehold.errors import Invalid

        raise Invalid(f"lies in S3 (s3://{bucket}/{key}), where only a stack reads it")


def _wire(tool: Tool) -> dict[str, Any]:
    return {
        "name": tool.name,
        "description": tool.description,
        "actionGroup": tool.action_group,
        "inputSchema": tool.input_schema,
    }


def _shown(agent: Agent) -> list[Text]:
    head = Text().append("✓ ", "green").append(one_line(agent.name), "bold")
    head.append(f" is valid, with {figures.count(len(agent.tools), 'tool')}", "green")
    return [head, *(_tool(tool) for tool in agent.tools)]


def _tool(tool: Tool) -> Text:
    shown = Text("\n").append(one_line(tool.name), "bold magenta")
    shown.append(f"  {one_line(tool.action_group)}{'' if tool.enabled else ', disabled'}", "dim")
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
