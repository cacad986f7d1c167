"""Schemas that refer to each other in any way become schemas that stand alone."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.configuration.inlining import Inliner, TooLarge
from freehold.configuration.references import References, refs_in

NAMES = ["A", "B/C", "d~e", "F g"]
REFS = st.sampled_from(NAMES).map(
    lambda name: {
        "$ref": f"#/components/schemas/{name.replace('~', '~0').replace('/', '~1').replace(' ', '%20')}"
    }
)
KINDS = st.sampled_from(["string", "integer", "object", "array"])
NOTES = st.fixed_dictionaries(
    {},
    optional={
        "description": st.text(max_size=300),
        "title": st.sampled_from(["p", "q"]),
        "nullable": st.booleans(),
        "example": st.integers() | st.text(max_size=80) | st.lists(st.integers()),
        "minimum": st.integers(-9, 9),
        "exclusiveMinimum": st.booleans(),
        "enum": st.lists(st.integers(), min_size=1, max_size=3, unique=True),
        "unheard-of": st.integers(),
        "readOnly": st.booleans(),
    },
)


def _schemas(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    parts = st.fixed_dictionaries(
        {},
        optional={
            "type": KINDS,
            "properties": st.dictionaries(st.sampled_from(["p", "q", "$ref", "items"]), inner, max_size=3),
            "required": st.lists(st.sampled_from(["p", "q"]), unique=True),
            "items": inner,
            "additionalProperties": inner | st.booleans(),
            "allOf": st.lists(inner, min_size=1, max_size=2),
            "oneOf": st.lists(inner, min_size=1, max_size=2),
        },
    )
    return st.tuples(parts, NOTES).map(lambda both: _typed(both[0]) | both[1])


def _typed(parts: dict[str, Any]) -> dict[str, Any]:
    # Where only properties are given, an object is meant, and a cut schema says so.
    return parts | {"type": "object"} if "properties" in parts else parts


SCHEMAS = st.recursive(REFS | NOTES, _schemas, max_leaves=8)
DOCUMENTS = st.fixed_dictionaries(dict.fromkeys(NAMES, SCHEMAS)).map(
    lambda schemas: {"openapi": "3.0.3", "components": {"schemas": schemas}}
)


def _inlined(document: dict[str, Any], schema: object, **options: Any) -> Any:
    try:
        return Inliner(References(document), version_30=True, **options).inline(schema, "here")
    except TooLarge:
        return None


@settings(max_examples=300, deadline=None)
@given(DOCUMENTS, SCHEMAS, st.sampled_from([60, 3, 1]), st.booleans())
def test_any_schema_of_any_document_stands_alone(
    document: dict[str, Any], schema: Any, deepest: int, terse: bool
):
    made = _inlined(document, schema, deepest=deepest, terse=terse)

    if made is not None:
        # A property may be called "$ref"; then a schema stands there, and no text.
        assert list(refs_in(made)) == []
        jsonschema_rs.meta.validate(made)
        jsonschema_rs.validator_for(made, offline=True)
        assert "unheard-of" not in json.dumps(made)


@settings(max_examples=100, deadline=None)
@given(DOCUMENTS, SCHEMAS)
def test_what_was_given_is_not_changed(document: dict[str, Any], schema: Any):
    before = json.dumps([document, schema])

    _inlined(document, schema, terse=True)

    assert json.dumps([document, schema]) == before


@settings(max_examples=100, deadline=None)
@given(DOCUMENTS, SCHEMAS)
def test_a_cut_schema_takes_whatever_the_whole_one_takes(document: dict[str, Any], schema: Any):
    whole, cut = (_inlined(document, schema, deepest=deepest) for deepest in (60, 1))

    if whole is not None and cut is not None:
        full, short = (jsonschema_rs.validator_for(each, offline=True) for each in (whole, cut))
        for value in (None, 7, "text", [], [{}], {}, {"p": {"q": 1}}, {"p": [], "q": "x"}):
            assert short.is_valid(value) or not full.is_valid(value)


@pytest.mark.parametrize("levels", [200, 5_000])
def test_a_chain_of_references_is_followed_without_end_in_sight(levels: int):
    chain = {f"S{n}": {"$ref": f"#/components/schemas/S{n + 1}"} for n in range(levels)}
    document = {"components": {"schemas": chain | {f"S{levels}": {"type": "string"}}}}

    made = _inlined(document, {"$ref": "#/components/schemas/S0"})

    assert made in (None, {"description": "(more inside)"})


def test_nothing_is_refused_because_a_cut_schema_takes_more():
    node = {
        "type": "object",
        "properties": {"child": {"$ref": "#/components/schemas/Node"}},
        "required": ["a"],
    }
    document = {"components": {"schemas": {"Node": node}}}
    ref = {"$ref": "#/components/schemas/Node"}

    made = _inlined(document, {"not": ref, "if": ref, "oneOf": [ref, {"type": "object"}], "minProperties": 1})

    assert set(made) == {"anyOf", "minProperties"}
    assert jsonschema_rs.validator_for(made).is_valid({"a": {}})


@pytest.mark.parametrize("key", ["allOf", "anyOf"])
def test_alternatives_inside_alternatives_without_end_are_cut(key: str):
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(90):
        schema = {key: [schema]}

    assert "(more inside)" in json.dumps(_inlined({}, schema))
