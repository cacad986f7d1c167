"""Words for error messages: where a thing stands (`apiSchema.paths['/orders'].get`) and what it is."""

from __future__ import annotations

import json
import re
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_PLAIN = re.compile(r"[$A-Za-z_][A-Za-z0-9_-]*")
_SHOWN = 60


def at(path: str, *steps: str | int) -> str:
    """The path of what `steps` lead to, from `path` on."""
    for step in steps:
        if isinstance(step, int):
            path += f"[{step}]"
        elif _PLAIN.fullmatch(step):
            path += f".{step}" if path else step
        else:
            path += f"['{step}']"
    return path


def show(value: object) -> str:
    """`value` as an error message names it: short, and in JSON's words."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def choices(allowed: Iterable[object]) -> str:
    """`a, b or c`."""
    *most, last = [str(one) for one in allowed]
    return f"{', '.join(most)} or {last}" if most else last


def close_to(name: str, known: Sequence[str], *, alike: float = 0.7) -> str | None:
    """The known name that was probably meant, if any is near. Upper and lower case count as the same."""
    lowered = {one.lower(): one for one in known}
    found = get_close_matches(name.lower(), lowered, n=1, cutoff=alike)
    return lowered[found[0]] if found else None
