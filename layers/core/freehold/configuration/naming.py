"""Names for tools: 1 to 64 of letters, digits, - and _, unique in the agent, always made the same way."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from typing import TYPE_CHECKING

from freehold.value import replace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freehold.values.agent import Tool

LONGEST = 64
_FOREIGN = re.compile(r"[^A-Za-z0-9_-]+")
_DIGITS = 8


def plain_name(text: str) -> str:
    """`text` with `_` for all that a tool's name may not hold; empty where nothing is left."""
    return _FOREIGN.sub("_", text).strip("_")


def with_unique_names(tools: Sequence[Tool]) -> tuple[Tool, ...]:
    """Tools whose plain names clash are told apart by their action group, then by a digest."""
    names = [tool.name for tool in tools]
    clashing = {name for name, count in Counter(names).items() if count > 1}
    names = [
        plain_name(f"{tool.action_group}_{name}") if name in clashing else name
        for tool, name in zip(tools, names, strict=True)
    ]
    counts = Counter(names)
    taken = {name for name in names if counts[name] == 1 and len(name) <= LONGEST}
    made: list[Tool] = []
    for tool, name in zip(tools, names, strict=True):
        kept = counts[name] == 1 and len(name) <= LONGEST
        unique = name if kept else _with_digest(name, tool, taken)
        taken.add(unique)
        made.append(replace(tool, name=unique))
    return tuple(made)


def _with_digest(name: str, tool: Tool, taken: set[str]) -> str:
    called = tool.collaborator.agent if tool.collaborator else f"{tool.http_method} {tool.api_path}"
    identity = "\0".join((tool.action_group, tool.function or called))
    salt = 0
    while True:
        digest = hashlib.sha256(f"{identity}\0{salt}".encode()).hexdigest()[:_DIGITS]
        candidate = f"{name[: LONGEST - _DIGITS - 1]}_{digest}"
        if candidate not in taken:
            return candidate
        salt += 1
