"""A model's reasoning between two requests: encrypted for us, and worth sending back to the model that wrote it.

What is kept is the order of a reply's items, with the reasoning in full and a place for everything else, which
the conversation holds already: `[{"type": "reasoning", …}, {"type": "message"}, {"type": "function_call"}]`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from .model_http import objects

Item = dict[str, Any]

_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_PHASES = ("commentary", "final_answer")


def kept(output: Sequence[Item]) -> str | None:
    """What has to be replayed of a reply's items, as JSON text; None where nothing does."""
    items = [place for item in output if (place := _place(item))]
    messages = [item for item in items if item["type"] == "message"]
    if len(messages) > 1:
        # They become one text, which is neither phase.
        for message in messages:
            message.pop("phase", None)
    worth_it = any(item["type"] == "reasoning" or "phase" in item for item in items)
    return json.dumps(items, separators=(",", ":")) if worth_it else None


def with_reasoning(payload: str | None, spoken: Iterable[Item], calls: Iterable[Item]) -> list[Item]:
    """The items of one reply in the order in which the model wrote them; without its reasoning if that is broken."""
    spoken, calls = iter(spoken), iter(calls)
    items: list[Item] = []
    for place in _places(payload):
        if place["type"] == "reasoning":
            items.append(place)
        elif place["type"] == "message":
            items.extend({**item, **place} for item in spoken)
        elif call := next(calls, None):
            items.append(call)
    items += [*spoken, *calls]
    # The API refuses reasoning that nothing came of.
    while items and items[-1]["type"] == "reasoning":
        items.pop()
    return items


def _places(payload: str | None) -> list[Item]:
    try:
        stored: object = json.loads(payload) if payload else []
    except (ValueError, RecursionError):
        return []
    return [place for item in objects(stored) if (place := _place(item))]


def _place(item: Item) -> Item | None:
    """None for what is not replayed: reasoning without its content, and items of a kind unknown here."""
    kind = item.get("type")
    if kind == "reasoning":
        return _reasoning(item)
    if kind == "message":
        phase = item.get("phase")
        return {"type": kind, "phase": phase} if phase in _PHASES else {"type": kind}
    return {"type": kind} if kind == "function_call" else None


def _reasoning(item: Item) -> Item | None:
    content, name = item.get("encrypted_content"), item.get("id")
    if not (isinstance(content, str) and content and isinstance(name, str) and _ID.fullmatch(name)):
        return None
    summary = [
        {"type": "summary_text", "text": part["text"]}
        for part in objects(item.get("summary"))
        if isinstance(part.get("text"), str)
    ]
    return {"type": "reasoning", "id": name, "summary": summary, "encrypted_content": content}
