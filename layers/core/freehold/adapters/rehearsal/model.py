"""The rehearsal model behind the `Model` port."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from freehold.context import NOTES_HEAD
from freehold.ports import Tell
from freehold.values.model import (
    AssistantMessage,
    Message,
    ModelReply,
    ModelRequest,
    ToolMessage,
    ToolUse,
    Usage,
    UserMessage,
)

from .answer import answer
from .offers import Offer
from .plan import Planner
from .recall import Conversation
from .summary import extract, notes

CHARACTERS_A_TOKEN = 4
# A few words at a time, as models write.
_CHUNK = re.compile(r"(?:\s*\S+){1,4}\s*|\s+")


class Rehearsal:
    """Needs nothing and nobody: the same request always gets the same reply.

    It chooses tools by the words of the request and answers from their results. `stands_in_for` is the model that
    the agent names, told to the user in the first answer.
    """

    def __init__(self, stands_in_for: str | None = None) -> None:
        self._stands_in_for = stands_in_for

    def reply(self, request: ModelRequest, tell: Tell | None = None) -> ModelReply:
        match request.purpose:
            case "answer":
                text, calls = self._answer(request)
            case "memory":
                text, calls = notes(request), ()
            case "compaction":
                text, calls = extract(request), ()
        longest = request.inference.maximum_length
        cut = longest is not None and len(text) > longest * CHARACTERS_A_TOKEN
        if cut and longest is not None:
            text = text[: longest * CHARACTERS_A_TOKEN]
        written = text + "".join(use.name + use.arguments for use in calls)
        usage = Usage(_tokens(_given(request)), _tokens(written))
        if tell:
            for chunk in _CHUNK.findall(text):
                tell(chunk)
        return ModelReply(text, calls, usage, "tools" if calls else "length" if cut else "end", "rehearsal")

    def _answer(self, request: ModelRequest) -> tuple[str, tuple[ToolUse, ...]]:
        messages = _without_notes(request.messages)
        conversation = Conversation(messages)
        offers = [Offer(spec) for spec in request.tools]
        step = Planner(conversation, offers).step()
        turn = sum(isinstance(message, AssistantMessage) for message in messages)
        calls = tuple(
            ToolUse(f"call_{turn}_{i}", offer.name, json.dumps(arguments, ensure_ascii=False))
            for i, (offer, arguments) in enumerate(step.calls)
        )
        return "" if calls else answer(conversation, step, offers, self._stands_in_for), calls


def _without_notes(messages: Sequence[Message]) -> Sequence[Message]:
    """Matching words would take what stands in the notes for what the user asks now."""
    match messages:
        case [UserMessage(text), AssistantMessage(), *since] if text.startswith(NOTES_HEAD):
            return since
        case _:
            return messages


def _tokens(text: str) -> int:
    """An estimate, rounded up: English has about four characters a token."""
    return -(-len(text) // CHARACTERS_A_TOKEN)


def _given(request: ModelRequest) -> str:
    """All the text that a model would have to read."""
    parts = [request.instruction]
    for tool in request.tools:
        parts += [tool.name, tool.description, json.dumps(tool.input_schema)]
    for message in request.messages:
        match message:
            case UserMessage(text):
                parts.append(text)
            case AssistantMessage(text, calls):
                parts += [text, *(use.name + use.arguments for use in calls)]
            case ToolMessage(outcomes):
                parts += [outcome.content for outcome in outcomes]
    return "".join(parts)
