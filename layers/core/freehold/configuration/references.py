"""Looks up what a `$ref` points to, in its own document and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote

from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from freehold.configuration.paths import at, show
from freehold.errors import Invalid, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from referencing import Resource

Schema = dict[str, Any]

# What stands here is shown to people; a `$ref` in it is no reference.
LITERAL = {"example", "examples", "default", "enum", "const"}


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

    def problems(self, node: object, path: str) -> Iterator[Problem]:
        """Every `$ref` in `node` that leads nowhere or elsewhere."""
        for ref, where in refs_in(node, path):
            try:
                self.target(ref, where)
            except Invalid as error:
                yield from error.problems


def refs_in(node: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Every `$ref` in `node`, and where it stands."""
    stack: list[tuple[object, str]] = [(node, path)]
    while stack:
        one, here = stack.pop()
        if isinstance(one, dict):
            for key, value in cast("Schema", one).items():
                if key == "$ref" and isinstance(value, str):
                    yield value, at(here, key)
                elif key not in LITERAL and isinstance(value, dict | list):
                    stack.append((cast("object", value), at(here, key)))
        elif isinstance(one, list):
            stack += [(item, at(here, index)) for index, item in enumerate(cast("list[object]", one))]


def steps_of(ref: str) -> list[str]:
    """The keys that a JSON Pointer goes along; none for a `$ref` of another kind.

    Source: RFC 6901.
    """
    if not ref.startswith("#/"):
        return []
    return [step.replace("~1", "/").replace("~0", "~") for step in unquote(ref[2:]).split("/")]
