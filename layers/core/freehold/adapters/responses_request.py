"""A conversation as the body of `POST /responses`: stateless, so that each request carries all of it.

https://developers.openai.com/api/reference/resources/responses describes it. No item is sent with an id of its own,
reasoning apart: the API demands a prefix and a length of ids that it does not need to find an item.
"""

from __future__ import annotations

from typing import Any

from freehold.values.model import (
    AssistantMessage,
    Message,
    ModelEntry,
    ModelRequest,
    ToolMessage,
    ToolUse,
    UserMessage,
)

from .openai_parts import cache_key, data_uri, outcome_text, replayable, said
from .responses_reasoning import Item, with_reasoning

# The API refuses less.
LEAST_OUTPUT_TOKENS = 16


def responses_request(request: ModelRequest, entry: ModelEntry) -> dict[str, Any]:
    """Settings that the agent leaves open, or that the model refuses, are not sent. There are no stop sequences."""
    inference = request.inference
    limit, effort = inference.maximum_length, inference.reasoning_effort
    # GPT-5.1 and later know no `minimal`.
    effort = "low" if effort == "minimal" else effort
    settings = {
        "instructions": request.instruction if request.instruction.strip() else None,
        "max_output_tokens": None if limit is None else max(limit, LEAST_OUTPUT_TOKENS),
        "temperature": inference.temperature if entry.sampling != "none" else None,
        "top_p": inference.top_p if entry.sampling != "none" else None,
        "reasoning": {"effort": effort} if entry.effort and effort else None,
        "prompt_cache_key": cache_key(request.conversation),
        "tools": [
            {
                "type": "function",
                "name": tool.name,
                "description": said(tool.description, tool.name),
                "parameters": tool.input_schema,
                # A strict tool takes a small part of JSON Schema; these come from any OpenAPI document.
                "strict": False,
            }
            for tool in request.tools
        ]
        or None,
    }
    return {
        "model": request.model,
        "input": [item for message in request.messages for item in _items(message)],
        "store": False,
        "include": ["reasoning.encrypted_content"],
        **{name: value for name, value in settings.items() if value is not None},
    }


def _items(message: Message) -> list[Item]:
    if isinstance(message, UserMessage):
        return [{"type": "message", "role": "user", "content": _user_content(message)}]
    if isinstance(message, AssistantMessage):
        return _assistant_items(message)
    return _outputs(message)


def _user_content(message: UserMessage) -> list[Item]:
    pictures: list[Item] = [
        {"type": "input_image", "image_url": data_uri(image), "detail": "auto"} for image in message.images
    ]
    text = said(message.text, "" if pictures else "(empty message)")
    return [{"type": "input_text", "text": text}, *pictures] if text else pictures


def _assistant_items(message: AssistantMessage) -> list[Item]:
    """The text as a plain string: parts of type `output_text` demand the id of the message that they came in."""
    text = said(message.text, "" if message.calls else "(no text)")
    spoken: list[Item] = [{"type": "message", "role": "assistant", "content": text}] if text else []
    return with_reasoning(message.reasoning, spoken, [_call(use) for use in message.calls])


def _call(use: ToolUse) -> Item:
    """Also of a tool that is no longer offered: the API holds no call against the tools of the request."""
    return {
        "type": "function_call",
        "call_id": use.id,
        "name": use.name,
        "arguments": replayable(use.arguments),
    }


def _outputs(message: ToolMessage) -> list[Item]:
    return [
        {"type": "function_call_output", "call_id": outcome.id, "output": outcome_text(outcome)}
        for outcome in message.outcomes
    ]
