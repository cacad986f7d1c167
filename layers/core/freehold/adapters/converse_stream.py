"""The events of Bedrock's ConverseStream, put together to what Converse answers.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html has them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import ModelUnavailable
from .model_http import fields
from .spoken import Spoken, whole


@dataclass(slots=True)
class _Block:
    """One content block as far as it has come."""

    use: dict[str, Any] | None = None
    text: list[str] = field(default_factory=list[str])
    given: list[str] = field(default_factory=list[str])
    thought: list[str] = field(default_factory=list[str])
    signature: list[str] = field(default_factory=list[str])
    redacted: list[bytes] = field(default_factory=list[bytes])
    reasons: bool = False

    def add(self, delta: Mapping[str, Any]) -> None:
        self.text.append(delta.get("text") or "")
        self.given.append(fields(delta.get("toolUse")).get("input") or "")
        reasoning = delta.get("reasoningContent")
        if reasoning is not None:
            self.reasons = True
            self.thought.append(reasoning.get("text") or "")
            self.signature.append(reasoning.get("signature") or "")
            self.redacted.append(reasoning.get("redactedContent") or b"")

    @property
    def content(self) -> dict[str, Any]:
        if self.use is not None:
            return {"toolUse": {**self.use, "input": _document(whole(self.given))}}
        if redacted := b"".join(self.redacted):
            return {"reasoningContent": {"redactedContent": redacted}}
        if self.reasons:
            signature = "".join(self.signature)
            signed = {"signature": signature} if signature else {}
            return {"reasoningContent": {"reasoningText": {"text": whole(self.thought), **signed}}}
        return {"text": whole(self.text)}


def gathered(events: Iterable[Mapping[str, Any]], model: str, spoken: Spoken) -> dict[str, Any]:
    """Raises `ModelUnavailable` where the stream breaks off."""
    blocks: dict[int, _Block] = {}
    answer: dict[str, Any] = {}
    for event in events:
        if told := event.get("contentBlockStart"):
            block = blocks.setdefault(told["contentBlockIndex"], _Block())
            block.use = fields(told.get("start")).get("toolUse")
        elif told := event.get("contentBlockDelta"):
            index, delta = told["contentBlockIndex"], fields(told.get("delta"))
            blocks.setdefault(index, _Block()).add(delta)
            spoken.say(delta.get("text") or "", index)
        elif told := event.get("messageStop"):
            answer["stopReason"] = told.get("stopReason")
        elif told := event.get("metadata"):
            answer["usage"] = told.get("usage")
    if "stopReason" not in answer:
        raise ModelUnavailable(f"{model} broke off its answer")
    content = [blocks[index].content for index in sorted(blocks)]
    return {**answer, "output": {"message": {"role": "assistant", "content": content}}}


def _document(text: str) -> object:
    """A call's arguments, which come as JSON text; where that is none, it is the model's own text."""
    try:
        return json.loads(text) if text.strip() else None
    except (ValueError, RecursionError):
        return text
