"""What function schemas become."""

from __future__ import annotations

from typing import Any

import pytest

from freehold.values.agent import Argument

from .conftest import LAMBDA, Workbench

IN = "actionGroups[0].functionSchema.functions[0]"


def test_a_function_of_classic_becomes_a_tool(bench: Workbench):
    parameters = {
        "order": {"type": "string", "description": "Its number", "required": True},
        "lines": {"type": "array"},
    }
    function = {"name": "open_return", "description": "Opens a return", "parameters": parameters}

    (tool,) = bench.compile(bench.with_functions(function)).agent.tools

    assert (tool.name, tool.function, tool.description) == ("open_return", "open_return", "Opens a return")
    assert (tool.action_group, tool.lambda_arn) == ("orders", LAMBDA)
    assert (tool.api_path, tool.http_method, tool.body_content_type) == (None, None, None)
    assert (tool.idempotent, tool.timeout_seconds, tool.max_attempts) == (False, 60, 3)
    assert tool.input_schema == {
        "type": "object",
        "properties": {
            "order": {"type": "string", "description": "Its number"},
            "lines": {"type": "array", "items": {}},
        },
        "required": ["order"],
        "additionalProperties": False,
    }
    assert tool.arguments == (
        Argument("order", "order", "string", "function"),
        Argument("lines", "lines", "array", "function"),
    )


def test_a_function_may_have_any_json_schema_and_options(bench: Workbench):
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {"to": {"$ref": "#/$defs/Place"}},
        "required": ["to"],
        "$defs": {
            "Place": {"oneOf": [{"type": "string"}, {"$ref": "#/$defs/Point"}]},
            "Point": {"type": "array"},
        },
    }
    options = {"idempotent": True, "timeoutSeconds": 5, "maxAttempts": 10}

    (tool,) = bench.compile(
        bench.with_functions({"name": "go", "inputSchema": schema, **options})
    ).agent.tools

    assert tool.input_schema["properties"] == {
        "to": {"oneOf": [{"type": "string"}, {"type": "array", "items": {}}]}
    }
    assert tool.input_schema["required"] == ["to"]
    assert (tool.idempotent, tool.timeout_seconds, tool.max_attempts) == (True, 5, 10)
    assert tool.description == "go"


@pytest.mark.parametrize("function", [{"name": "f"}, {"name": "f", "parameters": {}}])
def test_a_function_needs_no_parameters(bench: Workbench, function: dict[str, Any]):
    (tool,) = bench.compile(bench.with_functions(function)).agent.tools

    assert tool.input_schema == {"type": "object", "properties": {}, "additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "path", "message"),
    [
        ({"type": "array"}, "inputSchema.type", 'is "array"; must be object'),
        ({"type": "objct"}, "inputSchema.type", 'is "objct"; must be'),
        ({"properties": []}, "inputSchema.properties", "must be of type object"),
        ({"required": [1]}, "inputSchema.required[0]", "must be of type string"),
        ({"oneOf": [{}]}, "inputSchema", "put oneOf, anyOf, maps and the like into a property"),
        (
            {"additionalProperties": {"type": "string"}},
            "inputSchema",
            "must be of type object with properties",
        ),
        ({"properties": {"a": {"$ref": "https://x/y"}}}, "inputSchema.properties.a.$ref", "never read"),
        (
            {"properties": {"a": {"$ref": "#/$defs/No"}}},
            "inputSchema.properties.a.$ref",
            "not in this document",
        ),
        ({"properties": {"a": {"pattern": "["}}}, "inputSchema.properties.a.pattern", "regex"),
        ([], "inputSchema", "must be an object"),
    ],
)
def test_an_input_schema_that_cannot_be_used_is_refused(
    bench: Workbench, schema: Any, path: str, message: str
):
    (problem,) = bench.problems(bench.with_functions({"name": "f", "inputSchema": schema}))

    assert problem.path == f"{IN}.{path}"
    assert message in problem.message


def test_a_function_has_parameters_or_a_schema(bench: Workbench):
    (problem,) = bench.problems(bench.with_functions({"name": "f", "parameters": {}, "inputSchema": {}}))

    assert (problem.path, problem.message) == (IN, "must not have both parameters and inputSchema")


def test_a_group_has_one_tool_source(bench: Workbench):
    group = bench.group(functionSchema={"functions": [{"name": "f"}]}, apiSchema={"payload": bench.library})

    (problem,) = bench.problems(bench.document(actionGroups=[group]))

    assert (problem.path, "exactly one" in problem.message) == ("actionGroups[0]", True)


def test_a_group_needs_an_executor(bench: Workbench):
    group = {"actionGroupName": "orders", "functionSchema": {"functions": [{"name": "f"}]}}

    (problem,) = bench.problems(bench.document(actionGroups=[group]))

    assert (problem.path, problem.message) == (
        "actionGroups[0].actionGroupExecutor",
        'is required: {"lambda": ARN}, or one of customControl, http and mcp',
    )
