"""No tool is larger than a model should be sent, whatever a document says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from freehold.configuration import Compiled
from freehold.values.agent import Tool

from .conftest import Workbench

IN = "actionGroups[0].apiSchema"
OK = {"responses": {"200": {"description": "ok"}}}
MOST_CHARACTERS = 40_000


def _document(parameters: list[Any], **more: Any) -> str:
    paths = {
        "/big": {"get": OK | {"operationId": "big", "parameters": parameters}},
        "/small": {"get": OK | {"operationId": "small"}},
    }
    return json.dumps(
        {"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": paths, "components": more}
    )


def _query(name: str, schema: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema} | more


def _compiled(bench: Workbench, parameters: list[Any], **more: Any) -> Compiled:
    return bench.compile(bench.with_api(_document(parameters, **more)))


def _tool(compiled: Compiled, name: str) -> Tool:
    (tool,) = [tool for tool in compiled.agent.tools if tool.name == name]
    return tool


def _size(tool: Tool) -> int:
    return len(json.dumps(tool.input_schema))


WIDE = [_query(f"p{n}", {"type": "string", "description": "x" * 190}) for n in range(480)]
LONG_VALUES = [_query("p", {"enum": [f"{n:0200}" for n in range(900)]})]


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        (WIDE, "characters; at most 40,000 are allowed"),
        (LONG_VALUES, "characters; at most 40,000 are allowed"),
        ([_query("p", {"const": "x" * 300_000})], "more than 200,000 characters"),
        ([_query("p", {"required": [f"{n:0200}" for n in range(2_000)]})], "more than 200,000 characters"),
        (
            [_query("p", {"type": "object", "properties": {f"{n:01000}": {} for n in range(300)}})],
            "more than 200,000 characters",
        ),
    ],
    ids=["parameters", "values", "constant", "required", "names"],
)
def test_an_operation_that_stays_too_large_is_no_tool(bench: Workbench, parameters: list[Any], why: str):
    compiled = _compiled(bench, parameters)

    assert [tool.name for tool in compiled.agent.tools] == ["small"]
    (warning,) = compiled.warnings
    assert warning.startswith(f"{IN} has operations that can be no tools: big (its arguments take ")
    assert why in warning


def test_an_operation_that_stays_too_large_is_refused_where_it_was_asked_for(bench: Workbench):
    schema = {"payload": _document(WIDE), "operations": ["big", "small"]}

    (problem,) = bench.problems(bench.document(actionGroups=[bench.group(apiSchema=schema)]))

    properties = {one["name"]: one["schema"] for one in WIDE}
    made = {"type": "object", "properties": properties, "additionalProperties": False}
    assert problem.path == f"{IN}.paths['/big'].get"
    assert problem.message == (
        f"can be no tool: its arguments take {len(json.dumps(made)):,} characters; at most 40,000 are allowed"
    )


def test_a_schema_that_is_large_and_has_no_levels_is_not_said_to_be_cut(bench: Workbench):
    compiled = _compiled(bench, WIDE[:120])

    tool = _tool(compiled, "big")
    assert len(tool.input_schema["properties"]) == 120
    assert 20_000 < _size(tool) <= MOST_CHARACTERS
    assert compiled.warnings == (
        f"{IN} has schemas of over 20,000 characters, with nothing inside to cut: big",
    )


def test_a_choice_of_very_many_values_is_not_listed(bench: Workbench):
    schema = {"type": "string", "description": "The country.", "enum": [f"C{n}" for n in range(60_000)]}

    compiled = _compiled(bench, [_query("country", schema)])

    assert _tool(compiled, "big").input_schema["properties"] == {
        "country": {
            "type": "string",
            "description": "The country. (one of 60,000 values)",
            "examples": ["C0", "C1"],
        }
    }
    assert compiled.warnings == (
        f"{IN} has choices of too many values to be listed: {IN}.paths['/big'].get.parameters[0].schema.enum",
    )


def test_a_choice_of_a_thousand_values_is_listed(bench: Workbench):
    values = [f"C{n}" for n in range(1_000)]

    compiled = _compiled(bench, [_query("country", {"enum": values})])

    assert _tool(compiled, "big").input_schema["properties"] == {"country": {"enum": values}}
    assert compiled.warnings == ()


def test_nothing_is_refused_because_a_choice_is_not_listed(bench: Workbench):
    schema = {"not": {"enum": [*range(2_000)]}, "minimum": 5}

    compiled = _compiled(bench, [_query("p", schema)])

    assert _tool(compiled, "big").input_schema["properties"] == {"p": {"minimum": 5}}


@pytest.mark.parametrize("value", ["x" * 201, ["x"] * 201, [["x" * 10] * 20], {"a": {"b": "x" * 200}}])
def test_a_long_default_is_left_out(bench: Workbench, value: Any):
    compiled = _compiled(bench, [_query("p", {"default": value, "format": "x" * 201}), _query("q", {})])

    assert _tool(compiled, "big").input_schema["properties"] == {"p": {}, "q": {}}


def test_a_long_title_is_shortened_and_what_is_short_is_kept(bench: Workbench):
    long, short = {"title": "word " * 40_000}, {"title": "Word", "default": ["x"] * 20, "format": "date"}

    made = _tool(_compiled(bench, [_query("p", long), _query("q", short)]), "big").input_schema["properties"]

    assert made["p"] == {"title": "word " * 38 + "word…"}
    assert made["q"] == short


def test_a_value_that_many_places_refer_to_is_not_repeated_without_end(bench: Workbench):
    many = {"type": "object", "properties": {f"p{n}": {"$ref": "#/components/schemas/E"} for n in range(200)}}

    compiled = _compiled(bench, [_query("p", many)], schemas={"E": LONG_VALUES[0]["schema"]})

    assert [tool.name for tool in compiled.agent.tools] == ["small"]
    assert "big (its arguments take more than 200,000 characters)" in compiled.warnings[0]
