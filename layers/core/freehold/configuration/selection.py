"""The operations of an OpenAPI document that are asked for, and the part of the document that they need."""

from __future__ import annotations

import json
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, cast

from freehold.configuration.openapi import METHODS, read_openapi
from freehold.configuration.paths import at, choices, show
from freehold.configuration.references import References, refs_in, steps_of
from freehold.errors import Invalid, Problem
from freehold.value import Value, replace

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from freehold.configuration.references import Schema

# No tool is made of these, so that nothing is asked of them either.
_UNUSED_IN_OPERATION = {"responses", "callbacks", "security", "servers", "tags", "externalDocs"}
_ANY_RESPONSES: Schema = {"default": {"description": ""}}
# Looking for what was meant compares with every name.
_MOST_HINTS, _MOST_COMPARED = 5, 2_000


class Operation(Value):
    """One operation where it stands. `named` says that it was asked for by its own name."""

    url: str
    method: str
    node: Schema
    path: str
    item: Schema
    item_path: str
    named: bool = False

    @property
    def operation_id(self) -> str:
        given = self.node.get("operationId")
        return given if isinstance(given, str) else ""

    @property
    def route(self) -> str:
        return f"{self.method.upper()} {self.url}"

    @property
    def name(self) -> str:
        """What the operation is called where it is asked for."""
        return self.operation_id or self.route


def operations_of(document: Schema, references: References, path: str) -> Iterator[Operation | Problem]:
    """Every operation in the document's order, and what cannot be one."""
    paths = document.get("paths", {})
    if not isinstance(paths, dict):
        yield Problem(at(path, "paths"), f"is {show(paths)}; must be an object")
        return
    for url, node in cast("Schema", paths).items():
        if url.startswith("x-"):
            continue
        try:
            item, where = references.follow(node, at(path, "paths", url))
        except Invalid as error:
            yield from error.problems
            continue
        if not isinstance(item, dict):
            yield Problem(where, f"is {show(item)}; must be an object")
            continue
        held = cast("Schema", item)
        for method in [key for key in held if key in METHODS]:
            if isinstance(held[method], dict):
                yield Operation(url, method, held[method], at(where, method), held, where)
            else:
                yield Problem(at(where, method), f"is {show(held[method])}; must be an object")


def chosen(operations: Sequence[Operation], wanted: Sequence[str], path: str) -> list[Operation]:
    """Those that `wanted` names, in the document's order; raises `Invalid` where a name fits none."""
    known = {name for one in operations for name in (one.operation_id, one.route) if name}
    named: set[str] = set()
    beginnings: list[str] = []
    unknown: list[Problem] = []
    for index, want in enumerate(wanted):
        name = want if want in known else _spelt(want)
        beginning = name.removesuffix("*")
        if name in known:
            named.add(name)
        elif beginning != name and any(one.startswith(beginning) for one in known):
            beginnings.append(beginning)
        else:
            hint = _hint(beginning, known) if len(unknown) < _MOST_HINTS else ""
            message = f"is {show(want)}, which no operation is called{hint}"
            unknown.append(Problem(at(path, "operations", index), message))
    if unknown:
        raise Invalid(unknown)
    begins = tuple(beginnings)
    return [
        replace(one, named=bool({one.operation_id, one.route} & named))
        for one in operations
        if {one.operation_id, one.route} & named
        or one.operation_id.startswith(begins)
        or one.route.startswith(begins)
    ]


def _spelt(want: str) -> str:
    """`get  /orders` as `GET /orders`; an operationId as it is."""
    method, _, url = want.strip().partition(" ")
    return f"{method.upper()} {url.strip()}" if method.lower() in METHODS and url.strip() else want.strip()


def _hint(name: str, known: set[str]) -> str:
    # The same name in other case is always among those compared.
    some = sorted(known, key=lambda one: one.casefold() != name.casefold())[:_MOST_COMPARED]
    close = get_close_matches(name, some, n=3, cutoff=0.6)
    return f"; did you mean {choices(map(show, close))}?" if close else f"; there are {examples_of(known)}"


def examples_of(names: set[str]) -> str:
    return ", ".join(show(name) for name in sorted(names)[:3]) + (" and others" if len(names) > 3 else "")


def excerpt(
    document: Schema, operations: Sequence[Operation], *, unused: Collection[str] = _UNUSED_IN_OPERATION
) -> Schema:
    """The part of `document` that tools are made of: `operations` without answers, and all that they refer to."""
    paths: Schema = {}
    for one in operations:
        raw = document["paths"][one.url]
        if isinstance(raw, dict) and "$ref" in raw:
            paths[one.url] = raw
            continue
        shared = {key: part for key, part in one.item.items() if key not in METHODS and key not in unused}
        node = {key: part for key, part in one.node.items() if key not in unused}
        paths.setdefault(one.url, shared)[one.method] = {**node, "responses": _ANY_RESPONSES}
    info = cast("Schema", document["info"]) if isinstance(document.get("info"), dict) else {}
    title, version = (str(info.get(key, "")) for key in ("title", "version"))
    made: Schema = {
        "openapi": document["openapi"],
        "info": {"title": title, "version": version},
        "paths": paths,
    }
    _keep_referred(document, made)
    if keys := api_key_parameters(document):
        made["components"] = made.get("components", {}) | {"securitySchemes": keys}
    return made


def excerpt_text(text: str, wanted: Sequence[str], path: str) -> str:
    """The excerpt of the document in `text` for the operations that `wanted` names; raises `Invalid`."""
    document = read_openapi(text, path)
    found = operations_of(document, References(document), path)
    operations = [one for one in found if isinstance(one, Operation)]
    # What an operation's own servers are worth depends on who asks them, which is not known here.
    unused = _UNUSED_IN_OPERATION - {"servers"}
    made = excerpt(document, chosen(operations, wanted, path), unused=unused)
    return json.dumps(made, ensure_ascii=False)


def _keep_referred(document: Schema, made: Schema) -> None:
    """Put into `made` all that it refers to, and what that refers to in turn."""
    kept: set[tuple[str, ...]] = set()
    waiting: list[Any] = [made["paths"]]
    while waiting:
        for ref, _ in refs_in(waiting.pop()):
            steps = tuple(steps_of(ref)[: 3 if ref.startswith("#/components/") else 2])
            if steps in kept or not steps:
                continue
            kept.add(steps)
            found: Any = document
            for step in steps:
                found = cast("Schema", found).get(step) if isinstance(found, dict) else None
            if found is None:
                continue  # said where references are followed
            holder = made
            for step in steps[:-1]:
                holder = holder.setdefault(step, {})
            holder[steps[-1]] = found
            waiting.append(found)


def api_key_parameters(document: Schema) -> dict[str, Schema]:
    """The security schemes that are parameters: a key is the tool's business, never the model's."""
    components = document.get("components")
    schemes = cast("Schema", components).get("securitySchemes") if isinstance(components, dict) else None
    found: dict[str, Schema] = {}
    for name, scheme in cast("Schema", schemes).items() if isinstance(schemes, dict) else ():
        given = cast("Schema", scheme) if isinstance(scheme, dict) else {}
        place, key = given.get("in"), given.get("name")
        if given.get("type") == "apiKey" and isinstance(place, str) and isinstance(key, str):
            found[name] = {"type": "apiKey", "in": place, "name": key}
    return found
