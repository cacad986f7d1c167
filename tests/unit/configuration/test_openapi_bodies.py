"""Of a body the model is asked for what it can write."""

from __future__ import annotations

import json
from typing import Any

import pytest

from freehold.configuration import Compiled

from .conftest import Workbench

IN = "actionGroups[0].apiSchema"
FILE = {"type": "string", "format": "binary"}
TEXT = {"type": "string"}


def _compiled(bench: Workbench, content: dict[str, Any], **changed: Any) -> Compiled:
    body = {"required": True, "content": {kind: {"schema": schema} for kind, schema in content.items()}}
    answers = {"200": {"description": "ok"}}
    paths = {
        "/things": {
            "post": {"operationId": "send", "requestBody": body, "responses": answers},
            "get": {"operationId": "look", "responses": answers},
        }
    }
    document = {"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": paths}
    schema = {"payload": json.dumps(document)} | changed
    return bench.compile(bench.document(actionGroups=[bench.group(apiSchema=schema)]))


def _form(**parts: Any) -> dict[str, Any]:
    return {"type": "object", "properties": parts}


@pytest.mark.parametrize(
    ("content", "media_type", "arguments"),
    [
        ({"text/xml": _form(b=TEXT), "application/json": _form(a=TEXT)}, "application/json", ["a"]),
        ({"*/*": _form(b=TEXT), "application/hal+json": _form(a=TEXT)}, "application/hal+json", ["a"]),
        ({"application/json; charset=utf-8": _form(a=TEXT)}, "application/json", ["a"]),
        (
            {"multipart/form-data": _form(b=TEXT), "application/x-www-form-urlencoded": _form(a=TEXT)},
            "application/x-www-form-urlencoded",
            ["a"],
        ),
        ({"*/*": _form(a=TEXT)}, "application/json", ["a"]),
        ({"": _form(a=TEXT)}, "application/json", ["a"]),
        ({"text/json": _form(a=TEXT)}, "text/json", ["a"]),
        ({"text/xml": _form(a=TEXT)}, "text/xml", ["a"]),
        ({"multipart/form-data": _form(a=TEXT, photo=FILE)}, "multipart/form-data", ["a"]),
        (
            {"multipart/form-data": _form(a=TEXT, photos={"type": "array", "items": FILE})},
            "multipart/form-data",
            ["a"],
        ),
        ({"text/plain": TEXT}, "text/plain", ["body"]),
        ({"text/csv": {}}, "text/csv", ["body"]),
        ({"application/yaml": TEXT}, "application/yaml", ["body"]),
        ({"application/octet-stream": FILE, "text/plain": TEXT}, "text/plain", ["body"]),
        ({"application/json": {"type": "array", "items": TEXT}}, "application/json", ["body"]),
        ({"application/json": {}}, "application/json", ["body"]),
    ],
)
def test_the_first_media_type_that_a_model_can_write_is_asked_for(
    bench: Workbench, content: dict[str, Any], media_type: str, arguments: list[str]
):
    compiled = _compiled(bench, content)

    tool = compiled.agent.tool("send")
    assert tool is not None
    assert (tool.body_content_type, list(tool.input_schema["properties"])) == (media_type, arguments)
    assert compiled.warnings == ()


UNWRITABLE = [
    {"application/octet-stream": FILE},
    {"image/png": {}},
    {"application/octet-stream": {"contentMediaType": "application/octet-stream"}},
    {"text/plain": FILE},
    {"*/*": FILE},
    {"multipart/form-data": _form(photo=FILE)},
    {"multipart/form-data": _form(photo=FILE, a=TEXT) | {"required": ["photo"]}},
    {"application/x-www-form-urlencoded": TEXT},
    {"application/x-ndjson": _form()},
]


@pytest.mark.parametrize("content", UNWRITABLE)
def test_an_operation_that_takes_a_file_is_left_out_and_named(bench: Workbench, content: dict[str, Any]):
    compiled = _compiled(bench, content)

    (kind,) = content
    assert [tool.name for tool in compiled.agent.tools] == ["look"]
    assert compiled.warnings == (f"{IN} has operations that can be no tools: send (its body is {kind})",)


def test_an_operation_that_takes_a_file_is_refused_where_it_was_asked_for_by_name(bench: Workbench):
    schema = _compiled(bench, {"image/png": {}}).source["actionGroups"][0]["apiSchema"]
    document = bench.document(actionGroups=[bench.group(apiSchema=schema | {"operations": ["send", "look"]})])

    (problem,) = bench.problems(document)

    assert (problem.path, problem.message) == (
        f"{IN}.paths['/things'].post",
        "can be no tool: its body is image/png",
    )


def test_an_operation_that_takes_a_file_is_no_fault_where_a_pattern_happens_to_take_it_in(bench: Workbench):
    compiled = _compiled(bench, {"image/png": {}}, operations=["*"])

    assert [tool.name for tool in compiled.agent.tools] == ["look"]


@pytest.mark.parametrize("schema", [_form(), _form() | {"additionalProperties": False}])
def test_a_form_without_fields_is_no_body(bench: Workbench, schema: Any):
    tool = _compiled(bench, {"application/x-www-form-urlencoded": schema}).agent.tool("send")

    assert tool is not None
    assert (tool.body_content_type, tool.arguments) == (None, ())


@pytest.mark.parametrize("method", ["get", "delete", "head"])
def test_where_http_knows_no_body_a_file_is_passed_over(bench: Workbench, method: str):
    operation = {
        "requestBody": {"content": {"image/png": {"schema": FILE}}},
        "responses": {"200": {"description": "ok"}},
    }
    document = {
        "openapi": "3.1.0",
        "info": {"title": "t", "version": "1"},
        "paths": {"/a": {method: operation}},
    }

    (tool,) = bench.compile(bench.with_api(json.dumps(document))).agent.tools

    assert (tool.body_content_type, tool.arguments) == (None, ())


def test_a_body_without_any_content_is_none(bench: Workbench):
    tool = _compiled(bench, {}).agent.tool("send")

    assert tool is not None
    assert (tool.body_content_type, tool.arguments) == (None, ())
