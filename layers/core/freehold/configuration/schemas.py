"""JSON Schemas as models take them: 2020-12, self-contained, every `$ref` filled in from its own document."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import jsonschema_rs
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from freehold.configuration.faults import problems_of
from freehold.configuration.paths import at, show
from freehold.errors import Invalid, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from referencing import Resource

Schema = dict[str, Any]

MAX_DEPTH = 60
MAX_SCHEMAS = 2_000

_ONE = {
    *("items", "not", "additionalProperties", "contains", "propertyNames", "if", "then", "else"),
    *("unevaluatedItems", "unevaluatedProperties", "contentSchema"),
}
_MANY = {"allOf", "anyOf", "oneOf", "prefixItems"}
_NAMED = {"properties", "patternProperties", "dependentSchemas"}
_LITERAL = {"example", "examples", "default", "enum", "const"}
_DROPPED = {
    *("example", "xml", "externalDocs", "discriminator", "nullable", "readOnly", "writeOnly"),
    *("$schema", "$id", "$anchor", "$comment", "$vocabulary", "$dynamicAnchor", "$defs", "definitions"),
}
_NOTES = {"title", "description", "default", "examples", "deprecated"}


@dataclass
class References:
    """Looks `$ref`s up in one document. Nothing is ever fetched: the registry holds this document alone."""

    document: Schema
    _known: dict[str, Any] = field(default_factory=dict[str, Any], init=False)

    def __post_init__(self) -> None:
        resource: Resource[Any] = DRAFT202012.create_resource(self.document)
        registry: Registry[Any] = Registry[Any]().with_resource("", resource)
        self._resolver = registry.resolver()

    def follow(self, node: Any, path: str) -> tuple[Any, str]:
        """`node`, or what its `$ref`s lead to in the end, and where it is referred to; raises `Invalid`."""
        followed: list[str] = []
        while isinstance(node, dict) and isinstance(ref := cast("Schema", node).get("$ref"), str):
            path = path if followed else at(path, "$ref")
            if ref in followed:
                raise Invalid(f"refers to itself: {' → '.join([*followed, ref])}", path=path)
            followed.append(ref)
            node = self.target(ref, path)
        return cast("Any", node), path

    def target(self, ref: str, path: str) -> Any:
        """What stands where `ref` points; raises `Invalid`."""
        if not ref.startswith("#"):
            message = f"refers to {show(ref)}; other documents are never read, put it under components"
            raise Invalid(message, path=path)
        if ref not in self._known:
            try:
                self._known[ref] = self._resolver.lookup(ref).contents
            except (Unresolvable, ValueError, TypeError, AttributeError):
                raise Invalid(f"refers to {show(ref)}, which is not in this document", path=path) from None
        return self._known[ref]

    def problems(self, path: str) -> Iterator[Problem]:
        """Every `$ref` in the document that leads nowhere or elsewhere."""
        for ref, where in _refs(self.document, path):
            try:
                self.target(ref, where)
            except Invalid as error:
                yield from error.problems


def _refs(document: object, path: str) -> Iterator[tuple[str, str]]:
    stack: list[tuple[object, str]] = [(document, path)]
    while stack:
        node, here = stack.pop()
        if isinstance(node, dict):
            for key, value in cast("Schema", node).items():
                if key == "$ref" and isinstance(value, str):
                    yield value, at(here, key)
                elif key not in _LITERAL:
                    stack.append((value, at(here, key)))
        elif isinstance(node, list):
            stack += [(item, at(here, index)) for index, item in enumerate(cast("list[object]", node))]


@dataclass
class Inliner:
    """Makes one tool's schemas self-contained. One instance per tool: it counts what the tool grows to.

    A reference into a schema that is still being filled in is cut, with a note in its description.
    """

    references: References
    version_30: bool = False
    _count: int = field(default=0, init=False)
    _start: str = field(default="", init=False)

    def inline(self, schema: object, path: str) -> Any:
        """`schema` without references; raises `Invalid` where that cannot be."""
        self._start = path
        return self._inline(schema, path, (), 0)

    def _inline(self, schema: object, path: str, trail: tuple[str, ...], depth: int) -> Any:
        self._count += 1
        if depth > MAX_DEPTH or self._count > MAX_SCHEMAS:
            message = f"grows to more than {MAX_SCHEMAS:,} schemas or {MAX_DEPTH} levels; offer a smaller one"
            raise Invalid(message, path=self._start)
        if not isinstance(schema, dict):
            return schema
        given = cast("Schema", schema)
        if isinstance(given.get("$ref"), str):
            return self._referred(given, path, trail, depth)
        if "$dynamicRef" in given or "$recursiveRef" in given:
            raise Invalid("uses a dynamic reference, which is not supported; use $ref", path=path)
        made: Schema = {}
        for key, value in given.items():
            if key not in _DROPPED and not key.startswith("x-"):
                made[key] = self._keyword(key, value, at(path, key), trail, depth)
        # JSON Schema's own word for it. What is short shows the model a format; what is long only costs tokens.
        if isinstance(shown := given.get("example"), str | int | float) and "examples" not in made:
            made["examples"] = [shown]
        self._drop_read_only(given, made)
        return _modern(given, made) if self.version_30 else made

    def _keyword(self, key: str, value: Any, path: str, trail: tuple[str, ...], depth: int) -> Any:
        if key in _ONE:
            return self._inline(value, path, trail, depth + 1)
        if key in _MANY and isinstance(value, list):
            items = enumerate(cast("list[object]", value))
            return [self._inline(item, at(path, index), trail, depth + 1) for index, item in items]
        if key in _NAMED and isinstance(value, dict):
            named = cast("Schema", value).items()
            return {name: self._inline(item, at(path, name), trail, depth + 1) for name, item in named}
        return value

    def _referred(self, schema: Schema, path: str, trail: tuple[str, ...], depth: int) -> Any:
        ref: str = schema["$ref"]
        target = cast("object", self.references.target(ref, at(path, "$ref")))
        if not isinstance(target, dict | bool):
            raise Invalid(f"refers to {show(ref)}, which is no schema", path=at(path, "$ref"))
        if ref in trail:
            return _cut(ref, cast("object", target))
        found = self._inline(cast("object", target), path, (*trail, ref), depth + 1)
        notes = {key: value for key, value in schema.items() if key in _NOTES}
        others = {
            key: value
            for key, value in schema.items()
            if key not in _NOTES and key not in _DROPPED and key != "$ref" and not key.startswith("x-")
        }
        # OpenAPI 3.0 says that what stands beside a $ref does not count; its notes are useful all the same.
        if others and not self.version_30:
            rest: Schema = self._inline(others, path, trail, depth + 1)
            return {"allOf": [found], **rest, **notes}
        return {**cast("Schema", found), **notes} if isinstance(found, dict) else found

    def _drop_read_only(self, given: Schema, made: Schema) -> None:
        """Properties that only answers carry are not asked for."""
        properties = given.get("properties")
        if not isinstance(properties, dict):
            return
        hidden = {name for name, schema in cast("Schema", properties).items() if self._is_read_only(schema)}
        if not hidden:
            return
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
            schema = self.references.follow(schema, "")[0]
        return isinstance(schema, dict) and cast("Schema", schema).get("readOnly") is True


def _cut(ref: str, target: object) -> Schema:
    kind = cast("Schema", target).get("type", "object") if isinstance(target, dict) else "object"
    return {"type": kind, "description": f"(recursive: {ref.rsplit('/', 1)[-1]})"}


def _modern(given: Schema, made: Schema) -> Schema:
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
    notes = {key: value for key, value in made.items() if key in _NOTES}
    rest = {key: value for key, value in made.items() if key not in _NOTES}
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
