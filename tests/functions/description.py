"""`openapi.yaml`, and answers held to it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import jsonschema_rs
import yaml

from .lambdas import ROOT

Json = dict[str, Any]
SCHEMAS = "#/components/schemas/"
NO_METHODS = {"parameters"}
# Of every answer, and of those that a page of an allowed origin gets.
ALWAYS = {"content-type", "x-request-id"}
FOR_PAGES = {"access-control-allow-headers", "access-control-max-age", "access-control-expose-headers"} | {
    "access-control-allow-origin",
    "vary",
}


@cache
def document() -> Json:
    return yaml.safe_load((ROOT / "openapi.yaml").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Operation:
    """One call of the document; `path` names its ids in braces."""

    method: str
    path: str
    described: Json

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def parameters(self) -> list[Json]:
        named = [*document()["paths"][self.path].get("parameters", []), *self.described.get("parameters", [])]
        return [resolved(each) for each in named]

    def takes(self, place: str) -> set[str]:
        """Names of its parameters in `path`, `query` or `header`."""
        return {each["name"] for each in self.parameters if each["in"] == place}

    @property
    def body(self) -> Json | None:
        found = self.described.get("requestBody")
        return found and found["content"]["application/json"]["schema"]


def resolved(value: Json) -> Json:
    """What a reference within the document refers to."""
    if "$ref" not in value:
        return value
    found = document()
    for part in value["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return resolved(found)


@cache
def operations() -> tuple[Operation, ...]:
    """All but what browsers ask before a call."""
    return tuple(
        Operation(method.upper(), path, described)
        for path, methods in document()["paths"].items()
        for method, described in methods.items()
        if method not in NO_METHODS and path != "/{proxy+}"
    )


def find(method: str, path: str) -> Operation | None:
    """The operation of a request. One that is spelt out counts before one with an id in its place."""
    fits = [each for each in operations() if each.method == method and _pattern(each.path).fullmatch(path)]
    return min(fits, key=lambda each: each.path.count("{"), default=None)


@cache
def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path)))


def misfits(method: str, path: str, body: str | None) -> list[str]:
    """What a request's body is that the document does not say."""
    operation = find(method, path)
    if operation is None or operation.body is None or body is None:
        return []
    return [error.message for error in taken(operation.body["$ref"]).iter_errors(json.loads(body))]


def faults(
    method: str, path: str, status: int, headers: Mapping[str, str], text: str, *, page: bool = False
) -> Iterator[str]:
    """What an answer is that the document does not say. `page`: one of another origin asked."""
    sent = {name.lower(): value for name, value in headers.items()}
    operation = find(method, path)
    if operation is None:
        told: Json | None = {
            "headers": {},
            "content": {"application/problem+json": {"schema": {"$ref": f"{SCHEMAS}Problem"}}},
        }
    else:
        told = operation.described["responses"].get(str(status))
    if told is None:
        yield f"status {status} is not in the document"
        return
    if "x-request-id" not in sent:
        yield "there is no x-request-id"
    yield from _of_headers(told, set(sent), status, page)
    yield from _of_body(told.get("content", {}), sent.get("content-type"), text)


def _of_headers(told: Json, sent: set[str], status: int, page: bool) -> Iterator[str]:
    documented = {name.lower() for name in told["headers"]}
    for name in sent - documented - ALWAYS - (FOR_PAGES if page else set()):
        yield f"the header {name} is not in the document"
    if status < 300:
        for name in documented - sent:
            yield f"the header {name} is missing"


def _of_body(content: Json, media: str | None, text: str) -> Iterator[str]:
    if not content:
        if text:
            yield f"there is a body, and the document has none: {text[:80]}"
        return
    if media not in content:
        yield f"{media} is not in the document"
        return
    for error in validator(content[media]["schema"]["$ref"]).iter_errors(json.loads(text)):
        place = "".join(f"[{part}]" for part in error.instance_path)
        yield f"{place} {error.message[:300]}"


@cache
def taken(reference: str) -> jsonschema_rs.Draft4Validator:
    """Of a request."""
    schemas = document()["components"]["schemas"]
    return jsonschema_rs.Draft4Validator({"components": {"schemas": schemas}, "allOf": [{"$ref": reference}]})


@cache
def validator(reference: str) -> jsonschema_rs.Draft4Validator:
    """Of an answer: what the schema does not name may not be there, although a client has to expect more some day."""
    schemas = {name: closed(schema) for name, schema in document()["components"]["schemas"].items()}
    return jsonschema_rs.Draft4Validator({"components": {"schemas": schemas}, "allOf": [{"$ref": reference}]})


def closed(schema: Any) -> Any:
    """A schema that takes no further fields."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: closed(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict):
        made.setdefault("additionalProperties", False)
    return made
