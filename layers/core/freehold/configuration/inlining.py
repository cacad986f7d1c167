"""JSON Schemas made self-contained: every `$ref` filled in from its own document, nothing without end."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import jsonschema_rs

from freehold.configuration.notes import untitled, worded
from freehold.configuration.paths import at, show
from freehold.configuration.references import steps_of
from freehold.configuration.schemas import NOTES, complete, modern
from freehold.configuration.wording import for_field
from freehold.errors import Invalid

if TYPE_CHECKING:
    from freehold.configuration.references import References, Schema

MAX_LEVELS = 60
MAX_SCHEMAS = 2_000
# Of what a document says beside its structure; a tool that takes more than a fifth of it is cut or refused anyway.
MOST_CHARACTERS = 200_000
MOST_CHOICES = 1_000
LONGEST_PATTERN = 500
# Bytes of a compiled pattern: larger ones take a tenth of a second, in every process that checks arguments.
LARGEST_PATTERN = 1_000_000

_ONE = {
    *("items", "not", "additionalProperties", "contains", "propertyNames", "if", "then", "else"),
    *("unevaluatedItems", "unevaluatedProperties", "contentSchema"),
}
_MANY = {"allOf", "anyOf", "oneOf", "prefixItems"}
_NAMED = {"properties", "patternProperties", "dependentSchemas"}
# The words of JSON Schema that tell what a value may be; models are sent no others.
_KEPT = {
    *_ONE,
    *_MANY,
    *_NAMED,
    *("type", "enum", "const", "title", "description", "default", "examples", "deprecated", "format"),
    *(
        "contentEncoding",
        "contentMediaType",
        "required",
        "dependentRequired",
        "minProperties",
        "maxProperties",
    ),
    *(
        "minContains",
        "maxContains",
        "minItems",
        "maxItems",
        "uniqueItems",
        "minLength",
        "maxLength",
        "pattern",
    ),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}
_PARTS = _ONE | _MANY | _NAMED
MORE_INSIDE = "(more inside)"
# These say more about the same value, the others of its parts.
_SAME_DEPTH = {"allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas"}
# What takes less when its part takes more, and what depends on all that stands beside it.
_TURNED = {"not", "if"}
_UNEVALUATED = {"unevaluatedItems", "unevaluatedProperties"}


class TooLarge(Exception):
    """What an operation takes grows to more than a tool may ask for. Try again with fewer levels."""


class _Spot(NamedTuple):
    """How far inside one is: the references gone through, the levels of values, the levels of all."""

    trail: tuple[str, ...] = ()
    depth: int = 0
    level: int = 0

    def inside(self, key: str) -> _Spot:
        return _Spot(self.trail, self.depth + (key not in _SAME_DEPTH), self.level + 1)

    def through(self, ref: str) -> _Spot:
        return _Spot((*self.trail, ref), self.depth, self.level + 1)


@dataclass
class Inliner:
    """Makes one tool's schemas self-contained. One instance per tool: it counts what the tool grows to.

    What contains itself is cut, and so is what lies more than `deepest` levels inside, with a note in its description;
    `most` bounds what is left.
    `terse` is for documents that were written for other readers: notes are shortened, unreadable patterns left out.
    """

    references: References
    version_30: bool = False
    deepest: int = MAX_LEVELS
    most: int = MAX_SCHEMAS
    terse: bool = False
    unread_patterns: list[str] = field(default_factory=list[str], init=False)
    unlisted: list[str] = field(default_factory=list[str], init=False)
    is_cut: bool = field(default=False, init=False)
    _count: int = field(default=0, init=False)
    _characters: int = field(default=0, init=False)
    _loosened: int = field(default=0, init=False)

    def inline(self, schema: object, path: str) -> Any:
        """`schema` without references; raises `Invalid` where that cannot be, and `TooLarge`."""
        return self._inline(schema, path, _Spot())

    def _inline(self, schema: object, path: str, spot: _Spot) -> Any:
        self._count += 1
        if self._count > self.most:
            raise TooLarge(f"more than {self.most:,} schemas")
        if not isinstance(schema, dict):
            return schema
        given = cast("Schema", schema)
        if isinstance(given.get("$ref"), str):
            return self._referred(given, path, spot)
        if "$dynamicRef" in given or "$recursiveRef" in given:
            raise Invalid("uses a dynamic reference, which is not supported; use $ref", path=path)
        if (spot.depth >= self.deepest or spot.level >= MAX_LEVELS) and _has_parts(given):
            return self._cut(given, MORE_INSIDE)
        made = self._keywords(given, path, spot)
        self._drop_read_only(given, made)
        worded(given, made, terse=self.terse)
        if self.terse:
            self._drop_unreadable(made, path)
            self._drop_choices(made, path)
            self._measure(made)
        return complete(modern(given, made) if self.version_30 else made)

    def _keywords(self, given: Schema, path: str, spot: _Spot) -> Schema:
        """What `given` says. Where a part now takes more than it did, nothing may be refused for that."""
        made: Schema = {}
        at_first = self._loosened
        for key in [key for key in given if key in _KEPT]:
            before = self._loosened
            part = self._keyword(key, given[key], at(path, key), spot)
            if key == "oneOf" and (self.terse or self._loosened > before):
                # Alternatives overlap in practice, and more so once they are cut; some providers know no oneOf.
                if "anyOf" not in given:
                    made["anyOf"] = part
            elif key not in _TURNED or self._loosened == before:
                made[key] = part
        if self._loosened > at_first:
            made = {key: part for key, part in made.items() if key not in _UNEVALUATED}
        return made

    def _keyword(self, key: str, value: Any, path: str, spot: _Spot) -> Any:
        inside = spot.inside(key)
        if key in _ONE:
            return self._inline(value, path, inside)
        if key in _MANY and isinstance(value, list):
            items = enumerate(cast("list[object]", value))
            return [self._inline(item, at(path, index), inside) for index, item in items]
        if key in _NAMED and isinstance(value, dict):
            return self._named(cast("Schema", value), path, inside)
        return value

    def _named(self, value: Schema, path: str, inside: _Spot) -> Schema:
        made = {name: self._inline(item, at(path, name), inside) for name, item in value.items()}
        return {name: untitled(name, schema) for name, schema in made.items()} if self.terse else made

    def _referred(self, schema: Schema, path: str, spot: _Spot) -> Any:
        ref: str = schema["$ref"]
        target = cast("object", self.references.target(ref, at(path, "$ref")))
        if not isinstance(target, dict | bool):
            raise Invalid(f"refers to {show(ref)}, which is no schema", path=at(path, "$ref"))
        if ref in spot.trail:
            return self._cut(
                cast("object", target), f"(recursive: {(steps_of(ref) or [ref])[-1]})", plain=True
            )
        if spot.level >= MAX_LEVELS:
            return self._cut(cast("object", target), MORE_INSIDE)
        found = self._inline(cast("object", target), path, spot.through(ref))
        notes: Schema = {key: value for key, value in schema.items() if key in NOTES}
        worded(schema, notes, terse=self.terse)
        others = {key: value for key, value in schema.items() if key in _KEPT - NOTES}
        # OpenAPI 3.0 says that what stands beside a $ref does not count; its notes are useful all the same.
        if others and not self.version_30:
            rest: Schema = self._inline(others, path, spot)
            return {"allOf": [found], **rest, **notes}
        return {**cast("Schema", found), **notes} if isinstance(found, dict) else found

    def _cut(self, schema: object, mark: str, *, plain: bool = False) -> Schema:
        """Any value of the kind that `schema` describes, and a note that there is more to say."""
        self._loosened += 1
        self.is_cut |= mark == MORE_INSIDE
        given: Schema = cast("Schema", schema) if isinstance(schema, dict) else {}
        made: Schema = {"type": given["type"]} if "type" in given else {}
        if not made and "properties" in given:
            made["type"] = "object"
        said = given.get("description")
        if not plain and self.terse and isinstance(said, str):
            made["description"] = f"{for_field(said)} {mark}"
        else:
            made["description"] = mark
        return complete(modern(given, made) if self.version_30 else made)

    def _drop_unreadable(self, made: Schema, path: str) -> None:
        """A pattern that the checker cannot read would refuse the tool, and one that is vast helps nobody."""
        pattern = made.get("pattern")
        if isinstance(pattern, str) and not _is_readable(pattern):
            del made["pattern"]
            self._loosened += 1
            self.unread_patterns.append(at(path, "pattern"))

    def _drop_choices(self, made: Schema, path: str) -> None:
        """A list of very many values is paid for in every model call; the tool itself knows what it takes."""
        values = made.get("enum")
        if not isinstance(values, list) or len(values := cast("list[object]", values)) <= MOST_CHOICES:
            return
        del made["enum"]
        self._loosened += 1
        self.unlisted.append(at(path, "enum"))
        made.setdefault("examples", values[:2])
        made["description"] = f"{made.get('description', '')} (one of {len(values):,} values)".strip()

    def _measure(self, made: Schema) -> None:
        for key, value in made.items():
            if key in _NAMED and isinstance(value, dict):
                self._characters += sum(map(len, cast("Schema", value)))
            elif isinstance(value, str):
                self._characters += len(value)
            elif isinstance(value, list | dict) and key not in _PARTS:
                self._characters += len(json.dumps(value, ensure_ascii=False))
        if self._characters > MOST_CHARACTERS:
            raise TooLarge(f"more than {MOST_CHARACTERS:,} characters")

    def _drop_read_only(self, given: Schema, made: Schema) -> None:
        """Properties that only answers carry are not asked for."""
        properties = given.get("properties")
        if not isinstance(properties, dict):
            return
        hidden = {name for name, schema in cast("Schema", properties).items() if self._is_read_only(schema)}
        if not hidden:
            return
        self._loosened += 1
        made["properties"] = {
            name: schema for name, schema in made["properties"].items() if name not in hidden
        }
        required = given.get("required")
        if isinstance(required, list):
            made["required"] = [name for name in cast("list[Any]", required) if name not in hidden]

    def _is_read_only(self, schema: object) -> bool:
        if not isinstance(schema, dict):
            return False
        if "readOnly" not in schema:
            with suppress(Invalid):  # what leads nowhere is said where it is filled in
                schema = self.references.follow(schema, "")[0]
        return isinstance(schema, dict) and cast("Schema", schema).get("readOnly") is True


@lru_cache(maxsize=1024)
def _is_readable(pattern: str) -> bool:
    if len(pattern) > LONGEST_PATTERN:
        return False
    limits = jsonschema_rs.FancyRegexOptions(size_limit=LARGEST_PATTERN)
    try:
        jsonschema_rs.validator_for({"pattern": pattern}, offline=True, pattern_options=limits)
    except ValueError:
        return False
    return True


def _has_parts(schema: Schema) -> bool:
    return any(isinstance(schema.get(key), dict | list) for key in _PARTS)
