"""Bedrock's Converse answer as a model reply."""

from __future__ import annotations

import json
from typing import Any, cast

from ..errors import ModelUnavailable
from ..values.model import ModelReply, Stop, ToolUse, Usage
from .converse_reasoning import kept
from .model_http import count, fields, objects

STOPS: dict[str, Stop] = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "guardrail_intervened": "filtered",
    "content_filtered": "filtered",
    "refusal": "filtered",
}
# The model wrote what Bedrock could not read. It may do better the next time.
MALFORMED = ("malformed_model_output", "malformed_tool_use")
SHOWN = 300


def read_reply(answer: dict[str, Any], model: str) -> ModelReply:
    """Raises `ModelUnavailable`, with what was wrong, where the answer holds no reply.

    A call may be cut off in the middle of its arguments and still be read as one, so where the length ran out the
    last call is left out. What was filtered is not called either.
    """
    reason = str(answer.get("stopReason"))
    content = fields(fields(answer.get("output")).get("message")).get("content")
    if not isinstance(content, list):
        raise ModelUnavailable(f"{model} answered without output.message.content (stop reason {reason})")
    blocks = objects(cast("object", content))
    text = "\n\n".join(block["text"] for block in blocks if block.get("text"))
    if reason in MALFORMED:
        raise ModelUnavailable(f"{model} wrote what Bedrock could not read ({reason})", words=text[:SHOWN])
    stop = STOPS.get(reason, "end")
    if stop == "length" and blocks and "toolUse" in blocks[-1]:
        del blocks[-1]
    uses = [fields(block["toolUse"]) for block in blocks if "toolUse" in block] if stop != "filtered" else []
    calls = tuple(_call(use, model) for use in uses if use.get("type") != "server_tool_use")
    if reason == "tool_use" and not calls and not text.strip():
        raise ModelUnavailable(f"{model} stopped for a tool and called none")
    return ModelReply(
        text=text,
        calls=calls,
        usage=_usage(fields(answer.get("usage"))),
        stop="tools" if calls and stop == "end" else stop,
        model=model,
        reasoning=kept(
            [fields(block["reasoningContent"]) for block in blocks if "reasoningContent" in block]
        ),
    )


def _call(use: dict[str, Any], model: str) -> ToolUse:
    named = all(isinstance(use.get(key), str) and use[key] for key in ("name", "toolUseId"))
    if not named:
        raise ModelUnavailable(f"{model} answered with a tool call without a name or an id")
    given = use.get("input")
    # A document, which may as well be a text: then it is the model's own.
    document: object = {} if given is None else given
    arguments = document if isinstance(document, str) else json.dumps(document, ensure_ascii=False)
    return ToolUse(use["toolUseId"], use["name"], arguments)


def _usage(usage: dict[str, Any]) -> Usage:
    """Converse counts the tokens that a cache gave or took apart from the input."""
    cached = count(usage.get("cacheReadInputTokens"))
    written = count(usage.get("cacheWriteInputTokens"))
    given = count(usage.get("inputTokens")) + cached + written
    return Usage(given, count(usage.get("outputTokens")), cached, written)
