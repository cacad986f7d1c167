"""An agent may choose operations of a document, and then carries no more of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from freehold.configuration import Compiled
from freehold.configuration.reading import read_text
from freehold.configuration.selection import excerpt_text

from .conftest import Bucket, Workbench

IN = "actionGroups[0].apiSchema"
OK = {"responses": {"200": {"description": "ok", "content": {"a/b": {"schema": {"$ref": "#/x/Big"}}}}}}


def _chosen(bench: Workbench, operations: list[str], payload: str | None = None) -> Compiled:
    schema = {"payload": payload or bench.pet_hotel, "operations": operations}
    return bench.compile(bench.document(actionGroups=[bench.group(apiSchema=schema)]))


def _names(compiled: Compiled) -> list[str]:
    return [tool.name for tool in compiled.agent.tools]


@pytest.mark.parametrize(
    ("operations", "names"),
    [
        (["leaveFeedback", "listStays"], ["listStays", "leaveFeedback"]),
        (["GET /stays"], ["listStays"]),
        (["get  /stays"], ["listStays"]),
        (["PUT /stays/{id}"], ["put_stays_id"]),
        (["POST *"], ["bookStay", "addNotes", "leaveFeedback"]),
        (["DELETE /st*", "add*"], ["cancel_stay", "addNotes"]),
        (["bookStay", "POST /stays", "book*"], ["bookStay"]),
        (
            ["*"],
            ["listStays", "bookStay", "put_stays_id", "cancel_stay", "addNotes", "leaveFeedback"],
        ),
    ],
)
def test_operations_are_chosen_by_id_by_path_or_by_how_they_begin(
    bench: Workbench, operations: list[str], names: list[str]
):
    assert _names(_chosen(bench, operations)) == names


@pytest.mark.parametrize(
    ("operation", "hint"),
    [
        ("bookStays", 'did you mean "bookStay"'),
        ("GET /stay", '"GET /stays"'),
        ("liststays", '"listStays"'),
        ("unheard of", 'there are "DELETE /stays/{id}"'),
        ("unheard*", 'there are "DELETE /stays/{id}"'),
    ],
)
def test_an_operation_that_is_not_there_is_refused_with_those_that_are_close(
    bench: Workbench, operation: str, hint: str
):
    schema = {"payload": bench.pet_hotel, "operations": ["listStays", operation]}

    (problem,) = bench.problems(bench.document(actionGroups=[bench.group(apiSchema=schema)]))

    assert problem.path == f"{IN}.operations[1]"
    assert f'is "{operation}", which no operation is called' in problem.message
    assert hint in problem.message


def _large(count: int) -> str:
    paths = {f"/things/{n}": {"get": OK | {"operationId": f"get{n}"}} for n in range(count)}
    info = {"title": "t", "version": "1"}
    return json.dumps({"openapi": "3.1.0", "info": info, "paths": paths, "x": {"Big": {"type": "object"}}})


def test_of_a_document_with_too_many_operations_some_can_be_chosen(bench: Workbench):
    assert _names(_chosen(bench, ["get7", "get4999", "get123*"], _large(5_000))) == [
        *("get7", "get123", *(f"get123{n}" for n in range(10)), "get4999"),
    ]


@pytest.mark.parametrize("name", ["Get Order", "get*", "GET"])
def test_an_operation_id_is_taken_as_it_is_written(bench: Workbench, name: str):
    document = json.loads(_large(3))
    document["paths"]["/things/1"]["get"]["operationId"] = name

    (tool,) = _chosen(bench, [name], json.dumps(document)).agent.tools

    assert tool.api_path == "/things/1"


def test_a_choice_of_too_many_operations_is_refused(bench: Workbench):
    schema = {"payload": _large(200), "operations": ["get*"]}

    (problem,) = bench.problems(bench.document(actionGroups=[bench.group(apiSchema=schema)]))

    assert problem.path == f"{IN}.operations"
    assert problem.message.startswith("names 200 operations; at most 128 tools are allowed")


def test_a_fault_in_what_was_not_chosen_is_no_hindrance(bench: Workbench):
    document = json.loads(_large(3))
    document["paths"]["/things/0"]["get"]["parameters"] = [{"in": "nowhere"}]
    document["paths"]["/things/1"] = 7

    assert _names(_chosen(bench, ["get2"], json.dumps(document))) == ["get2"]


RICH: dict[str, Any] = {
    "openapi": "3.0.3",
    "info": {"title": "Rich", "version": "1"},
    "paths": {
        "/a/{id}": {
            "parameters": [{"$ref": "#/components/parameters/Id"}],
            "post": OK
            | {
                "operationId": "a",
                "requestBody": {"$ref": "#/components/requestBodies/A"},
                "parameters": [{"name": "key", "in": "query", "schema": {"type": "string"}}],
            },
            "get": OK | {"operationId": "unused"},
        },
        "/b": {
            "get": {
                "operationId": "b",
                "responses": {
                    "200": {
                        "description": "ok",
                        "content": {"application/json": {"schema": {"type": "integer"}}},
                    }
                },
            }
        },
    },
    "components": {
        "parameters": {
            "Id": {"name": "id", "in": "path", "required": True, "schema": {"$ref": "#/definitions/Id"}}
        },
        "requestBodies": {
            "A": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/A~1B"}}}}
        },
        "schemas": {
            "A/B": {
                "type": "object",
                "properties": {
                    "next": {"$ref": "#/components/schemas/A~1B"},
                    "count": {
                        "$ref": "#/paths/~1b/get/responses/200/content/application~1json/schema",
                    },
                },
            },
            "Unused": {"type": "string"},
        },
        "securitySchemes": {"key": {"type": "apiKey", "in": "query", "name": "key"}},
    },
    "definitions": {"Id": {"type": "string", "minLength": 2}},
}


def test_a_document_in_s3_is_stored_as_far_as_its_operations_need_it(bench: Workbench):
    text = json.dumps(RICH)
    bench.bucket = Bucket({("my-bucket", "rich.json"): text})
    s3 = {"s3BucketName": "my-bucket", "s3ObjectKey": "rich.json"}
    schema = {"s3": s3, "operations": ["a"]}

    compiled = bench.compile(bench.document(actionGroups=[bench.group(apiSchema=schema)]))

    stored = compiled.source["actionGroups"][0]["apiSchema"]
    kept: Any = read_text(stored["payload"])
    assert stored["operations"] == ["a"]
    assert "unused" not in stored["payload"]
    assert list(kept["components"]["schemas"]) == ["A/B"]
    assert kept["paths"]["/a/{id}"]["post"]["responses"] == {"default": {"description": ""}}
    assert bench.compile(compiled.source).agent == compiled.agent == _chosen(bench, ["a"], text).agent
    assert compiled.agent.tools[0].input_schema["properties"] == {
        "id": {"type": "string", "minLength": 2},
        "next": {"type": "object", "description": "(recursive: A/B)"},
        "count": {"type": "integer"},
    }


@pytest.mark.parametrize("name", ["default", "example", "enum"])
def test_what_a_property_refers_to_is_kept_whatever_the_property_is_called(bench: Workbench, name: str):
    document = json.loads(_large(1))
    schema = {"properties": {name: {"$ref": "#/components/schemas/A"}}}
    document["paths"]["/things/0"]["post"] = OK | {
        "operationId": "make",
        "requestBody": {"content": {"application/json": {"schema": schema}}},
    }
    document["components"] = {"schemas": {"A": {"type": "integer"}}}

    (tool,) = _chosen(bench, ["make"], excerpt_text(json.dumps(document), ["make"], "")).agent.tools

    assert tool.input_schema["properties"] == {name: {"type": "integer"}}


def test_a_document_in_s3_that_has_no_such_operation_is_refused_where_it_was_asked_for(bench: Workbench):
    schema = {
        "s3": {"s3BucketName": "my-bucket", "s3ObjectKey": "order-api-schema.json"},
        "operations": ["x"],
    }

    (problem,) = bench.problems(bench.document(actionGroups=[bench.group(apiSchema=schema)]))

    assert problem.path == f"{IN}.operations[0]"


def test_the_part_that_is_kept_compiles_to_the_same_tools(bench: Workbench):
    for text in (bench.pet_hotel, bench.library):
        whole = bench.compile(bench.with_api(text)).agent
        part = excerpt_text(text, ["*"], "")

        assert bench.compile(bench.with_api(part)).agent == whole
        assert excerpt_text(part, ["*"], "") == part
