"""What a model thought, as Converse gives it: kept as text, unread, and sent back as it came."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from typing import Any, cast

Blocks = list[dict[str, Any]]


def kept(blocks: Blocks) -> str | None:
    """The `reasoningContent` of a reply as JSON text, its bytes as base64; None where there is none."""
    known = [
        {"redactedContent": b64encode(block["redactedContent"]).decode()}
        if "redactedContent" in block
        else {"reasoningText": block["reasoningText"]}
        for block in blocks
        if "redactedContent" in block or "reasoningText" in block
    ]
    return json.dumps(known) if known else None


def replayed(reasoning: str | None) -> Blocks:
    """The content blocks that `kept` wrote down; none where the text holds anything else."""
    try:
        found: object = json.loads(reasoning or "[]")
        return [{"reasoningContent": _block(one)} for one in cast("list[dict[str, Any]]", found)]
    except (ValueError, TypeError, KeyError, RecursionError):
        return []


def _block(one: dict[str, Any]) -> dict[str, Any]:
    if "redactedContent" in one:
        return {"redactedContent": b64decode(one["redactedContent"], validate=True)}
    text = one["reasoningText"]
    if not isinstance(text["text"], str) or not isinstance(text.get("signature", ""), str):
        raise TypeError
    return {"reasoningText": {name: text[name] for name in ("text", "signature") if name in text}}
