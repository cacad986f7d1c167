"""What an operation of an HTTP API is asked, made of the model's arguments, and how its answer is told.

Source of the styles: https://spec.openapis.org/oas/v3.1.0#style-values
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast
from urllib.parse import parse_qsl, quote, unquote, urlencode

from .errors import ToolFailed
from .values.agent import Argument, Tool
from .values.text import well_formed
from .values.tool import Answer, HttpRequest

FORM = "application/x-www-form-urlencoded"
# What the protocol, the executor or the credentials say, whatever a document declares.
NEVER_ARGUMENTS = frozenset(
    (
        *("accept-encoding", "authorization", "connection", "content-encoding", "content-length"),
        *("content-type", "expect", "host", "idempotency-key", "keep-alive", "proxy-authorization"),
        *("proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "user-agent"),
    )
)
# Of a path in a document, what stands for itself, and the braces around parameters.
_IN_TEMPLATE = "/%:@!$&'()*+,;=~{}"
# Servers in a row may each decode what they are sent.
_DECODED_TIMES = 3
_DELIMITERS = {"spaceDelimited": " ", "pipeDelimited": "|"}
Given = tuple[Argument, Any]
Pairs = Iterator[tuple[str, str]]


def request(tool: Tool, arguments: Mapping[str, Any]) -> HttpRequest:
    """Raises `ToolFailed` for arguments that would ask something else than the operation."""
    given = [
        (one, _text(value) if one.style == "json" and not isinstance(value, str) else value)
        for one in tool.arguments
        if (value := arguments.get(one.key)) is not None
    ]
    path, _, fixed = (tool.api_path or "/").partition("?")
    in_path = [(one, value) for one, value in given if one.place == "path"]
    query = [*_fixed_query(fixed, in_path), *(pair for one in _at("query", given) for pair in _query(*one))]
    body = _body(tool, given)
    return HttpRequest(
        tool.http_method or "GET",
        _path(path, in_path),
        tuple(query),
        tuple(_headers(given)),
        body,
        tool.body_content_type if body is not None else None,
    )


def read_answer(status: int, text: str) -> Answer:
    """A refusal (4xx) is an answer that the model can act on; a failure of the server (5xx) is none."""
    content = text if 200 <= status < 300 and text.strip() else f"HTTP {status}: {text}".rstrip(": ")
    return Answer(status < 500, well_formed(content))


def _at(place: str, given: Iterable[Given]) -> list[Given]:
    return [(one, value) for one, value in given if one.place == place]


# -- path


def _path(template: str, given: list[Given]) -> str:
    steps = quote(template, safe=_IN_TEMPLATE).split("/")
    values = {quote(f"{{{one.name}}}", safe=_IN_TEMPLATE): _path_value(one, value) for one, value in given}
    filled = [_filled(step, values) for step in steps]
    for step, made in zip(steps, filled, strict=True):
        if step != made and (not made or _climbs(made)):
            raise ToolFailed(f"the path parameter in {step} leads elsewhere")
        if "{" in made:
            raise ToolFailed(f"the path parameter in {step} is missing")
    return "/" + "/".join(filled).removeprefix("/")


def _filled(step: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        step = step.replace(name, value)
    return step


def _path_value(argument: Argument, value: Any) -> str:
    """Encoded, so that it stays within its step."""
    parts = _parts(value)
    # A list and an object may be empty, too.
    for key, text in parts or [("", "")]:
        _stays(argument.name, text)
        _stays(argument.name, key or text)
    encoded = [(_encoded(key), _encoded(text)) for key, text in parts]
    is_object = isinstance(value, dict)
    paired = [f"{key}={text}" for key, text in encoded]
    single = ",".join(_alternating(encoded, value))
    if argument.style == "label":
        exploded = paired if is_object else [text for _, text in encoded]
        return "." + (".".join(exploded) if argument.explode else single)
    if argument.style == "matrix":
        name = _encoded(argument.name)
        exploded = paired if is_object else [f"{name}={text}" for _, text in encoded]
        return "".join(f";{each}" for each in exploded) if argument.explode else f";{name}={single}"
    return ",".join(paired) if is_object and argument.explode else single


def _stays(name: str, text: str) -> None:
    """Raises `ToolFailed` for what some server might decode and then read as another path."""
    if not text:
        raise ToolFailed(f"the path parameter {name} is empty, which would lead elsewhere")
    if _climbs(text):
        raise ToolFailed(f"the path parameter {name} has a step . or .., which would lead elsewhere")


def _climbs(text: str) -> bool:
    """Whether it has a step `.` or `..`; some servers do not count what follows a `;` in a step."""
    for _ in range(_DECODED_TIMES):
        if {".", ".."} & {step.partition(";")[0] for step in text.replace("\\", "/").split("/")}:
            return True
        text = unquote(text)
    return False


# -- query, headers and cookies


def _fixed_query(template: str, given: list[Given]) -> Pairs:
    """What a path has behind its question mark, in which parameters may stand, too."""
    for name, text in parse_qsl(template, keep_blank_values=True):
        values = {f"{{{one.name}}}": ",".join(part for _, part in _parts(value)) for one, value in given}
        yield name, _filled(text, values)


def _query(argument: Argument, value: Any) -> Pairs:
    if argument.style == "deepObject" and isinstance(value, dict):
        yield from _deep(argument.name, value)
        return
    parts = _parts(value)
    if argument.explode is not False:
        yield from ((key or argument.name, text) for key, text in parts)
    elif parts:
        delimiter = _DELIMITERS.get(argument.style, ",")
        yield argument.name, delimiter.join(_alternating(parts, value))


def _deep(name: str, value: Any) -> Pairs:
    """`filter[owner][id]=7`; of lists OpenAPI says nothing, and most servers read `filter[ids][0]=7`."""
    if isinstance(value, dict):
        for key, each in cast("dict[str, Any]", value).items():
            yield from _deep(f"{name}[{key}]", each)
    elif isinstance(value, list):
        for index, each in enumerate(cast("list[Any]", value)):
            yield from _deep(f"{name}[{index}]", each)
    else:
        yield name, _text(value)


def _headers(given: list[Given]) -> Iterator[tuple[str, str]]:
    for argument, value in _at("header", given):
        if argument.name.lower() not in NEVER_ARGUMENTS:
            yield argument.name, _header(argument, value)
    cookies = [pair for one in _at("cookie", given) for pair in _query(*one)]
    if cookies:
        yield "Cookie", "; ".join(f"{_encoded(name)}={_encoded(text)}" for name, text in cookies)


def _header(argument: Argument, value: Any) -> str:
    parts = _parts(value)
    if argument.explode and isinstance(value, dict):
        text = ",".join(f"{key}={each}" for key, each in parts)
    else:
        text = ",".join(_alternating(parts, value))
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in text):
        raise ToolFailed(
            f"the header {argument.name} has a line break or another character that no header has"
        )
    return text


# -- body


def _body(tool: Tool, given: list[Given]) -> bytes | None:
    """A body of properties is sent even where none is given: it then has none that is required."""
    kind = tool.body_content_type
    whole = _at("wholeBody", given)
    has_properties = any(argument.place == "body" for argument in tool.arguments)
    if kind is None or not (whole or has_properties):
        return None
    if kind == FORM:
        return _form(given, whole).encode()
    value = whole[0][1] if whole else {one.name: each for one, each in _at("body", given)}
    if kind.startswith("text/") and isinstance(value, str):
        return well_formed(value).encode()
    return well_formed(json.dumps(value, ensure_ascii=False)).encode()


def _form(given: list[Given], whole: list[Given]) -> str:
    if whole and not isinstance(whole[0][1], dict):
        return _encoded(_text(whole[0][1]))
    pairs = [pair for argument, value in _at("body", given) for pair in _field(argument, value)]
    for _, value in whole:
        pairs += [
            pair for key, each in value.items() for pair in _field(Argument(key, key, "", "body"), each)
        ]
    return urlencode(pairs)


def _field(argument: Argument, value: Any) -> Pairs:
    """Objects are JSON where the document does not say how they are to be written."""
    if isinstance(value, dict) and not argument.style:
        return iter([(argument.name, _text(value))])
    return _query(argument, value)


# -- values


def _parts(value: Any) -> list[tuple[str, str]]:
    """The values of a list, and of an object with their keys; any other value is the only one."""
    if isinstance(value, dict):
        return [(well_formed(key), _text(each)) for key, each in cast("dict[str, Any]", value).items()]
    if isinstance(value, list):
        return [("", _text(each)) for each in cast("list[Any]", value)]
    return [("", _text(value))]


def _alternating(parts: Iterable[tuple[str, str]], value: Any) -> Iterator[str]:
    """Keys and values of an object in turn; of all else the values."""
    return (each for part in parts for each in (part if isinstance(value, dict) else part[1:]))


def _text(value: Any) -> str:
    return well_formed(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _encoded(text: str) -> str:
    return quote(text, safe="")
