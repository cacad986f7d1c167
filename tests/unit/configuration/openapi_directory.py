"""Thousands of OpenAPI documents of real APIs, each made into tools, and what providers would say of those."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, cast

import botocore.session
import jsonschema_rs
from botocore.validate import ParamValidator
from openai.types.responses import FunctionTool
from pydantic import ValidationError

from freehold.configuration import compile_agent
from freehold.configuration.group import MOST_TOOLS
from freehold.configuration.paths import at
from freehold.configuration.reading import read_text
from freehold.configuration.references import References
from freehold.configuration.selection import Operation, operations_of
from freehold.errors import Invalid, NotFound, Problem
from freehold.values.agent import Tool

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / ".venv-openapi" / "package" / "api"
LAMBDA = "arn:aws:lambda:us-east-1:123456789012:function:tools"
NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
KEY = re.compile(r"[a-zA-Z0-9_.-]{1,64}")

_NO_TOOL = "can be no tool"
_TOO_MANY = "Choose by operations"


def documents() -> list[Path]:
    """Every document, in a fixed order; raises `FileNotFoundError` where they were not fetched."""
    found = sorted(FOLDER.rglob("*.json"))
    if not found:
        raise FileNotFoundError(f"{FOLDER} holds no documents: `make unit` fetches them (npm is needed)")
    return found


def name_of(document: Path) -> str:
    return str(document.relative_to(FOLDER))


@dataclass
class Made:
    """What one document became. `seconds` of CPU is the most that one agent took to compile, of up to 128 tools."""

    operations: int = 0
    tools: list[Tool] = field(default_factory=list[Tool])
    problems: list[Problem] = field(default_factory=list[Problem])
    warnings: list[str] = field(default_factory=list[str])
    needs_choice: bool = False
    seconds: float = 0

    def compile(self, text: str, wanted: list[str] | None) -> list[Problem]:
        """Compile an agent of the operations `wanted`, or of all, and keep its tools."""
        schema = {"payload": text} | ({"operations": wanted} if wanted else {})
        begun = time.process_time()
        try:
            compiled = compile_agent(_agent(schema), name=None, schemas=Nowhere(), known_model=lambda _: None)
        except Invalid as error:
            return list(error.problems)
        finally:
            self.seconds = max(self.seconds, time.process_time() - begun)
        self.tools += compiled.agent.tools
        self.warnings += compiled.warnings
        return []


class Nowhere:
    """Documents are given as text here."""

    def read(self, bucket: str, key: str) -> str:
        raise NotFound(f"s3://{bucket}/{key}")


def _agent(schema: dict[str, Any]) -> dict[str, Any]:
    group = {"actionGroupName": "group", "actionGroupExecutor": {"lambda": LAMBDA}, "apiSchema": schema}
    model = {"model": "any", "api": "converse"}
    return {"agentName": "any", "foundationModel": model, "instruction": "Help.", "actionGroups": [group]}


def tools_of(text: str) -> Made:
    """The tools of the document in `text`: of all its operations, 128 at a time where it has more."""
    made = Made()
    made.problems = made.compile(text, None)
    if made.problems and not any(_TOO_MANY in problem.message for problem in made.problems):
        return made
    routes = routes_of(text)
    made.operations = len(routes)
    if made.problems:
        made.problems, made.needs_choice = [], True
        for start in range(0, len(routes), MOST_TOOLS):
            made.problems += _chosen(made, text, routes[start : start + MOST_TOOLS])
    return made


def routes_of(text: str) -> list[str]:
    document: Any = read_text(text)
    found = operations_of(document, References(document), "")
    return [one.route for one in found if isinstance(one, Operation)]


def _chosen(made: Made, text: str, routes: list[str]) -> list[Problem]:
    # One that is asked for by its name and can be no tool is refused; those beside it are not.
    while problems := made.compile(text, routes):
        no_tools = {problem.path for problem in problems if _NO_TOOL in problem.message}
        if not no_tools:
            break
        routes = [route for route in routes if _path(route) not in no_tools]
    return problems


def _path(route: str) -> str:
    method, _, url = route.partition(" ")
    return at("actionGroups[0].apiSchema.paths", url, method.lower())


@cache
def _converse() -> Any:
    model = botocore.session.get_session().get_service_model("bedrock-runtime")
    return model.operation_model("Converse").input_shape.members["toolConfig"]


def objections(tool: Tool) -> list[str]:
    """What a provider would not take of `tool`: by botocore's model of Converse, the openai SDK, and JSON Schema."""
    found = [*_shape_objections(tool), *_model_objections(tool)]
    try:
        jsonschema_rs.meta.validate(tool.input_schema)
        jsonschema_rs.validator_for(tool.input_schema, offline=True)
    except (jsonschema_rs.ValidationError, ValueError) as error:
        found.append(f"JSON Schema: {error}"[:300])
    return found


def _model_objections(tool: Tool) -> list[str]:
    found: list[str] = []
    specification = {
        "name": tool.name,
        "description": tool.description,
        "inputSchema": {"json": tool.input_schema},
    }
    report = ParamValidator().validate({"tools": [{"toolSpec": specification}]}, _converse())
    if report.has_errors():
        found.append(f"Converse: {report.generate_report()}")
    function = {"type": "function", "name": tool.name, "description": tool.description, "strict": False}
    try:
        taken = FunctionTool.model_validate(function | {"parameters": tool.input_schema}, strict=True)
        found += [f"FunctionTool does not know {name}" for name in taken.model_extra or {}]
    except ValidationError as error:
        found.append(f"FunctionTool: {error}")
    return found


def _shape_objections(tool: Tool) -> list[str]:
    schema = tool.input_schema
    found = [] if NAME.fullmatch(tool.name) else [f"the name {tool.name!r}"]
    found += [] if 0 < len(tool.description) <= 1_000 else ["the length of the description"]
    found += [f"the key {key!r}" for key in schema["properties"] if not KEY.fullmatch(key)]
    if schema["type"] != "object" or schema.keys() - {
        "type",
        "properties",
        "required",
        "additionalProperties",
    }:
        found.append("what stands at the top of the schema")
    found += [f"{key!r} is required and not offered" for key in _required(tool) - schema["properties"].keys()]
    offered = [argument.key for argument in tool.arguments]
    found += [] if offered == list(schema["properties"]) else ["arguments that go nowhere"]
    return found + [f"a {word} inside" for word in _faults_inside(schema)]


def _required(tool: Tool) -> set[str]:
    return set(tool.input_schema.get("required", []))


def _faults_inside(schema: Any) -> set[str]:
    """References and lists without a word of what they hold, which are refused only when a request is made."""
    found: set[str] = set()
    stack: list[tuple[Any, bool]] = [(schema, True)]
    while stack:
        node, is_schema = stack.pop()
        if isinstance(node, list):
            stack += [(one, is_schema) for one in cast("list[Any]", node)]
        if not isinstance(node, dict):
            continue
        given = cast("dict[str, Any]", node)
        if is_schema and isinstance(given.get("$ref"), str):
            found.add("$ref")
        if is_schema and given.get("type") == "array" and not {"items", "prefixItems"} & given.keys():
            found.add("list of nothing said")
        for key, value in given.items():
            if not is_schema:
                stack.append((value, True))
            elif key not in {"enum", "const", "default", "examples", "required"}:
                stack.append((value, key not in {"properties", "patternProperties", "dependentSchemas"}))
    return found
