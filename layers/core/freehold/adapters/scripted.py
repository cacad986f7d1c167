"""A model for tests: it gives the replies it was given, in order."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any

from freehold.errors import FreeholdError
from freehold.ports import Tell
from freehold.values.model import ModelReply, ModelRequest, ToolUse, Usage


class ScriptedModel:
    """Answers from a script and keeps what was asked. A call past the script's end is an AssertionError."""

    def __init__(self, replies: Sequence[ModelReply | FreeholdError] = ()) -> None:
        self._replies = tuple(replies)
        self._lock = Lock()
        self.requests: list[ModelRequest] = []

    @property
    def calls(self) -> int:
        """How many times the model was asked, errors included."""
        return len(self.requests)

    def reply(self, request: ModelRequest, tell: Tell | None = None) -> ModelReply:
        with self._lock:
            index = len(self.requests)
            self.requests.append(request)
        if index >= len(self._replies):
            last = request.messages[-1] if request.messages else None
            raise AssertionError(f"the script has only {len(self._replies)} replies; asked last: {last!r}")
        answer = self._replies[index]
        if isinstance(answer, FreeholdError):
            raise answer
        if tell:
            for word in re.findall(r"\s*\S+|\s+", answer.text):
                tell(word)
        return answer


def reply(
    text: str = "",
    calls: Sequence[tuple[str, Mapping[str, Any] | str]] = (),
    usage: Usage | None = None,
    *,
    model: str = "scripted",
    reasoning: str | None = None,
) -> ModelReply:
    """One scripted answer. Arguments given as text go on as they are, so that they may be no JSON at all."""
    uses = tuple(
        ToolUse(f"call_{i}", name, arguments if isinstance(arguments, str) else json.dumps(arguments))
        for i, (name, arguments) in enumerate(calls)
    )
    return ModelReply(text, uses, usage or Usage(10, 5), "tools" if uses else "end", model, reasoning)
