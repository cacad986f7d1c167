"""What Bedrock's Converse refuses, for tests: by its service model and beyond it."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import boto3
from botocore.model import Shape
from botocore.validate import ParamValidator

from prompt_cache import mark_problems, without_marks

# https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Message.html
MOST_IMAGES, LARGEST_IMAGE = 20, 3_750_000
ORDER = ("reasoningContent", "image", "text", "toolUse")


def converse_problems(request: dict[str, Any]) -> list[str]:
    """Everything that is wrong with the parameters of `converse`; nothing where Converse would take them."""
    report = ParamValidator().validate(request, _input())
    if report.has_errors():
        return [report.generate_report()]
    marks = list(mark_problems(request))
    return [*_beyond_python(request, _input(), "request"), *marks, *_unspoken(without_marks(request))]


@cache
def _input() -> Any:
    client = boto3.client("bedrock-runtime", region_name="us-east-1")
    return client.meta.service_model.operation_model("Converse").input_shape


def _beyond_python(value: Any, shape: Shape, path: str) -> Iterator[str]:
    """Patterns, enumerations and upper bounds: in the service model, but left to the service by botocore."""
    rules: Any = shape.metadata
    size = len(value) if hasattr(value, "__len__") else value
    if "max" in rules and size > rules["max"]:
        yield f"{path} is over {rules['max']}"
    if "pattern" in rules and not re.fullmatch(rules["pattern"], value):
        yield f"{path} does not match {rules['pattern']}"
    if "enum" in rules and value not in rules["enum"]:
        yield f"{path} is none of {rules['enum']}"
    known: Any = shape
    if rules.get("document"):
        yield from _no_document(value, path)
    elif shape.type_name == "structure":
        for name, member in value.items():
            yield from _beyond_python(member, known.members[name], f"{path}.{name}")
    elif shape.type_name == "list":
        for i, member in enumerate(value):
            yield from _beyond_python(member, known.member, f"{path}[{i}]")


def _no_document(value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path} is no object"
    try:
        parsed = json.loads(json.dumps(value, allow_nan=False, ensure_ascii=False).encode())
        if any(abs(number) >= 2**63 for number in _integers(parsed)):
            yield f"{path} holds an integer of more than 64 bits"
    except (ValueError, RecursionError) as error:
        yield f"{path} is no JSON: {error}"


def _integers(value: Any) -> Iterator[int]:
    if isinstance(value, int):
        yield value
    elif isinstance(value, dict | list):
        for member in value.values() if isinstance(value, dict) else value:
            yield from _integers(member)


def _unspoken(request: dict[str, Any]) -> Iterator[str]:
    messages = request["messages"]
    if any(a["role"] == b["role"] for a, b in itertools.pairwise(messages)):
        yield "the roles do not alternate"
    if messages[0]["role"] != "user" or messages[-1]["role"] != "user":
        yield "the first and the last message must be the user's"
    if any(not block["text"].strip() for block in request.get("system", ())):
        yield "the system prompt is blank"
    names = [tool["toolSpec"]["name"] for tool in request.get("toolConfig", {}).get("tools", ())]
    if len(set(names)) < len(names):
        yield "two tools have one name"
    asked: list[str] = []
    for i, message in enumerate(messages):
        kinds = [next(iter(block)) for block in message["content"]]
        yield from _wrong_blocks(message, kinds, f"messages[{i}]")
        if {"toolUse", "toolResult"} & set(kinds) and not names:
            yield f"messages[{i}] has calls or results, but there is no toolConfig"
        answered = [block["toolResult"]["toolUseId"] for block in message["content"] if "toolResult" in block]
        if answered != asked:
            yield f"messages[{i}] answers {answered} where {asked} were asked"
        if answered and len(answered) < len(kinds):
            yield f"messages[{i}] has something beside its tool results"
        asked = [block["toolUse"]["toolUseId"] for block in message["content"] if "toolUse" in block]
    images = [block["image"] for message in messages for block in message["content"] if "image" in block]
    if len(images) > MOST_IMAGES or any(len(image["source"]["bytes"]) > LARGEST_IMAGE for image in images):
        yield f"{len(images)} images, or one that is too large"
    if len(every := _call_ids(messages)) > len(set(every)):
        yield "two calls have one id"


def _call_ids(messages: list[dict[str, Any]]) -> list[str]:
    blocks = (block for message in messages for block in message["content"])
    return [block["toolUse"]["toolUseId"] for block in blocks if "toolUse" in block]


def _wrong_blocks(message: dict[str, Any], kinds: list[str], path: str) -> Iterator[str]:
    allowed = {"user": {"text", "image", "toolResult"}, "assistant": {"reasoningContent", "text", "toolUse"}}
    if not kinds:
        yield f"{path} is empty"
    if wrong := set(kinds) - allowed[message["role"]]:
        yield f"{path} of the {message['role']} holds {wrong}"
    if message["role"] == "assistant" and kinds != sorted(kinds, key=ORDER.index):
        yield f"{path} has its blocks in the order {kinds}"
    if message["role"] == "assistant" and kinds[-1:] == ["reasoningContent"]:
        yield f"{path} ends with reasoning"
    for block in message["content"]:
        texts = [block, *block.get("toolResult", {}).get("content", ())]
        if any("text" in one and not one["text"].strip() for one in texts):
            yield f"{path} holds a blank text"
        if "toolResult" in block and not block["toolResult"]["content"]:
            yield f"{path} holds an empty tool result"
