"""JSON that came from outside."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any, NoReturn

from .errors import Invalid

LONGEST_NAME = 80


def read(text: str, what: str) -> Any:
    """The document in `text`, which is called `what`. Raises `Invalid`, where it is no JSON with its place.

    A name that an object has twice is refused: of two readers each could take another one.
    """

    def refuse(name: str) -> NoReturn:
        raise Invalid(f"{what} is no JSON: {name} is no number")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise Invalid(f"{what} has {repeated(pairs)[:LONGEST_NAME]!a} more than once in one object")
        return found

    try:
        return json.loads(text, parse_constant=refuse, object_pairs_hook=once)
    except json.JSONDecodeError as error:
        raise Invalid(f"{what} is no JSON: {error}") from error
    except ValueError as error:
        raise Invalid(f"{what} holds a number with too many digits") from error
    except RecursionError as error:
        raise Invalid(f"{what} is nested too deeply") from error


def repeated(pairs: Iterable[tuple[str, object]]) -> str:
    """The first name that an object has more than once."""
    return next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
