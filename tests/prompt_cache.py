"""Bedrock's prompt cache for tests: what it refuses of the marks in a request, and what it reads and writes.

https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html: a prefix is tools, system and messages, in
this order, up to a mark. What lies before a mark is read where an earlier request wrote it, or the prefix of one of
the twenty blocks before.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

MARK: dict[str, Any] = {"cachePoint": {"type": "default"}}
MOST_MARKS, LOOK_BACK = 4, 20
# Claude takes them everywhere, Nova in no tools and after no tool's result.
TAKE_MARKS = {"anthropic.claude": ("tools", "system", "messages"), "amazon.nova": ("system", "messages")}
Place = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Counted:
    """Tokens of one request: `fresh` are those that the cache neither gave nor took."""

    fresh: int
    read: int
    written: int


class PromptCache:
    """Keeps the prefixes that were marked, for good. What has fewer than `least` tokens is not kept, as on AWS."""

    def __init__(self, least: int = 1024) -> None:
        self._least = least
        self._kept: set[str] = set()

    def count(self, request: dict[str, Any]) -> Counted:
        digest = sha256(request["modelId"].encode())
        sizes, prefixes, marks = [0], [digest.hexdigest()], list[int]()
        for where, block in _places(request):
            if block == MARK:
                marks.append(len(prefixes) - 1)
                continue
            text = f"{where} {json.dumps(block, sort_keys=True, default=repr)}"
            digest.update(text.encode())
            prefixes.append(digest.hexdigest())
            sizes.append(sizes[-1] + _tokens(text))
        reached = [at for mark in marks for at in range(max(mark - LOOK_BACK, 0), mark + 1)]
        read = max((sizes[at] for at in reached if prefixes[at] in self._kept), default=0)
        kept = [at for at in marks if sizes[at] >= self._least]
        self._kept.update(prefixes[at] for at in kept)
        written = max((sizes[at] for at in kept), default=0) - read
        return Counted(sizes[-1] - read - max(written, 0), read, max(written, 0))


def _tokens(text: str) -> int:
    return -(-len(text) // 4)


def _places(request: dict[str, Any]) -> Iterator[Place]:
    """Every block of a request, marks too, with whose it is."""
    for tool in request.get("toolConfig", {}).get("tools", ()):
        yield "tools", tool
    for block in request.get("system", ()):
        yield "system", block
    for i, message in enumerate(request["messages"]):
        for block in message["content"]:
            yield f"{i} {message['role']}", block


def without_marks(request: dict[str, Any]) -> dict[str, Any]:
    """The request as a model reads it."""
    made = dict(request)
    if "toolConfig" in made:
        made["toolConfig"] = made["toolConfig"] | {"tools": _unmarked(made["toolConfig"]["tools"])}
    if "system" in made:
        made["system"] = _unmarked(made["system"])
    made["messages"] = [
        message | {"content": _unmarked(message["content"])} for message in request["messages"]
    ]
    return made


def _unmarked(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [block for block in blocks if "cachePoint" not in block]


def mark_problems(request: dict[str, Any]) -> Iterator[str]:
    """What Bedrock refuses of the marks in a request."""
    fields = next((taken for maker, taken in TAKE_MARKS.items() if maker in request["modelId"]), ())
    places = list(_places(request))
    marks = [i for i, (_, block) in enumerate(places) if "cachePoint" in block]
    if len(marks) > MOST_MARKS:
        yield f"{len(marks)} cache points, and {MOST_MARKS} are allowed"
    for i in marks:
        where = places[i][0]
        if (where if where in ("tools", "system") else "messages") not in fields:
            yield f"{request['modelId']} takes no cachePoint in {where}"
        before = places[i - 1] if i else ("", MARK)
        kind = next(iter(before[1]))
        if before[0] != where or kind == "cachePoint":
            yield f"a cachePoint of {where} has nothing before it"
        if kind == "reasoningContent":
            yield "Cache point cannot be inserted after reasoning block"
        if kind == "toolResult" and "tools" not in fields:
            yield f"{request['modelId']} takes no cachePoint after a toolResult"
