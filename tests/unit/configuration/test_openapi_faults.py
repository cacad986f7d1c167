"""What is wrong with an OpenAPI document is said at its exact place, quickly, and nothing is fetched."""

from __future__ import annotations

import json
from typing import Any

import pytest

from freehold.configuration.reading import read_text
from freehold.errors import Invalid, Problem

from .conftest import Workbench

IN = "actionGroups[0].apiSchema"
POST = f"{IN}.paths['/things'].post"
JSON_BODY = f"{POST}.requestBody.content['application/json'].schema"


def _problems(bench: Workbench, payload: object) -> list[Problem]:
    text = payload if isinstance(payload, str) else json.dumps(payload)
    return bench.problems(bench.with_api(text))


def _post(operation: dict[str, Any], *, version: str = "3.1.0", **more: Any) -> dict[str, Any]:
    paths = {"/things": {"post": {"responses": {"200": {"description": "ok"}}} | operation}}
    return {"openapi": version, "info": {"title": "t", "version": "1"}, "paths": paths} | more


def _body(schema: Any, kind: str = "application/json") -> dict[str, Any]:
    return {"requestBody": {"content": {kind: {"schema": schema}}}}


@pytest.mark.parametrize(
    ("payload", "path", "message"),
    [
        ("just words", IN, "not an OpenAPI document"),
        ("   ", IN, "is empty"),
        ("[]", IN, "not an OpenAPI document"),
        ("{}", IN, "the field openapi"),
        ('{"swagger": "2.0"}', f"{IN}.swagger", "convert it to OpenAPI 3.0 or 3.1"),
        ('{"openapi": "4.0.0"}', f"{IN}.openapi", 'text like "3.0.3" or "3.1.0"'),
        ("openapi: 3.1", f"{IN}.openapi", 'is 3.1; must be text like "3.0.3"'),
        ('{"openapi": "3.0.0", }', IN, "not valid JSON"),
        ("openapi: 3.0.0\npaths: [", IN, "not valid YAML"),
        (_post({}) | {"paths": {}}, f"{IN}.paths", "no operations"),
    ],
)
def test_what_is_no_openapi_document_is_refused(bench: Workbench, payload: object, path: str, message: str):
    (problem,) = _problems(bench, payload)

    assert problem.path == path
    assert message in problem.message


@pytest.mark.parametrize("version", ["3.0.3", "3.1.0"])
@pytest.mark.parametrize(
    ("change", "path", "message"),
    [
        ({"operationId": 5}, f"{POST}.operationId", "must be of type string"),
        ({"parameters": [{"in": "query", "schema": {}}]}, f"{POST}.parameters[0].name", "is required"),
        (
            {"parameters": [{"name": "p", "in": "qery", "schema": {"type": "string"}}]},
            f"{POST}.parameters[0].in",
            'is "qery"; must be ',
        ),
        (
            {"parameters": [{"name": "p", "in": "query", "schema": {"type": "strin"}}]},
            f"{POST}.parameters[0].schema.type",
            'is "strin"; must be array, boolean, integer',
        ),
        ({"requestBody": {}}, f"{POST}.requestBody.content", "is required"),
        (_body({"required": "name"}), f"{JSON_BODY}.required", "must be of type array"),
        (_body({"properties": []}), f"{JSON_BODY}.properties", "must be of type object"),
        (_body({"minimum": "1"}), f"{JSON_BODY}.minimum", "must be of type number"),
    ],
)
def test_a_fault_in_the_document_is_named_where_it_is(
    bench: Workbench, version: str, change: dict[str, Any], path: str, message: str
):
    (problem,) = _problems(bench, _post(change, version=version))

    assert problem.path == path
    assert message in problem.message


@pytest.mark.parametrize(
    ("operation", "path", "message"),
    [
        (_body({}, "image/png"), f"{IN}.paths", "POST /things (its body is image/png)"),
        ({"x-timeoutSeconds": 301}, f"{POST}.x-timeoutSeconds", "at most 300"),
        ({"x-maxAttempts": "3"}, f"{POST}.x-maxAttempts", "must be a whole number"),
        ({"x-idempotent": "yes"}, f"{POST}.x-idempotent", "must be true or false"),
        ({"x-requireConfirmation": "YES"}, f"{POST}.x-requireConfirmation", "must be ENABLED or DISABLED"),
        ({"x-requireApproval": 1}, f"{POST}.x-requireApproval", "must be ENABLED or DISABLED"),
        (_body({"$dynamicRef": "#x"}), JSON_BODY, "use $ref"),
    ],
)
def test_an_operation_that_makes_no_tool_says_why(
    bench: Workbench, operation: dict[str, Any], path: str, message: str
):
    (problem,) = _problems(bench, _post(operation))

    assert problem.path == path
    assert message in problem.message


@pytest.mark.parametrize("version", ["3.0.3", "3.1.0"])
@pytest.mark.parametrize(
    "ref",
    ["http://127.0.0.1:9/x.json", "https://example.com/a#/b", "file:///etc/passwd", "other.yaml#/A", "//h/x"],
)
def test_no_other_document_is_ever_read(bench: Workbench, version: str, ref: str):
    parameter = {"name": "p", "in": "query", "schema": {"$ref": ref}}

    problems = _problems(bench, _post(_body({"$ref": ref}) | {"parameters": [parameter]}, version=version))

    assert {problem.path for problem in problems} == {
        f"{JSON_BODY}.$ref",
        f"{POST}.parameters[0].schema.$ref",
    }
    assert all("other documents are never read" in problem.message for problem in problems)


@pytest.mark.parametrize("ref", ["#/components/schemas/None", "#/paths/9", "#/info/title/x"])
def test_a_reference_to_nothing_is_named(bench: Workbench, ref: str):
    (problem,) = _problems(bench, _post(_body({"$ref": ref})))

    assert problem.path == f"{JSON_BODY}.$ref"
    assert "not in this document" in problem.message


def test_a_reference_to_an_anchor_is_refused_in_these_words(bench: Workbench):
    schemas = {"A": {"$anchor": "x", "type": "string"}}

    (problem,) = _problems(bench, _post(_body({"$ref": "#x"}), components={"schemas": schemas}))

    assert problem.path == f"{JSON_BODY}.$ref"
    assert 'refers to "#x"; anchors are not supported' in problem.message


def test_a_reference_to_what_is_no_schema_is_named(bench: Workbench):
    (problem,) = _problems(bench, _post(_body({"$ref": "#/info/title"})))

    assert (problem.path, problem.message) == (
        f"{JSON_BODY}.$ref",
        'refers to "#/info/title", which is no schema',
    )


def test_parameters_that_refer_to_each_other_are_refused(bench: Workbench):
    around = {"A": {"$ref": "#/components/parameters/B"}, "B": {"$ref": "#/components/parameters/A"}}

    (problem,) = _problems(
        bench,
        _post({"parameters": [{"$ref": "#/components/parameters/A"}]}, components={"parameters": around}),
    )

    assert problem.path == f"{POST}.parameters[0].$ref"
    assert "refers to itself" in problem.message


def test_a_document_over_eight_megabytes_is_refused_unread(bench: Workbench):
    (problem,) = _problems(bench, "{" + " " * 8 * 1_048_576)

    assert (problem.path, "8 MB" in problem.message) == (IN, True)


def test_a_document_of_very_many_values_is_refused(bench: Workbench):
    (problem,) = _problems(bench, json.dumps(_post({}) | {"x-list": [0] * 400_000}))

    assert (problem.path, problem.message) == (IN, "holds more than 400,000 values")


@pytest.mark.parametrize("count", [129, 5_000])
def test_a_document_with_more_operations_than_tools_says_how_to_choose(bench: Workbench, count: int):
    document = _post({})
    document["paths"] = {f"/things/{n}": document["paths"]["/things"] for n in range(count)}

    (problem,) = _problems(bench, document)

    assert problem.path == f"{IN}.paths"
    assert problem.message.startswith(
        f"has {count:,} operations; at most 128 tools are allowed in one agent."
    )
    assert 'a list of operationIds or "GET /path"' in problem.message
    assert '"POST /things/0", "POST /things/1"' in problem.message


def test_a_fault_in_every_single_place_of_a_document_is_an_error_or_no_fault(bench: Workbench):
    """Whatever is put anywhere into a document: an answer or `Invalid`, never another exception."""
    for text in (bench.library, bench.pet_hotel):
        document = read_text(text)
        for wrong in (7, "x", None, [], {}, ["x"], {"$ref": "#"}, {"$ref": "#/paths"}):
            for holder, key in _holders(document):
                kept, holder[key] = holder[key], wrong
                _compile_or_refuse(bench, json.dumps(document))
                holder[key] = kept


def _compile_or_refuse(bench: Workbench, payload: str) -> None:
    try:
        bench.compile(bench.with_api(payload))
    except Invalid as error:
        outside = [problem.path for problem in error.problems if not problem.path.startswith(IN)]
        if outside:
            pytest.fail(f"problems outside the document: {outside}")


def _holders(node: Any) -> list[tuple[Any, Any]]:
    keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else []
    return [(node, key) for key in keys] + [found for key in keys for found in _holders(node[key])]
