"""A model request as the parameters of Bedrock's Converse.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html describes them. What Converse
refuses, and no type says:
* two messages of one role in a row, and a text that is blank;
* calls that are not all answered in the next message and, for some models, anything beside the answers;
* calls and answers where no tools are defined: they are told as text then. Where others are, the calls of a tool
  that is not offered any more may stay.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterable, Iterator
from math import isfinite
from typing import Any, cast

from ..values.agent import Inference
from ..values.model import (
    AssistantMessage,
    Message,
    ModelEntry,
    ModelRequest,
    ToolMessage,
    ToolOutcome,
    ToolSpec,
    UserMessage,
)
from ..values.text import well_formed
from .converse_cache import marked
from .converse_reasoning import replayed

Block = dict[str, Any]

# Deeper ones exhaust the stack of whoever checks, writes or parses them.
DEEPEST_DOCUMENT = 64
LARGEST_INTEGER = 2**63 - 1
# Other APIs go to 2.
HIGHEST_TEMPERATURE = 1.0
# https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolResultBlock.html: others may refuse one.
TAKE_A_STATUS = ("anthropic.", "amazon.nova")
BETWEEN = {"user": ("assistant", "(no answer)"), "assistant": ("user", "(go on)")}


def converse_request(request: ModelRequest, entry: ModelEntry) -> dict[str, Any]:
    """What the agent leaves open is not sent."""
    thinking = _thinking(request.inference.reasoning_effort, entry)
    optional = {
        "system": [{"text": request.instruction}] if request.instruction.strip() else None,
        "inferenceConfig": _inference_config(request.inference, entry, thinking),
        "toolConfig": {"tools": [_tool(tool) for tool in request.tools]} if request.tools else None,
        "additionalModelRequestFields": thinking,
    }
    messages: list[dict[str, Any]] = []
    for message in request.messages if request.tools else _without_calls(request.messages):
        role = "assistant" if isinstance(message, AssistantMessage) else "user"
        _append(messages, role, list(_content(message, request.model, entry)))
    parameters = {
        "modelId": request.model,
        "messages": messages,
        **{name: value for name, value in optional.items() if value},
    }
    # What is asked but once is not worth the price of a cache.
    return marked(parameters, entry.cache) if entry.cache and request.purpose == "answer" else parameters


def _tool(tool: ToolSpec) -> dict[str, Any]:
    described = {"description": tool.description} if tool.description.strip() else {}
    return {"toolSpec": {"name": tool.name, **described, "inputSchema": {"json": tool.input_schema}}}


def _thinking(effort: str | None, entry: ModelEntry) -> dict[str, Any]:
    """How much to think, in the words of the model's maker and at the nearest level that it knows.

    Some models cannot leave it, so that `none` is the least that all of a maker's models accept.
    """
    if effort is None or entry.effort is None:
        return {}
    level = {"none": "low", "minimal": "low"}.get(effort, effort)
    at_most_high = "high" if level == "xhigh" else level
    if entry.effort == "anthropic":
        thinking = {} if effort == "none" else {"thinking": {"type": "adaptive"}}
        return {**thinking, "output_config": {"effort": level}}
    if entry.effort == "nova":
        enabled = {"type": "enabled", "maxReasoningEffort": at_most_high}
        return {} if effort == "none" else {"reasoningConfig": enabled}
    if "gpt-oss" in entry.id:
        return {"reasoning_effort": at_most_high}
    return {"reasoning": {"effort": effort if effort == "none" else level}}


def _inference_config(inference: Inference, entry: ModelEntry, thinking: dict[str, Any]) -> dict[str, Any]:
    """Settings that a model refuses while it thinks give way to the thinking."""
    highest_nova = thinking.get("reasoningConfig", {}).get("maxReasoningEffort") == "high"
    sampling = entry.sampling != "none" and "thinking" not in thinking and not highest_nova
    temperature = inference.temperature
    settings = {
        "maxTokens": None if highest_nova else inference.maximum_length,
        "temperature": min(temperature, HIGHEST_TEMPERATURE)
        if sampling and temperature is not None
        else None,
        "topP": inference.top_p if sampling else None,
        "stopSequences": list(inference.stop_sequences) or None,
    }
    return {name: value for name, value in settings.items() if value is not None}


def _append(messages: list[dict[str, Any]], role: str, content: list[Block]) -> None:
    """With a word from the other side where one side speaks twice, or as one message where that is the user."""
    if messages and messages[-1]["role"] == role:
        if role == "user" and "toolResult" not in messages[-1]["content"][-1]:
            messages[-1]["content"] += content
            return
        other, word = BETWEEN[role]
        messages.append({"role": other, "content": [{"text": word}]})
    messages.append({"role": role, "content": content})


def _content(message: Message, model: str, entry: ModelEntry) -> Iterator[Block]:
    match message:
        case UserMessage():
            for image in message.images if entry.images else ():
                yield {"image": {"format": image.format, "source": {"bytes": b64decode(image.data)}}}
            yield {"text": message.text if message.text.strip() else "(empty message)"}
        case AssistantMessage():
            # The order in which a model gives them: a signature is only good where its block stood.
            yield from replayed(message.reasoning)
            if message.text.strip() or not message.calls:
                yield {"text": message.text if message.text.strip() else "(no text)"}
            for use in message.calls:
                yield {"toolUse": {"toolUseId": use.id, "name": use.name, "input": document(use.arguments)}}
        case ToolMessage():
            for outcome in message.outcomes:
                yield {"toolResult": _result(outcome, model)}


def _result(outcome: ToolOutcome, model: str) -> dict[str, Any]:
    text, status = _outcome_text(outcome), {"status": "success" if outcome.ok else "error"}
    if not any(maker in model for maker in TAKE_A_STATUS):
        status = {}
        if not outcome.ok and not text.lower().startswith("error"):
            text = f"Error: {text}"
    return {"toolUseId": outcome.id, "content": [{"text": text}], **status}


def _outcome_text(outcome: ToolOutcome) -> str:
    if outcome.content.strip():
        return outcome.content
    return "(no output)" if outcome.ok else "failed without saying why"


def _without_calls(messages: Iterable[Message]) -> Iterator[Message]:
    """The same conversation with its calls and their outcomes told as text."""
    names: dict[str, str] = {}
    for message in messages:
        match message:
            case AssistantMessage() if message.calls:
                names |= {use.id: use.name for use in message.calls}
                called = [f"[called {use.name} with {use.arguments}]" for use in message.calls]
                yield AssistantMessage("\n".join([message.text, *called]).strip())
            case ToolMessage():
                told = [
                    f"[{names.get(outcome.id, 'a tool')} {'answered' if outcome.ok else 'failed'}:"
                    f" {_outcome_text(outcome)}]"
                    for outcome in message.outcomes
                ]
                yield UserMessage("\n".join(told))
            case _:
                yield message


def document(arguments: str) -> dict[str, Any]:
    """The arguments as a JSON object, or one that holds their text where they are none that can be sent."""
    try:
        value: object = json.loads(arguments)
        if isinstance(value, dict) and _can_be_sent(cast("object", value), DEEPEST_DOCUMENT):
            return cast("dict[str, Any]", value)
    except (ValueError, RecursionError):
        pass
    return {"notJson": well_formed(arguments)}


def _can_be_sent(value: object, depth: int) -> bool:
    """Python reads more than JSON holds: NaN, half characters, integers and nesting without end."""
    match value:
        case str():
            return well_formed(value) == value
        case float():
            return isfinite(value)
        case int():
            return abs(value) <= LARGEST_INTEGER
        case list():
            return depth > 0 and all(_can_be_sent(one, depth - 1) for one in cast("list[object]", value))
        case dict():
            parts = cast("dict[str, object]", value).items()
            return depth > 0 and all(
                _can_be_sent(key, depth) and _can_be_sent(one, depth - 1) for key, one in parts
            )
        case _:
            return True
