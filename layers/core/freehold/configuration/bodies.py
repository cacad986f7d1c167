"""What of an operation's body a model can write: of several media types, the first that it can."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from freehold.configuration.arguments import plain_object
from freehold.configuration.paths import at, choices
from freehold.configuration.styles import Style, styles_of_form
from freehold.value import Value, field

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from freehold.configuration.references import Schema

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
# What some documents write for "anything"; tools look a body up by its type, and JSON is what they get.
_ANYTHING = {"", "*/*"}


class NoTool(Exception):
    """The operation is sound, but nothing that a model could call."""


class Body(Value):
    """A body as it is asked for: its bare media type, for tools look it up without a charset, and its schema.

    `styles` are those of a form's fields, where the document says any.
    """

    media_type: str
    schema: Any
    styles: Mapping[str, Style] = field(default_factory=dict[str, Style])


def body_of(
    content: Schema,
    path: str,
    inlined: Callable[[Any, str], Any],
    sendable: Callable[[str], bool] | None = None,
) -> Body | None:
    """The body of `content`, its schema `inlined`; None for a form without fields.

    Media types that are not `sendable` are passed over.
    Raises `NoTool` where it is a file or the like.
    """
    bare = {kind: kind.partition(";")[0].strip().lower() for kind in content}
    kinds = [kind for kind in content if sendable is None or sendable(bare[kind])]
    for kind in sorted(kinds, key=lambda kind: _rank(bare[kind])):
        media: object = content[kind]
        given: object = cast("Schema", media).get("schema") if isinstance(media, dict) else None
        schema = inlined({} if given is None else given, at(path, kind, "schema"))
        if is_json(bare[kind]) and not (bare[kind] in _ANYTHING and _is_file(schema)):
            # One that leaves the type open is sent as what it most likely is.
            return Body(JSON if bare[kind] in _ANYTHING else bare[kind], schema)
        if bare[kind] in (FORM, MULTIPART) and _is_empty(schema):
            return None
        writable = _writable(bare[kind], schema, is_described=given is not None)
        if writable is not None:
            styles = styles_of_form(media) if bare[kind] == FORM else {}
            return Body(bare[kind], writable, styles)
    unsent = "" if kinds else ", which is not sent over HTTP"
    raise NoTool(f"its body is {choices(list(content)[:3])}{unsent}")


def is_json(bare: str) -> bool:
    """Also `…+json`, `text/json` and what is left open, but not a sequence of JSON texts."""
    return bare in _ANYTHING or (bare.endswith("json") and not bare.endswith(("ndjson", "x-json-seq")))


def _rank(bare: str) -> int:
    """JSON first, what is left open last; forms before all else between them."""
    ranks = {JSON: 0, FORM: 2, MULTIPART: 3} | dict.fromkeys(_ANYTHING, 5)
    return ranks.get(bare, 1 if is_json(bare) else 4)


def _writable(bare: str, schema: Any, *, is_described: bool) -> Any:
    """`schema` without the files that may be left out; None where nothing is left that a model could write.

    A tool gets a body as named values, so that of a form and of XML alike the fields are asked for.
    """
    plain = plain_object(schema)
    if plain and plain[0]:
        files = {name for name, part in plain[0].items() if _is_file(part)}
        if files & plain[1] or files == plain[0].keys():
            return None
        if not files:
            return schema
        fields = {name: part for name, part in plain[0].items() if name not in files}
        return {"type": "object", "properties": fields, "required": sorted(plain[1])}
    if not bare.startswith("text/") and not bare.endswith(("xml", "yaml")):
        return None
    if not is_described or schema in ({}, True):
        return {"type": "string"}
    return None if _is_file(schema) else schema


def _is_empty(schema: Any) -> bool:
    plain = plain_object(schema)
    return plain is not None and not plain[0] and "properties" in schema


def _is_file(schema: Any) -> bool:
    given = cast("Schema", schema) if isinstance(schema, dict) else {}
    if "items" in given:
        return _is_file(given["items"])
    media = given.get("contentMediaType")
    if isinstance(media, str) and "contentEncoding" not in given:
        return not media.startswith("text/") and not media.endswith(("json", "xml", "yaml"))
    return given.get("format") == "binary"
