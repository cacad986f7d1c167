"""What OpenAPI documents become."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest

from freehold.configuration.reading import read_text
from freehold.values.agent import Argument, Tool

from .conftest import Workbench


def _tools(bench: Workbench, payload: str) -> dict[str, Tool]:
    return {tool.name: tool for tool in bench.compile(bench.with_api(payload)).agent.tools}


def _one(bench: Workbench, operation: dict[str, Any], *, version: str = "3.1.0", **more: Any) -> Tool:
    """The tool of a document with this POST operation alone."""
    document = _document({"/things": {"post": {"responses": {"200": {"description": "ok"}}} | operation}})
    (tool,) = _tools(bench, json.dumps({**document, "openapi": version, **more})).values()
    return tool


def _document(paths: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": paths} | more


def _body(schema: Any, kind: str = "application/json", **more: Any) -> dict[str, Any]:
    return {"requestBody": {"content": {kind: {"schema": schema}}} | more}


def test_each_operation_becomes_one_tool_in_document_order(bench: Workbench):
    tools = _tools(bench, bench.pet_hotel)

    assert {name: (tool.http_method, tool.api_path) for name, tool in tools.items()} == {
        "listStays": ("GET", "/stays"),
        "bookStay": ("POST", "/stays"),
        "put_stays_id": ("PUT", "/stays/{id}"),
        "cancel_stay": ("DELETE", "/stays/{id}"),
        "addNotes": ("POST", "/notes"),
        "leaveFeedback": ("POST", "/feedback"),
    }
    assert list(tools)[:2] == ["listStays", "bookStay"]


def test_only_reading_may_be_repeated_unless_the_document_says_otherwise(bench: Workbench):
    tools = _tools(bench, bench.pet_hotel) | _tools(bench, bench.library)

    assert {name for name, tool in tools.items() if tool.idempotent} == {
        *("listStays", "findBook", "head_desk"),
        "put_stays_id",
    }


def test_extensions_set_timeout_and_attempts(bench: Workbench):
    tools = _tools(bench, bench.pet_hotel)

    assert (tools["bookStay"].timeout_seconds, tools["bookStay"].max_attempts) == (20, 1)
    assert (tools["listStays"].timeout_seconds, tools["listStays"].max_attempts) == (60, 3)


def test_parameters_of_path_and_operation_become_flat_arguments(bench: Workbench):
    tool = _tools(bench, bench.pet_hotel)["listStays"]

    assert tool.arguments == (
        Argument("branch", "branch", "string", "query"),
        Argument("from", "from", "string", "query"),
        Argument("species", "species", "array", "query"),
        Argument("X-Desk", "X-Desk", "integer", "header"),
    )
    assert tool.input_schema == {
        "type": "object",
        "properties": {
            "branch": {"type": "string", "examples": ["north"]},
            "from": {"type": "string", "format": "date", "description": "First night"},
            "species": {"type": "array", "items": {"type": "string", "enum": ["cat", "dog", "rabbit"]}},
            "X-Desk": {"type": "integer"},
        },
        "required": ["branch", "X-Desk"],
        "additionalProperties": False,
    }


def test_a_body_is_flattened_modernized_and_cut_where_it_recurs(bench: Workbench):
    tool = _tools(bench, bench.pet_hotel)["bookStay"]

    assert tool.input_schema["properties"] == {
        "branch": {"type": "string", "examples": ["north"]},
        "pet": {
            "type": "object",
            "description": "A guest on four legs",
            "properties": {
                "name": {"type": "string"},
                "mother": {"type": "object", "description": "(recursive: Pet)"},
            },
        },
        "nights": {"type": "integer", "minimum": 1, "examples": [3]},
        "extras": {"type": ["string", "null"], "enum": ["walk", "brush", None]},
    }
    assert tool.input_schema["required"] == ["branch", "pet", "nights"]
    assert tool.arguments[1:] == (
        Argument("pet", "pet", "object", "body"),
        Argument("nights", "nights", "integer", "body"),
        Argument("extras", "extras", "string", "body"),
    )
    assert tool.body_content_type == "application/json"


def test_the_description_is_summary_and_description(bench: Workbench):
    tools = _tools(bench, bench.pet_hotel)

    assert tools["bookStay"].description == (
        "Books a stay.\nThe pet must be known. Fails when the branch is full."
    )
    assert tools["cancel_stay"].description == "DELETE /stays/{id}"


@pytest.mark.parametrize("text", ["word " * 400, "w" * 2_000])
def test_a_long_description_is_cut_at_a_word(bench: Workbench, text: str):
    description = _one(bench, {"description": text}).description

    assert 900 < len(description) <= 1_000
    assert description.endswith(("word…", "www…"))


def test_a_body_property_named_like_a_parameter_gets_another_key(bench: Workbench):
    tool = _tools(bench, bench.pet_hotel)["put_stays_id"]

    assert tool.arguments == (
        Argument("id", "id", "string", "path"),
        Argument("body_id", "id", "string", "body"),
        Argument("nights", "nights", "integer", "body"),
    )
    assert tool.input_schema["required"] == ["id", "body_id"]
    assert tool.input_schema["properties"]["nights"] == {"type": "integer", "exclusiveMinimum": 0}


def test_a_body_that_is_no_object_becomes_one_argument(bench: Workbench):
    tool = _tools(bench, bench.pet_hotel)["addNotes"]

    assert tool.arguments == (Argument("body", "body", "array", "wholeBody"),)
    assert tool.input_schema["required"] == ["body"]


def test_a_form_is_sent_as_properties(bench: Workbench):
    tool = _tools(bench, bench.pet_hotel)["leaveFeedback"]

    assert tool.arguments == (Argument("stars", "stars", "integer", "body"),)
    assert tool.body_content_type == "application/x-www-form-urlencoded"


def test_parameters_of_one_name_and_foreign_characters_get_keys_of_their_own(bench: Workbench):
    tool = _tools(bench, bench.library)["findBook"]

    assert tool.arguments == (
        Argument("isbn", "isbn", "string", "path"),
        Argument("query_isbn", "isbn", "boolean", "query"),
        # A parameter with `content` is JSON.
        Argument("filter_shelf", "filter[shelf]", "object", "query", "json"),
    )
    assert tool.input_schema["required"] == ["isbn"]


def test_a_body_of_several_objects_is_put_together(bench: Workbench):
    tool = _tools(bench, bench.library)["lend"]

    assert tool.input_schema["properties"]["isbn"] == {"type": "string"}
    assert tool.input_schema["properties"]["reader"] == {
        "allOf": [{"type": "string", "description": "A reader's number"}],
        "minLength": 3,
        "description": "Who borrows",
    }
    assert sorted(tool.input_schema["required"]) == ["isbn", "reader"]
    assert tool.body_content_type == "application/json"


def test_alternatives_are_kept_in_one_argument(bench: Workbench):
    tool = _tools(bench, bench.library)["renew"]

    assert tool.arguments == (Argument("body", "body", "object", "wholeBody"),)
    assert [branch["type"] for branch in tool.input_schema["properties"]["body"]["anyOf"]] == ["object"] * 2


@pytest.mark.parametrize(
    ("schema", "type_name"),
    [
        ({}, "string"),
        (True, "string"),
        ({"type": ["null", "integer"]}, "integer"),
        ({"items": {}}, "array"),
        ({"additionalProperties": {"type": "string"}}, "object"),
        ({"enum": [None, 3]}, "integer"),
        ({"const": True}, "boolean"),
        ({"anyOf": [{"type": "null"}, {"type": "number"}]}, "number"),
    ],
)
def test_every_argument_has_one_type_name(bench: Workbench, schema: Any, type_name: str):
    tool = _one(bench, {"parameters": [{"name": "p", "in": "query", "schema": schema}]})

    assert [argument.type for argument in tool.arguments] == [type_name]


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ({"type": "string", "nullable": True}, {"type": ["string", "null"]}),
        ({"type": "string", "nullable": False}, {"type": "string"}),
        (
            {"allOf": [{"type": "string"}], "nullable": True, "description": "d"},
            {"anyOf": [{"allOf": [{"type": "string"}]}, {"type": "null"}], "description": "d"},
        ),
        (
            {
                "type": "number",
                "minimum": 1,
                "exclusiveMinimum": True,
                "maximum": 2,
                "exclusiveMaximum": False,
            },
            {"type": "number", "exclusiveMinimum": 1, "maximum": 2},
        ),
        (
            {"type": "string", "example": "e", "xml": {"name": "x"}, "x-note": 1},
            {"type": "string", "examples": ["e"]},
        ),
        ({"type": "object", "example": {"long": "one"}}, {"type": "object"}),
    ],
)
def test_words_of_openapi_3_0_become_json_schema(bench: Workbench, given: Any, made: Any):
    parameter = {"name": "p", "in": "query", "schema": given}

    tool = _one(bench, {"parameters": [parameter]}, version="3.0.0")

    assert tool.input_schema["properties"] == {"p": made}


@pytest.mark.parametrize("name", ["example", "xml", "$defs", "nullable", "default", "x-note"])
def test_a_property_may_be_called_like_a_keyword(bench: Workbench, name: str):
    tool = _one(bench, _body({"type": "object", "properties": {"in": {"properties": {name: {}}}}}))

    assert tool.input_schema["properties"]["in"] == {"properties": {name: {}}}


def test_each_input_schema_is_strict_and_valid_for_the_checker(bench: Workbench):
    for tool in (_tools(bench, bench.pet_hotel) | _tools(bench, bench.library)).values():
        checker = jsonschema_rs.validator_for(tool.input_schema)

        assert not checker.is_valid({"never heard of": 1})
        assert "$ref" not in json.dumps(tool.input_schema)


def test_mutually_recursive_schemas_are_cut_once_each(bench: Workbench):
    schemas = {
        "A": {"properties": {"b": {"$ref": "#/components/schemas/B"}}},
        "B": {"type": "array", "items": {"$ref": "#/components/schemas/A"}},
    }
    ref = {"$ref": "#/components/schemas/A"}

    tool = _one(bench, _body({"properties": {"a": ref}}), components={"schemas": schemas})

    cut = {"type": "object", "description": "(recursive: A)"}
    assert tool.input_schema["properties"]["a"] == {"properties": {"b": {"type": "array", "items": cut}}}


def test_yaml_and_json_of_one_document_give_one_agent(bench: Workbench):
    as_json = json.dumps(read_text(bench.pet_hotel))

    assert _tools(bench, as_json) == _tools(bench, bench.pet_hotel)


def test_a_disabled_group_is_compiled_all_the_same(bench: Workbench):
    document = bench.with_api(bench.library, actionGroupState="DISABLED")

    assert {tool.enabled for tool in bench.compile(document).agent.tools} == {False}


def test_an_extension_that_is_almost_ours_is_warned_about(bench: Workbench):
    operation = {"responses": {"200": {"description": "ok"}}, "x-idempotant": True, "x-team": "blue"}
    payload = json.dumps(_document({"/things": {"post": operation}}))

    assert bench.compile(bench.with_api(payload)).warnings == (
        "actionGroups[0].apiSchema.paths['/things'].post.x-idempotant has no effect;"
        " did you mean x-idempotent?",
    )
