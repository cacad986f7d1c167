"""The executor `mcp`: the tools of an MCP server, as it lists them when the agent is applied."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any, Protocol, cast

from pydantic import BeforeValidator, Field

from freehold import mcp_messages
from freehold.configuration.arguments import Arguments
from freehold.configuration.functions import add_schema
from freehold.configuration.naming import plain_name
from freehold.configuration.part import Json, Part
from freehold.configuration.paths import at, choices, close_to, show
from freehold.configuration.reading import plain_data_problems
from freehold.configuration.server_auth import AuthDocument, Place, Url, auth_problems, server
from freehold.configuration.tool_options import ToolOptions
from freehold.configuration.wording import for_tool
from freehold.errors import Invalid, Problem
from freehold.value import replace
from freehold.values.agent import Server, Tool

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from freehold.configuration.document import ActionGroup
    from freehold.configuration.group import Group

MOST_SHOWN = 20
NOT_LISTED = "its tools are listed when the agent is applied to a stack; they were not looked at here"


class McpServers(Protocol):
    """Where tools are listed from."""

    def tools(self, server: Server) -> Sequence[Mapping[str, Any]]:
        """Their definitions. Raises `Invalid` where there are none to be had, and says why."""
        ...


def _tool(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


class AllowedTool(ToolOptions):
    name: Annotated[str, Field(min_length=1, max_length=256)]
    description: Annotated[str, Field(max_length=1_200)] | None = None


class McpExecutor(Part):
    url: Url
    auth: AuthDocument | None = None
    allowed_hosts: Annotated[list[Place], Field(max_length=20)] = []
    allowed_tools: (
        Annotated[list[Annotated[AllowedTool, BeforeValidator(_tool)]], Field(min_length=1, max_length=128)]
        | None
    ) = None


def mcp_problems(executor: McpExecutor, group: ActionGroup, path: str) -> Iterator[Problem]:
    """What no field of the executor shows by itself; `path` is the group's."""
    for name, schema in (("apiSchema", group.api_schema), ("functionSchema", group.function_schema)):
        if schema is not None:
            message = "does not go with an mcp executor, whose server lists its tools; leave it out"
            yield Problem(at(path, name), message)
    where = at(path, "actionGroupExecutor", "mcp")
    if executor.auth is not None:
        yield from auth_problems(executor.auth, executor.url, executor.allowed_hosts, at(where, "auth"))
        if executor.auth.placed == "query":
            message = "is query; MCP servers are told who asks in a header"
            yield Problem(at(where, "auth", "in"), message)
    for index, name in enumerate(one.name for one in executor.allowed_tools or ()):
        first = [one.name for one in executor.allowed_tools or ()].index(name)
        if first != index:
            here, there = at(where, "allowedTools", index), at(where, "allowedTools", first)
            yield Problem(here, f"is {show(name)}, as in {there}; each is named once")


def mcp_tools(executor: McpExecutor, group: Group, servers: McpServers | None, path: str) -> list[Tool]:
    """A tool for each that the server lists or, of these, that the agent allows. `path` is the executor's.

    What is wrong goes to `group.problems`.
    """
    if servers is None:
        group.warnings.append(f"{path}: {NOT_LISTED}")
        return []
    source = server(executor.url, executor.auth, executor.allowed_hosts)
    try:
        listed = [_plain(definition) for definition in servers.tools(source)]
    except Invalid as error:
        group.problems.extend(Problem(at(path, "url"), str(problem)) for problem in error.problems)
        return []
    made = _Tools(source, group, path, {str(one.get("name", "")): one for one in listed})
    twice = [name for name, count in Counter(str(one.get("name")) for one in listed).items() if count > 1]
    if twice:
        message = f"lists more than one tool of the name {choices(map(show, twice))}"
        group.problems.append(Problem(at(path, "url"), message))
        return []
    if executor.allowed_tools is None:
        asked = [(path, AllowedTool(name=name)) for name in made.definitions if name]
    else:
        asked = [(at(path, "allowedTools", index), one) for index, one in enumerate(executor.allowed_tools)]
    if not made.definitions:
        group.problems.append(Problem(at(path, "url"), "leads to a server that has no tools"))
    return [tool for where, one in asked if (tool := made.tool(one, where))]


class _Tools:
    """Makes tools of a server's `definitions`, by name."""

    def __init__(self, source: Server, group: Group, path: str, definitions: Mapping[str, Json]) -> None:
        self._source, self._group, self._path, self.definitions = source, group, path, definitions

    def tool(self, asked: AllowedTool, path: str) -> Tool | None:
        definition = self.definitions.get(asked.name)
        if definition is None:
            self._group.problems.append(Problem(path, self._unknown(asked.name)))
            return None
        arguments = Arguments()
        try:
            add_schema(definition.get("inputSchema", {}), arguments, "inputSchema")
        except Invalid as error:
            cure = "" if path != self._path else "; name those that are to be offered in allowedTools"
            told = "; ".join(str(problem) for problem in error.problems)
            message = f"offers the tool {show(asked.name)}, which no model could be given: {told}{cure}"
            self._group.problems.append(Problem(path, message))
            return None
        schema, places = arguments.done()
        said = asked.description or str(definition.get("description") or definition.get("title") or "")
        tool = Tool(
            name=plain_name(asked.name) or "tool",
            description=for_tool(said) or asked.name,
            input_schema=schema,
            action_group=self._group.name,
            arguments=places,
            lambda_arn="",
            idempotent=bool(asked.idempotent),
            enabled=self._group.enabled,
            function=asked.name,
            timeout_seconds=asked.timeout_seconds,
            max_attempts=asked.max_attempts,
            pin=mcp_messages.digest(definition),
        )
        return replace(self._group.with_executor(tool, asked), mcp=self._source)

    def _unknown(self, name: str) -> str:
        known = list(self.definitions)
        close = close_to(name, known)
        if close:
            return f"is {show(name)}, which the server does not have; did you mean {show(close)}?"
        more = f" and {len(known) - MOST_SHOWN} more" if len(known) > MOST_SHOWN else ""
        shown = ", ".join(map(show, known[:MOST_SHOWN])) or "none"
        return f"is {show(name)}, which the server does not have; it has {shown}{more}"


def _plain(definition: Mapping[str, Any]) -> Json:
    """As it came from a stranger's server; raises `Invalid` for what could not be stored."""
    given = dict(definition)
    problems = plain_data_problems(given)
    schema = cast("object", given.get("inputSchema", {}))
    if problems or not isinstance(schema, dict):
        told = "; ".join(map(str, problems)) or "its inputSchema is no object"
        raise Invalid(f"defines a tool that cannot be stored ({show(given.get('name'))}): {told}")
    return given
