"""One flat object of arguments for the model, made of an operation's parameters and body."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from freehold.configuration.schemas import type_of
from freehold.configuration.styles import AS_PLACED, Style
from freehold.values.agent import Argument

if TYPE_CHECKING:
    from collections.abc import Mapping

    from freehold.configuration.references import Schema
    from freehold.values.agent import Place

# Providers take no other characters, and no longer keys, at the top of a tool's schema.
_FOREIGN = re.compile(r"[^A-Za-z0-9_.-]+")
_LONGEST = 64
_PLAIN_OBJECT = {
    *("type", "properties", "required", "additionalProperties", "allOf"),
    *("title", "description", "default", "examples", "deprecated"),
}


@dataclass
class Arguments:
    """Collects arguments in the order in which they are added."""

    _properties: Schema = field(default_factory=dict[str, Any])
    _required: list[str] = field(default_factory=list[str])
    _arguments: list[Argument] = field(default_factory=list[Argument])

    def add(self, name: str, schema: Any, place: Place, *, required: bool, style: Style = AS_PLACED) -> None:
        """Offer `name` to the model, under another key where that one is taken or not allowed."""
        key = self._free_key(name, "body" if place == "wholeBody" else place)
        self._properties[key] = schema
        self._arguments.append(Argument(key, name, type_of(schema), place, *style))
        if required:
            self._required.append(key)

    def add_body(self, schema: Any, *, required: bool, styles: Mapping[str, Style] | None = None) -> None:
        """Offer the properties of a plain object one by one, and any other body as one argument.

        A required property is required even where the body may be left out: what the model sends is then
        always a body that the document allows.
        """
        plain = plain_object(schema)
        if plain is None or not plain[0]:
            self.add("body", schema, "wholeBody", required=required)
            return
        properties, needed = plain
        for name, part in properties.items():
            style = (styles or {}).get(name, AS_PLACED)
            self.add(name, part, "body", required=name in needed, style=style)

    def done(self) -> tuple[Schema, tuple[Argument, ...]]:
        """The input schema and where each of its keys goes."""
        schema: Schema = {"type": "object", "properties": self._properties, "additionalProperties": False}
        if self._required:
            schema["required"] = self._required
        return schema, tuple(self._arguments)

    def _free_key(self, name: str, place: str) -> str:
        key = _FOREIGN.sub("_", name).strip("_") or place
        for candidate in (key, f"{place}_{key}"):
            if len(candidate) <= _LONGEST and candidate not in self._properties:
                return candidate
        digest = hashlib.sha256(f"{place} {name}".encode()).hexdigest()[:8]
        return f"{key[: _LONGEST - 9]}_{digest}"


def plain_object(schema: Any) -> tuple[Schema, set[str]] | None:
    """The properties of `schema` and which are required; None where that does not say all about it."""
    if not isinstance(schema, dict):
        return None
    given = cast("Schema", schema)
    extra = given.get("additionalProperties", False)
    if given.get("type", "object") != "object" or not given.keys() <= _PLAIN_OBJECT:
        return None
    if not isinstance(extra, bool) and extra:
        return None
    properties: Schema = dict(given.get("properties", {}))
    required = set(cast("list[str]", given.get("required", [])))
    for branch in given.get("allOf", []):
        inner = plain_object(branch)
        if inner is None or any(properties.get(name, part) != part for name, part in inner[0].items()):
            return None
        properties |= inner[0]
        required |= inner[1]
    return properties, required
