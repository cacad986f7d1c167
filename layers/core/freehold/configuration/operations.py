"""Tools of an OpenAPI 3.0 or 3.1 document: one for each operation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from pydantic import ConfigDict
from pydantic.alias_generators import to_camel

from freehold.configuration.arguments import Arguments, plain_object
from freehold.configuration.document import ToolOptions, field_names
from freehold.configuration.group import MOST_TOOLS, shortened
from freehold.configuration.naming import plain_name
from freehold.configuration.openapi import read_openapi
from freehold.configuration.paths import at, choices, close_to, show
from freehold.configuration.schemas import Inliner, References, check_schema
from freehold.configuration.unsupported import refused_options
from freehold.configuration.validation import parse
from freehold.errors import Invalid, Problem
from freehold.values.agent import Tool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freehold.configuration.group import Group
    from freehold.configuration.schemas import Schema

PLACES = ("path", "query", "header", "cookie")
METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}

_FORM = "application/x-www-form-urlencoded"
# OpenAPI itself says that header parameters of these names are ignored.
_NOT_ARGUMENTS = {"accept", "content-type", "authorization"}


class _Extensions(ToolOptions):
    model_config = ConfigDict(alias_generator=lambda name: f"x-{to_camel(name)}")


def openapi_tools(text: str, group: Group, path: str) -> list[Tool]:
    """A tool for each operation of the document in `text`; what is wrong goes to `group.problems`."""
    try:
        document = read_openapi(text, path)
    except Invalid as error:
        group.problems += error.problems
        return []
    tools: list[Tool] = []
    seen: dict[str, str] = {}
    operations = list(_operations(document, at(path, "paths"), group.problems))
    if len(operations) > MOST_TOOLS:
        message = f"has {len(operations)} operations; at most {MOST_TOOLS} tools are allowed in one agent"
        group.problems.append(Problem(at(path, "paths"), message))
        return []
    for operation in operations:
        operation_id = operation.node.get("operationId")
        if operation_id in seen:
            message = f"is {show(operation_id)}, as at {seen[operation_id]}; it must be unique"
            group.problems.append(Problem(at(operation.path, "operationId"), message))
            continue
        if operation_id:
            seen[operation_id] = operation.path
        try:
            tools += _tool(operation, group)
        except Invalid as error:
            group.problems += error.problems
    if not tools and not group.problems:
        group.problems.append(Problem(at(path, "paths"), "has no operations, so there is nothing to call"))
    return tools


@dataclass
class _Operation:
    node: Schema
    method: str
    url: str
    path: str
    parameters: list[tuple[Any, str]]
    references: References
    version_30: bool


def _operations(document: Schema, path: str, problems: list[Problem]) -> Iterator[_Operation]:
    references = References(document)
    version_30 = document["openapi"].startswith("3.0")
    for url, node in cast("Schema", document.get("paths", {})).items():
        if url.startswith("x-"):
            continue
        try:
            item, where = references.follow(node, at(path, url))
        except Invalid as error:
            problems += error.problems
            continue
        if not isinstance(item, dict):
            problems.append(Problem(where, "refers to no path item"))
            continue
        shared = _listed(cast("Schema", item), where)
        for method, operation in cast("Schema", item).items():
            if method in METHODS and isinstance(operation, dict):
                own, here = cast("Schema", operation), at(where, method)
                parameters = [*shared, *_listed(own, here)]
                yield _Operation(own, method, url, here, parameters, references, version_30)


def _listed(node: Schema, path: str) -> list[tuple[Any, str]]:
    parameters: list[Any] = node.get("parameters", [])
    return [(one, at(path, "parameters", index)) for index, one in enumerate(parameters)]


def _tool(operation: _Operation, group: Group) -> list[Tool]:
    options = _options(operation, group)
    arguments = Arguments()
    inliner = Inliner(operation.references, operation.version_30)
    _add_parameters(operation, arguments, inliner)
    content_type = _add_body(operation, arguments, inliner)
    schema, places = arguments.done()
    if options is None:
        return []
    given_name = plain_name(operation.node.get("operationId", ""))
    repeatable = operation.method in ("get", "head")
    return [
        Tool(
            name=given_name or plain_name(f"{operation.method} {operation.url}"),
            description=_description(operation),
            input_schema=schema,
            action_group=group.name,
            arguments=places,
            lambda_arn=group.lambda_arn,
            idempotent=repeatable if options.idempotent is None else options.idempotent,
            enabled=group.enabled,
            api_path=operation.url,
            http_method=operation.method.upper(),
            body_content_type=content_type,
            timeout_seconds=options.timeout_seconds,
            max_attempts=options.max_attempts,
        )
    ]


def _options(operation: _Operation, group: Group) -> ToolOptions | None:
    """What the operation's `x-…` extensions say; None where they are wrong or not supported."""
    known = field_names(_Extensions)
    given: Schema = {}
    for key, value in operation.node.items():
        if key in known:
            given[key] = value
        elif key.startswith("x-") and (close := close_to(key, known)):
            group.warnings.append(f"{at(operation.path, key)} has no effect; did you mean {close}?")
    before = len(group.problems)
    options = parse(_Extensions, given, operation.path, group.problems)
    if options:
        group.problems += refused_options(options, operation.path, prefix="x-")
    return options if len(group.problems) == before else None


def _add_parameters(operation: _Operation, arguments: Arguments, inliner: Inliner) -> None:
    # An operation's own parameter replaces the path's of the same name and place.
    chosen: dict[tuple[str, str], tuple[Schema, str]] = {}
    for node, path in operation.parameters:
        parameter, where = operation.references.follow(node, path)
        given = cast("Schema", parameter) if isinstance(parameter, dict) else {}
        name, place = given.get("name"), given.get("in")
        if not isinstance(name, str) or place not in PLACES:
            raise Invalid("refers to no parameter", path=where)
        chosen[name, place] = given, where
    _check_template(operation, {name for name, place in chosen if place == "path"})
    for (name, place), (parameter, where) in chosen.items():
        if place == "header" and name.lower() in _NOT_ARGUMENTS:
            continue
        schema = _checked(inliner, *_parameter_schema(parameter, where))
        if isinstance(schema, dict) and isinstance(parameter.get("description"), str):
            schema = {**cast("Schema", schema), "description": parameter["description"]}
        if isinstance(schema, dict) and isinstance(shown := parameter.get("example"), str | int | float):
            schema = {"examples": [shown], **cast("Schema", schema)}
        required = parameter.get("required") is True or place == "path"
        arguments.add(name, schema, cast("Any", place), required=required)


def _checked(inliner: Inliner, schema: Any, path: str) -> Any:
    made = inliner.inline(schema, path)
    check_schema(made, path)
    return made


def _parameter_schema(parameter: Schema, path: str) -> tuple[Any, str]:
    for kind, media in parameter.get("content", {}).items():
        return media.get("schema", {}), at(path, "content", kind, "schema")
    return parameter.get("schema", {}), at(path, "schema")


def _check_template(operation: _Operation, declared: set[str]) -> None:
    named = {part.partition("}")[0] for part in operation.url.split("{")[1:]}
    for name in sorted(named - declared):
        raise Invalid(
            f"has no parameter {show(name)} with in: path, which {operation.url} names", path=operation.path
        )
    for name in sorted(declared - named):
        raise Invalid(
            f"has the path parameter {show(name)}, which {operation.url} lacks", path=operation.path
        )


def _add_body(operation: _Operation, arguments: Arguments, inliner: Inliner) -> str | None:
    if "requestBody" not in operation.node:
        return None
    body, path = operation.references.follow(operation.node["requestBody"], at(operation.path, "requestBody"))
    if not isinstance(body, dict) or not isinstance(cast("Schema", body).get("content"), dict):
        raise Invalid("refers to no request body", path=path)
    content: dict[str, Schema] = cast("Schema", body)["content"]
    kind = _content_type(content)
    if kind is None:
        found = choices(content) if content else "nothing"
        raise Invalid(f"offers {found}; must offer application/json or {_FORM}", path=at(path, "content"))
    where = at(path, "content", kind, "schema")
    schema = _checked(inliner, content[kind].get("schema", {}), where)
    bare = _bare(kind)
    if bare == _FORM and not (plain_object(schema) or ({},))[0]:
        raise Invalid("must be an object with properties, as forms are", path=where)
    arguments.add_body(schema, required=cast("Schema", body).get("required") is True)
    # Tools look the body up by its bare type, without a charset.
    return bare


def _bare(kind: str) -> str:
    return kind.partition(";")[0].strip().lower()


def _content_type(content: dict[str, Schema]) -> str | None:
    plain = {kind: _bare(kind) for kind in content}
    for kind, bare in plain.items():
        if bare == "application/json" or (bare.startswith("application/") and bare.endswith("+json")):
            return kind
    return next((kind for kind, bare in plain.items() if bare == _FORM), None)


def _description(operation: _Operation) -> str:
    summary, more = (str(operation.node.get(word) or "").strip() for word in ("summary", "description"))
    text = more if more.startswith(summary) else f"{summary}\n{more}".strip()
    return shortened(text or f"{operation.method.upper()} {operation.url}")
