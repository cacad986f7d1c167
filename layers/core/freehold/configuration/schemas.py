"""JSON Schemas as models and checkers take them: 2020-12."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import jsonschema_rs

from freehold.configuration.faults import problems_of
from freehold.errors import Invalid

if TYPE_CHECKING:
    from freehold.configuration.references import Schema

# What is said about a value and does not bound it.
NOTES = {"title", "description", "default", "examples", "deprecated"}


def complete(made: Schema) -> Schema:
    """Some providers take no list without a word about what it holds."""
    kinds = made.get("type")
    is_list = kinds == "array" or (isinstance(kinds, list) and "array" in kinds)
    if is_list and not {"items", "prefixItems"} & made.keys():
        made["items"] = {}
    return made


def modern(given: Schema, made: Schema) -> Schema:
    """OpenAPI 3.0's own keywords in the words of JSON Schema 2020-12."""
    for limit, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if isinstance(made.get(exclusive), bool) and made.pop(exclusive) and limit in made:
            made[exclusive] = made.pop(limit)
    if given.get("nullable") is not True:
        return made
    if isinstance(made.get("enum"), list) and None not in made["enum"]:
        made["enum"] = [*made["enum"], None]
    if isinstance(made.get("type"), str):
        return {**made, "type": [made["type"], "null"]}
    notes = {key: value for key, value in made.items() if key in NOTES}
    rest = {key: value for key, value in made.items() if key not in NOTES}
    return {"anyOf": [rest, {"type": "null"}], **notes} if rest else made


def type_of(schema: object) -> str:
    """The one type name that a tool's event gives for a value of `schema`."""
    if not isinstance(schema, dict):
        return "string"
    given = cast("Schema", schema)
    kinds = given.get("type")
    for kind in cast("list[Any]", kinds if isinstance(kinds, list) else [kinds]):
        if isinstance(kind, str) and kind != "null":
            return kind
    if "properties" in given or "additionalProperties" in given:
        return "object"
    if "items" in given or "prefixItems" in given:
        return "array"
    for value in given.get("enum", [given["const"]] if "const" in given else []):
        if value is not None:
            return _type_of_value(value)
    branches = [branch for word in ("allOf", "anyOf", "oneOf") for branch in given.get(word, [])]
    kinds = [type_of(branch) for branch in branches if branch != {"type": "null"}]
    return kinds[0] if kinds else "string"


def _type_of_value(value: object) -> str:
    kinds: dict[type, str] = {bool: "boolean", int: "integer", float: "number", list: "array", dict: "object"}
    return kinds.get(type(value), "string")


def check_schema(schema: Any, path: str) -> None:
    """Raises `Invalid` where `schema` cannot be used to check arguments."""
    try:
        jsonschema_rs.validator_for(schema, offline=True)
    except jsonschema_rs.ValidationError as error:
        raise Invalid(problems_of(error, path)) from None
    except ValueError as error:
        raise Invalid(f"is no valid JSON Schema: {error}", path=path) from None
