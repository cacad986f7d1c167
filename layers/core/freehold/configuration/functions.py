"""Tools of a function schema: one for each function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freehold.configuration.arguments import Arguments, plain_object
from freehold.configuration.inlining import MAX_SCHEMAS, Inliner, TooLarge
from freehold.configuration.naming import plain_name
from freehold.configuration.paths import at, show
from freehold.configuration.references import References
from freehold.configuration.schemas import check_schema
from freehold.configuration.wording import shortened
from freehold.errors import Invalid, Problem
from freehold.values.agent import Tool

if TYPE_CHECKING:
    from freehold.configuration.document import Function, FunctionSchema, Parameter
    from freehold.configuration.group import Group
    from freehold.configuration.references import Schema


def function_tools(schema: FunctionSchema, group: Group, path: str) -> list[Tool]:
    """A tool for each function; what is wrong goes to `group.problems`."""
    tools: list[Tool] = []
    seen: set[str] = set()
    for index, function in enumerate(schema.functions):
        here = at(path, "functions", index)
        if function.name in seen:
            message = f"is {show(function.name)}, which another function of this group has"
            group.problems.append(Problem(at(here, "name"), message))
        seen.add(function.name)
        try:
            tools.append(_tool(function, group, here))
        except Invalid as error:
            group.problems.extend(error.problems)
    return tools


def _tool(function: Function, group: Group, path: str) -> Tool:
    arguments = Arguments()
    if function.input_schema is not None:
        add_schema(function.input_schema, arguments, at(path, "inputSchema"))
    for name, parameter in (function.parameters or {}).items():
        arguments.add(name, _parameter(parameter), "function", required=parameter.required)
    schema, places = arguments.done()
    tool = Tool(
        name=plain_name(function.name) or "function",
        description=shortened(function.description.strip() or function.name),
        input_schema=schema,
        action_group=group.name,
        arguments=places,
        lambda_arn="",
        idempotent=bool(function.idempotent),
        enabled=group.enabled,
        function=function.name,
        timeout_seconds=function.timeout_seconds,
        max_attempts=function.max_attempts,
    )
    return group.with_executor(tool, function)


def _parameter(parameter: Parameter) -> Schema:
    made: Schema = {"type": parameter.type}
    if parameter.description:
        made["description"] = parameter.description
    if parameter.type == "array":
        # Classic does not say what an array holds; some providers insist on a word about it.
        made["items"] = {}
    return made


def add_schema(given: Schema, arguments: Arguments, path: str) -> None:
    """Offer the properties of an object's schema; raises `Invalid` for one that no model takes."""
    try:
        schema: Any = Inliner(References(given)).inline(given, path)
    except TooLarge:
        raise Invalid(f"grows to more than {MAX_SCHEMAS:,} schemas; offer a smaller one", path=path) from None
    check_schema(schema, path)
    plain = plain_object(schema)
    if given.get("type", "object") != "object":
        raise Invalid(f"is {show(given['type'])}; must be object", path=at(path, "type"))
    if plain is None:
        allowed = (
            "type object with properties and required; put oneOf, anyOf, maps and the like into a property"
        )
        raise Invalid(f"must be of {allowed}", path=path)
    for name, part in plain[0].items():
        arguments.add(name, part, "function", required=name in plain[1])
