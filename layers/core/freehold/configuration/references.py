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
    from collections.abc import Iterator, Mapping, Sequence

    from referencing import Resource

Schema = dict[str, Any]
Steps = tuple[str | int, ...]
Faults = dict[Steps, list[Problem]]

# What stands here is shown to people; a `$ref` in it is no reference.
LITERAL = {"example", "examples", "default", "enum", "const"}


@dataclass
class References:
    """Looks `$ref`s up in one document. Nothing is ever fetched: the registry holds this document alone.

    `faults` are what is known to be wrong in it, by place: nothing is made of what stands there.
    """

    document: Schema
    faults: Mapping[Steps, Sequence[Problem]] = field(default_factory=Faults)
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
        if not ref.startswith("#/") and ref != "#":
            message = (
                f"refers to {show(ref)}; anchors are not supported, write the path: #/components/schemas/…"
            )
            raise Invalid(message, path=path)
        if ref not in self._known:
            self.check(steps_of(ref))
            try:
                self._known[ref] = self._resolver.lookup(ref).contents
            except (Unresolvable, ValueError, TypeError, AttributeError):
                raise Invalid(f"refers to {show(ref)}, which is not in this document", path=path) from None
        return self._known[ref]

    def check(self, steps: Sequence[str]) -> None:
        """Raises `Invalid` where a fault is known at the place that `steps` lead to, around it or inside."""
        found = [
            problem
            for place, problems in self.faults.items()
            if all(one == other for one, other in zip(place, steps, strict=False))
            for problem in problems
        ]
        if found:
            raise Invalid(found)


def refs_in(node: object) -> Iterator[tuple[str, Steps]]:
    """Every `$ref` in `node`, and the steps to where it stands."""
    stack: list[tuple[object, Steps]] = [(node, ())]
    while stack:
        one, here = stack.pop()
        if isinstance(one, dict):
            for key, value in cast("Schema", one).items():
                if key == "$ref" and isinstance(value, str):
                    yield value, (*here, key)
                elif isinstance(value, dict | list) and (key not in LITERAL or here[-1:] == ("properties",)):
                    stack.append((cast("object", value), (*here, key)))
        elif isinstance(one, list):
            stack += [(item, (*here, index)) for index, item in enumerate(cast("list[object]", one))]


def steps_of(ref: str) -> list[str]:
    """The keys that a JSON Pointer goes along; none for a `$ref` of another kind.

    Source: RFC 6901.
    """
    if not ref.startswith("#/"):
        return []
    return [step.replace("~1", "/").replace("~0", "~") for step in unquote(ref[2:]).split("/")]
