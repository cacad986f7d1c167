"""A fault in one operation leaves out that operation, and no other."""

from __future__ import annotations

import json
from typing import Any

import pytest

from freehold.configuration import Compiled
from freehold.errors import Problem

from .conftest import Workbench

IN = "actionGroups[0].apiSchema"
OK = {"responses": {"200": {"description": "ok"}}}
REF = {"$ref": "#/components/schemas/A"}


def _body(schema: Any) -> dict[str, Any]:
    return {"requestBody": {"content": {"application/json": {"schema": schema}}}}


def _parameter(schema: Any) -> dict[str, Any]:
    return {"parameters": [{"name": "p", "in": "query", "schema": schema}]}


def _document(bad: Any, more: Any, *, version: str = "3.1.0") -> dict[str, Any]:
    paths = {"/good": {"get": OK | {"operationId": "good"}}, "/bad": bad}
    info = {"title": "t", "version": "1"}
    return {"openapi": version, "info": info, "paths": paths, "components": more}


def _post(operation: Any) -> dict[str, Any]:
    return {"post": OK | {"operationId": "bad"} | operation}


def _in_group(bench: Workbench, document: Any, operations: list[str] | None) -> dict[str, Any]:
    schema = {"payload": json.dumps(document)} | ({"operations": operations} if operations else {})
    return bench.document(actionGroups=[bench.group(apiSchema=schema)])


def _compiled(bench: Workbench, document: Any, operations: list[str] | None = None) -> Compiled:
    return bench.compile(_in_group(bench, document, operations))


def _problems(bench: Workbench, document: Any, operations: list[str] | None = None) -> list[Problem]:
    return bench.problems(_in_group(bench, document, operations))


POST = f"{IN}.paths['/bad'].post"
CASES: dict[str, tuple[Any, Any, str, str]] = {
    "a reference to nothing": (
        _post(_body({"$ref": "#/nowhere"})),
        {},
        f"{POST}.requestBody.content['application/json'].schema.$ref",
        "not in this document",
    ),
    "a reference elsewhere": (
        _post(_parameter({"$ref": "other.yaml"})),
        {},
        f"{POST}.parameters[0].schema.$ref",
        "other documents are never read",
    ),
    "a reference inside a component": (
        _post(_body({"properties": {"a": REF}})),
        {"schemas": {"A": {"items": {"$ref": "#/nowhere"}}}},
        f"{IN}.components.schemas.A.items.$ref",
        "not in this document",
    ),
    "a reference of a component's component": (
        _post(_parameter({"$ref": "#/components/schemas/B"})),
        {"schemas": {"A": {"$ref": "#/nowhere"}, "B": {"properties": {"a": REF}}}},
        f"{IN}.components.schemas.A.$ref",
        "not in this document",
    ),
    "a parameter that is none": (
        _post({"parameters": [{"name": "p", "in": "nowhere", "schema": {}}]}),
        {},
        f"{POST}.parameters[0].in",
        'is "nowhere"',
    ),
    "a shared parameter that is none": (
        _post({}) | {"parameters": [{"name": 7, "in": "query", "schema": {}}]},
        {},
        f"{IN}.paths['/bad'].parameters[0].name",
        "must be of type string",
    ),
    "a component that is none": (
        _post({"parameters": [{"$ref": "#/components/parameters/P"}]}),
        {"parameters": {"P": {"name": "p", "in": "query", "schema": {}, "required": "yes"}}},
        f"{IN}.components.parameters.P.required",
        'is "yes"; must be of type boolean',
    ),
    "a path elsewhere that is none": (
        {"$ref": "#/components/pathItems/I"},
        {"pathItems": {"I": _post({"operationId": "bad", "requestBody": {"content": 7}})}},
        f"{IN}.components.pathItems.I.post.requestBody.content",
        "must be of type object",
    ),
}


@pytest.mark.parametrize(("bad", "more", "path", "message"), CASES.values(), ids=CASES)
class TestAFault:
    def test_leaves_out_the_operation_that_has_it(
        self, bench: Workbench, bad: Any, more: Any, path: str, message: str
    ):
        compiled = _compiled(bench, _document(bad, more))

        assert [tool.name for tool in compiled.agent.tools] == ["good"]
        (warning,) = compiled.warnings
        assert warning.startswith(f"{IN} has operations that can be no tools: bad ({path}: ")
        assert message in warning

    def test_refuses_an_operation_that_was_asked_for_by_its_name(
        self, bench: Workbench, bad: Any, more: Any, path: str, message: str
    ):
        (problem,) = _problems(bench, _document(bad, more), ["good", "bad"])

        assert problem.path == path
        assert message in problem.message

    def test_leaves_it_out_where_it_was_asked_for_among_others(
        self, bench: Workbench, bad: Any, more: Any, path: str, message: str
    ):
        compiled = _compiled(bench, _document(bad, more), ["good", "ba*"])

        assert [tool.name for tool in compiled.agent.tools] == ["good"]
        assert path in compiled.warnings[0]

    def test_refuses_a_document_that_has_nothing_else(
        self, bench: Workbench, bad: Any, more: Any, path: str, message: str
    ):
        document = _document(bad, more)
        del document["paths"]["/good"]

        (problem,) = _problems(bench, document)

        assert problem.path == path
        assert message in problem.message


@pytest.mark.parametrize("version", ["3.0.3", "3.1.0"])
@pytest.mark.parametrize(
    ("bad", "path"),
    [
        ({"$ref": "other.yaml#/x"}, f"{IN}.paths['/bad'].$ref"),
        (7, f"{IN}.paths['/bad']"),
        ({"get": []}, f"{IN}.paths['/bad'].get"),
    ],
)
def test_what_should_have_been_an_operation_is_left_out_too(
    bench: Workbench, version: str, bad: Any, path: str
):
    document = _document(bad, {}, version=version)

    compiled = _compiled(bench, document)
    del document["paths"]["/good"]
    (problem,) = _problems(bench, document)

    assert [tool.name for tool in compiled.agent.tools] == ["good"]
    assert f"{IN} has operations that can be no tools: {path}: " in compiled.warnings[0]
    assert problem.path == path


def test_what_several_operations_share_is_told_once(bench: Workbench):
    item = {"get": OK | _parameter(REF), "post": OK | _body(REF)}
    document = _document(
        item, {"schemas": {"A": {"properties": {"a": {"$ref": "#/x"}, "b": {"$ref": "#/y"}}}}}
    )
    del document["paths"]["/good"]

    problems = _problems(bench, document)

    assert sorted(problem.path for problem in problems) == [
        f"{IN}.components.schemas.A.properties.a.$ref",
        f"{IN}.components.schemas.A.properties.b.$ref",
    ]


def test_a_wrong_option_is_never_just_left_out(bench: Workbench):
    document = _document(_post({"x-requireConfirmation": "YES"} | _body({"$ref": "#/nowhere"})), {})

    (problem,) = _problems(bench, document)

    assert problem.path == f"{POST}.x-requireConfirmation"


@pytest.mark.parametrize("schema", [{"$ref": "#/nowhere"}, {"type": "strin"}, {"hidden": 1}])
def test_more_faults_than_anybody_will_mend_refuse_the_document(bench: Workbench, schema: Any):
    bad = _post({"parameters": [{"name": f"p{n}", "in": "query", "schema": schema} for n in range(1_001)]})

    problems = _problems(bench, _document(bad, {}, version="3.0.3"))

    assert problems[-1] == Problem(IN, "has more than 1,000 faults")
    assert len(problems) == 21
