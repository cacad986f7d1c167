"""Whether the `openai` package's own types know a request: every field of it, at every depth."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import TypeAdapter
from pydantic_core import SchemaValidator, ValidationError


def request_problem(kind: Any, request: object) -> str | None:
    """Why a value is no such `TypedDict` of the SDK, or None. A field that the SDK does not know is wrong too."""
    try:
        _validator(kind).validate_python(request, strict=True)
    except ValidationError as error:
        return str(error)
    return None


@cache
def _validator(kind: Any) -> SchemaValidator:
    """Built once: it costs a second."""
    return SchemaValidator(_closed(TypeAdapter(kind).core_schema))


def _closed(schema: Any) -> Any:
    """A schema by which dictionaries take known keys only, and lists are read at once and not when they are used."""
    if isinstance(schema, list):
        return [_closed(part) for part in schema]
    if isinstance(schema, tuple):
        return tuple(_closed(part) for part in schema)
    if not isinstance(schema, dict):
        return schema
    made = {key: _closed(value) for key, value in schema.items()}
    if made.get("type") == "typed-dict":
        made["extra_behavior"] = "forbid"
    if made.get("type") == "generator":
        made["type"] = "list"
    return made
