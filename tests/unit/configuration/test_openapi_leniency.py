"""What is wrong with a document and changes no tool is passed over, and said."""

from __future__ import annotations

import json
from typing import Any

import pytest

from freehold.configuration import Compiled

from .conftest import Workbench

IN = "actionGroups[0].apiSchema"
POST = f"{IN}.paths['/things'].post"
JSON_BODY = f"{POST}.requestBody.content['application/json'].schema"
OK = {"responses": {"200": {"description": "ok"}}}


def _compiled(bench: Workbench, paths: dict[str, Any], *, version: str = "3.1.0", **more: Any) -> Compiled:
    document = {"openapi": version, "info": {"title": "t", "version": "1"}, "paths": paths} | more
    return bench.compile(bench.with_api(json.dumps(document)))


def _post(bench: Workbench, operation: dict[str, Any], *, url: str = "/things", **more: Any) -> Compiled:
    return _compiled(bench, {url: {"post": OK | operation}}, **more)


def _body(schema: Any, kind: str = "application/json") -> dict[str, Any]:
    return {"requestBody": {"content": {kind: {"schema": schema}}}}


@pytest.mark.parametrize("version", ["3.0.3", "3.1.0"])
@pytest.mark.parametrize("operation", [{"sumary": "x"}, {"description": "d", "extra": {"a": 1}}])
def test_a_field_that_openapi_does_not_have_is_warned_about(
    bench: Workbench, operation: dict[str, Any], version: str
):
    compiled = _post(bench, operation, version=version)

    (warning,) = compiled.warnings
    (field,) = operation.keys() - {"description"}
    assert f"{POST}.{field}: is not allowed here" in warning
    assert len(compiled.agent.tools) == 1


def test_a_keyword_that_json_schema_does_not_have_is_warned_about_and_not_sent(bench: Workbench):
    schema = {"type": "object", "properties": {"a": {"type": "string", "requried": True}}}

    compiled = _post(bench, _body(schema), version="3.0.3")

    assert f"{JSON_BODY}.properties.a.requried: is not allowed here" in compiled.warnings[0]
    assert compiled.agent.tools[0].input_schema["properties"] == {"a": {"type": "string"}}


@pytest.mark.parametrize(
    "unused",
    [
        {"responses": {"200": {"description": 7, "content": {"a/b": {"schema": {"$ref": "#/nowhere"}}}}}},
        {"responses": {}},
        {"callbacks": {"x": 7}, "servers": "here", "tags": 1, "security": {}, "externalDocs": []},
    ],
)
def test_what_no_tool_is_made_of_is_never_looked_at(bench: Workbench, unused: dict[str, Any]):
    compiled = _compiled(
        bench,
        {"/things": {"post": OK | unused}},
        info={"description": 7},
        servers=7,
        tags={},
        webhooks={"w": 7},
        components={"schemas": {"Unused": {"$ref": "other.yaml"}}, "responses": 7},
    )

    assert (len(compiled.agent.tools), compiled.warnings) == (1, ())


def test_many_warnings_of_one_kind_are_one(bench: Workbench):
    paths = {f"/things/{n}": {"post": OK | {"sumary": "x"}} for n in range(9)}

    (warning,) = _compiled(bench, paths).warnings

    assert warning.endswith(" and 4 more")


def test_an_operation_id_used_twice_names_one_tool(bench: Workbench):
    same = OK | {"operationId": "same"}

    compiled = _compiled(bench, {"/things": {"post": same}, "/others": {"post": same}})

    assert [tool.name for tool in compiled.agent.tools] == ["same", "post_others"]
    assert compiled.warnings == (
        f"{IN} uses an operationId twice; the second is named by its path: same (POST /others)",
    )


def test_a_path_parameter_that_nobody_declares_is_a_required_text(bench: Workbench):
    compiled = _post(bench, {}, url="/things/{id}")

    (tool,) = compiled.agent.tools
    assert tool.input_schema["properties"] == {"id": {"type": "string"}}
    assert tool.input_schema["required"] == ["id"]
    assert [argument.place for argument in tool.arguments] == ["path"]
    assert "id (POST /things/{id})" in compiled.warnings[0]


def test_a_path_parameter_that_the_path_does_not_have_is_left_out(bench: Workbench):
    parameter = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}

    compiled = _post(bench, {"parameters": [parameter]})

    assert compiled.agent.tools[0].arguments == ()
    assert "id (POST /things)" in compiled.warnings[0]


@pytest.mark.parametrize("place", ["query", "path"])
def test_a_parameter_that_a_path_names_after_its_question_mark_may_be_of_the_query(
    bench: Workbench, place: str
):
    parameter = {"name": "q", "in": place, "required": True, "schema": {"type": "string"}}

    compiled = _post(bench, {"parameters": [parameter]}, url="/things?q={q}")

    assert [argument.name for argument in compiled.agent.tools[0].arguments] == ["q"]
    assert compiled.warnings == ()


@pytest.mark.parametrize("pattern", ["(", "x" * 501, "^.{0,262144}$"])
def test_a_pattern_that_cannot_be_checked_is_left_out(bench: Workbench, pattern: str):
    schema = {"properties": {"a": {"type": "string", "pattern": pattern, "maxLength": 3}}}

    compiled = _post(bench, _body(schema))

    assert compiled.agent.tools[0].input_schema["properties"] == {"a": {"type": "string", "maxLength": 3}}
    assert f"{JSON_BODY}.properties.a.pattern" in compiled.warnings[0]


def test_api_keys_are_not_asked_of_the_model(bench: Workbench):
    parameters = [
        {"name": name, "in": place, "schema": {"type": "string"}}
        for name, place in (("api_key", "query"), ("X-Token", "header"), ("api_key", "header"))
    ]
    schemes = {
        "one": {"type": "apiKey", "in": "query", "name": "api_key"},
        "two": {"type": "apiKey", "in": "header", "name": "x-token"},
        "odd": 7,
    }

    compiled = _post(bench, {"parameters": parameters}, components={"securitySchemes": schemes})

    assert [argument.place for argument in compiled.agent.tools[0].arguments] == ["header"]


def test_descriptions_and_examples_of_fields_are_no_longer_than_what_helps(bench: Workbench):
    part = {
        "type": "string",
        "title": "Order Id",
        "description": "<p>The <b>number</b> of the order.</p> " + "More about it. " * 40,
        "examples": ["ORD-1", "x" * 61, {"long": 1}, "ORD-2", "ORD-3"],
    }

    tool = _post(bench, _body({"properties": {"order_id": part}})).agent.tools[0]

    made = tool.input_schema["properties"]["order_id"]
    assert made["description"].startswith("The number of the order. More about it.")
    assert len(made["description"]) <= 200
    assert made["description"].endswith(".")
    assert made["examples"] == ["ORD-1", "ORD-2"]
    assert "title" not in made


def test_a_schema_that_grows_without_end_is_cut_to_what_fits(bench: Workbench):
    levels: dict[str, Any] = {
        f"L{level}": {
            "description": f"Level {level}.",
            "type": "object",
            "properties": {f"p{n}": {"$ref": f"#/components/schemas/L{level + 1}"} for n in range(9)},
        }
        for level in range(9)
    }
    levels["L9"] = {"type": "string"}

    compiled = _post(
        bench,
        _body({"$ref": "#/components/schemas/L0"}) | {"operationId": "grow"},
        components={"schemas": levels},
    )

    (tool,) = compiled.agent.tools
    assert list(tool.input_schema["properties"]) == [f"p{n}" for n in range(9)]
    cut = tool.input_schema["properties"]["p0"]["properties"]["p0"]
    assert cut == {"type": "object", "description": "Level 2. (more inside)"}
    assert len(json.dumps(tool.input_schema)) <= 20_000
    assert compiled.warnings == (f"{IN} has schemas of over 20,000 characters, cut inside: grow",)


def test_more_arguments_than_anybody_could_fill_in_make_no_tool(bench: Workbench):
    wide = {"properties": {f"p{n}": {"type": "object", "properties": {"a": {}}} for n in range(600)}}
    paths = {"/wide": {"post": OK | _body(wide)}, "/things": {"get": OK}}

    compiled = _compiled(bench, paths)

    assert [tool.name for tool in compiled.agent.tools] == ["get_things"]
    assert "POST /wide (its arguments take more than 500 schemas)" in compiled.warnings[0]
