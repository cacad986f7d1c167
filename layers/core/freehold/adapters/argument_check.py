"""Judge the model's arguments before anything is called: strict JSON first, then the tool's own schema."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, cast

import jsonschema_rs

from ..json_document import repeated
from ..values.agent import Tool

SHOWN_ERRORS = 5
SHOWN_CHARACTERS = 300
MAX_DEPTH = 100
MOST_DIGITS = 20
# Bytes of a compiled pattern, as where the agent was applied.
LARGEST_PATTERN = 1_000_000


class _NotJson(ValueError):
    """What Python's reader lets through and other readers refuse, or read otherwise."""


def check_arguments(tool: Tool, arguments: str) -> str | None:
    """What is wrong, in words the model can act on; None where the tool may be called."""
    try:
        given = _read(arguments or "{}")
    except ValueError as error:
        return f"The arguments of {tool.name} are no JSON ({error}). Send one JSON object."
    except RecursionError:
        return f"The arguments of {tool.name} are nested more than {MAX_DEPTH} levels deep. Send a flat JSON object."
    if not isinstance(given, dict):
        return f"The arguments of {tool.name} must be one JSON object, not {type(given).__name__}."
    errors = [_told(error) for error in _validator(_schema_text(tool)).iter_errors(given)]
    if not errors:
        return None
    more = f" … and {len(errors) - SHOWN_ERRORS} more" if len(errors) > SHOWN_ERRORS else ""
    return f"The arguments of {tool.name} break its schema: {'; '.join(errors[:SHOWN_ERRORS])}{more}."


def _read(text: str) -> object:
    value: object = json.loads(
        text, parse_constant=_refuse, parse_float=_finite, parse_int=_whole, object_pairs_hook=_unique
    )
    for leaf in _texts(value):
        if not leaf.isascii() and any("\ud800" <= character <= "\udfff" for character in leaf):
            raise _NotJson("a text holds half of a character: \\ud800 to \\udfff come in pairs")
    return value


def _texts(value: object) -> Iterator[str]:
    """Keys and texts; raises `RecursionError` below `MAX_DEPTH` levels."""
    waiting: list[tuple[object, int]] = [(value, 1)]
    while waiting:
        node, depth = waiting.pop()
        if isinstance(node, str):
            yield node
        elif isinstance(node, dict | list):
            if depth > MAX_DEPTH:
                raise RecursionError
            if isinstance(node, dict):
                yield from cast("dict[str, object]", node)
                node = list(cast("dict[str, object]", node).values())
            waiting += [(inner, depth + 1) for inner in cast("list[object]", node)]


def _refuse(constant: str) -> None:
    raise _NotJson(f"{constant} is no JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise _NotJson(f"{text[:20]} is too large a number")
    return number


def _whole(text: str) -> int:
    # What only arbitrary precision can hold is read as another number elsewhere.
    if len(text) > MOST_DIGITS:
        raise _NotJson(f"a number has {len(text)} digits; send it as text")
    return int(text)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Which of two values counts would be every reader's own choice, also of those who check or approve."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _NotJson(f"the key {repeated(pairs)[:60]!r} stands twice in one object")
    return found


def _told(error: Any) -> str:
    path = ".".join(str(part) for part in error.instance_path)
    told = f"{path}: {error.message}" if path else str(error.message)
    # It may quote the whole of what was sent.
    return told if len(told) <= SHOWN_CHARACTERS else f"{told[:SHOWN_CHARACTERS]}…"


def _schema_text(tool: Tool) -> str:
    return json.dumps(tool.input_schema, sort_keys=True)


@lru_cache(maxsize=512)
def _validator(schema: str) -> Any:
    # Nothing is fetched, and no pattern takes more than it may: the schema came with the agent.
    limits = jsonschema_rs.FancyRegexOptions(size_limit=LARGEST_PATTERN)
    return jsonschema_rs.validator_for(json.loads(schema), offline=True, pattern_options=limits)
