"""Reads JSON and YAML text from strangers: small, shallow, plain data or an error with its line."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn, cast

from freehold.configuration.paths import at, show
from freehold.errors import Invalid, Problem
from freehold.json_document import repeated

# docs/openapi.md says what the limits come from.
MAX_BYTES = 8 * 1_048_576
MAX_NODES = 400_000
MAX_DEPTH = 100

# Where a node stands: the trail of what holds it, and its key or index there.
Trail = tuple[Any, "str | int"] | None


def read_text(text: str, path: str = "") -> Any:
    """Parse JSON or YAML of at most 8 MB into plain data; raises `Invalid` with `path` and line."""
    # A character is at least a byte, so that what is far too long is not encoded to learn that.
    size = len(text) if len(text) > MAX_BYTES else len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        raise Invalid(f"has {size:,} bytes; at most {MAX_BYTES:,} (8 MB) are allowed", path=path)
    text = text.removeprefix("\ufeff")
    if not text.strip():
        raise Invalid("is empty; expected a JSON or YAML document", path=path)
    value = _read_json(text, path) if text.lstrip()[0] in "{[" else _read_yaml(text, path)
    problems = plain_data_problems(value, path)
    if problems:
        raise Invalid(problems)
    return value


def decode(content: bytes, path: str = "") -> str:
    """`content` as UTF-8 text; raises `Invalid`."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Invalid(f"is not UTF-8 text (byte {error.start + 1})", path=path) from None


def plain_data_problems(value: object, path: str = "") -> list[Problem]:
    """What JSON or a store could not carry: odd types and keys, NaN, broken Unicode, too many values or levels."""
    problems: list[Problem] = []
    stack: list[tuple[object, Trail, int]] = [(value, None, 0)]
    nodes = 0
    while stack and len(problems) < 20:
        node, trail, depth = stack.pop()
        if depth >= MAX_DEPTH and isinstance(node, dict | list):
            return [*problems, Problem(path, f"is nested more than {MAX_DEPTH} levels deep")]
        if isinstance(node, dict | list):
            nodes += len(cast("list[object]", node))
            if nodes > MAX_NODES:
                return [*problems, Problem(path, f"holds more than {MAX_NODES:,} values")]
        if isinstance(node, dict):
            for key, item in cast("dict[object, object]", node).items():
                fault = None if isinstance(key, str) else f"has the key {show(key)}; keys must be text"
                fault = fault or _fault(key)
                if fault:
                    problems.append(Problem(_path(path, trail), fault))
                else:
                    stack.append((item, (trail, str(key)), depth + 1))
        elif isinstance(node, list):
            items = enumerate(cast("list[object]", node))
            stack += [(item, (trail, index), depth + 1) for index, item in items]
        elif fault := _fault(node):
            problems.append(Problem(_path(path, trail), fault))
    return problems


def _path(path: str, trail: Trail) -> str:
    # Written out for what is at fault only: most nodes are not.
    steps: list[str | int] = []
    while trail:
        trail, step = trail
        steps.append(step)
    return at(path, *reversed(steps))


def _fault(value: object) -> str | None:
    if isinstance(value, str):
        return "holds broken Unicode (a lone surrogate)" if _is_broken(value) else None
    if isinstance(value, float):
        return None if math.isfinite(value) else "is NaN or infinite; numbers must be finite"
    if value is None or isinstance(value, int):
        return None
    return f"is of type {type(value).__name__}, which JSON does not have"


def _is_broken(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _read_json(text: str, path: str) -> object:
    def refuse(name: str) -> NoReturn:
        raise Invalid(f"holds {name}; numbers must be finite", path=path)

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise Invalid(f"holds the key {show(repeated(pairs))} twice in one object", path=path)
        return found

    try:
        return json.loads(text, parse_constant=refuse, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise Invalid(
            f"is not valid JSON: {error.msg} (line {error.lineno}, column {error.colno})", path=path
        ) from None
    except RecursionError:
        raise Invalid(f"is nested more than {MAX_DEPTH} levels deep", path=path) from None
    except ValueError:
        raise Invalid("holds a number with more digits than can be read", path=path) from None


def _read_yaml(text: str, path: str) -> object:
    # Only YAML pays for the YAML library.
    from .yaml_reading import read_yaml

    return read_yaml(text, path, max_depth=MAX_DEPTH, max_nodes=MAX_NODES)
