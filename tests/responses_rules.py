"""What is wrong with a request to, or a response of, the Responses API.

The first two functions hold them against the `openai` package's own types, where a field that it does not know is
wrong too. `responses_problems` knows what no type says and the API refuses all the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from openai.types.responses import Response
from openai.types.responses.response_create_params import (
    ResponseCreateParamsNonStreaming,
    ResponseCreateParamsStreaming,
)
from pydantic import BaseModel, ValidationError

import sdk_types

ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
LONGEST_KEY = 64
PICTURE = re.compile(r"data:image/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/]+=*")


# -- the SDK's types


def request_problem(request: object) -> str | None:
    """Why the SDK would not know this request, or None."""
    streams = isinstance(request, dict) and request.get("stream")
    kind = ResponseCreateParamsStreaming if streams else ResponseCreateParamsNonStreaming
    return sdk_types.request_problem(kind, request)


def response_problem(response: object) -> str | None:
    """Why the SDK would not know this response, or None."""
    try:
        known = Response.model_validate(response, strict=True)
    except ValidationError as error:
        return str(error)
    extras = list(_extras(known, "response"))
    return f"unknown: {', '.join(extras)}" if extras else None


def _extras(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, BaseModel):
        yield from (f"{path}.{name}" for name in value.model_extra or {})
        for name in type(value).model_fields:
            yield from _extras(getattr(value, name), f"{path}.{name}")
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from _extras(item, f"{path}[{i}]")


# -- what the types do not say


def responses_problems(request: dict[str, Any]) -> list[str]:
    items = request["input"]
    return [
        *_blanks(request),
        *_key_problems(request.get("prompt_cache_key", "conversation")),
        *_call_problems(items),
        *_reasoning_problems(items),
        *_picture_problems(items),
        *_tool_problems(request.get("tools", [])),
        *_setting_problems(request),
    ]


def _key_problems(key: str) -> Iterator[str]:
    if not 0 < len(key) <= LONGEST_KEY:
        yield f"a prompt_cache_key of {len(key)} characters"


def _blanks(request: dict[str, Any]) -> Iterator[str]:
    if not request["input"]:
        yield "there is no input"
    texts = {"instructions": request.get("instructions", "x")}
    for i, item in enumerate(request["input"]):
        content = item.get("content", "x")
        parts = content if isinstance(content, list) else [{"text": content}]
        texts |= {f"input[{i}].content[{j}]": part.get("text", "x") for j, part in enumerate(parts)}
        texts[f"input[{i}].content"] = "x" if parts else ""
        texts[f"input[{i}].output"] = item.get("output", "x")
    texts |= {f"tool {tool['name']}": tool["description"] for tool in request.get("tools", [])}
    yield from (f"{where} is blank" for where, text in texts.items() if not text.strip())


def _call_problems(items: list[dict[str, Any]]) -> Iterator[str]:
    """Each call has an id of its own and one output, before anything else is said."""
    waiting: list[str] = []
    used: set[str] = set()
    for i, item in enumerate(items):
        match item["type"]:
            case "function_call":
                name = item["call_id"]
                if name in used:
                    yield f"input[{i}]: call id {name} is used twice"
                if not ID.fullmatch(name) or not ID.fullmatch(item["name"]):
                    yield f"input[{i}]: call id or name breaks the pattern"
                if not _is_strict_object(item["arguments"]):
                    yield f"input[{i}]: arguments are no JSON object"
                used.add(name)
                waiting.append(name)
            case "function_call_output":
                if item["call_id"] not in waiting:
                    yield f"input[{i}]: an output of no call that waits for one"
                else:
                    waiting.remove(item["call_id"])
            case "message" if waiting and item["role"] == "user":
                yield f"input[{i}]: the user speaks before every call has its output"
    if waiting:
        yield f"calls without an output: {', '.join(waiting)}"


def _is_strict_object(text: str) -> bool:
    def refuse(constant: str) -> None:
        raise ValueError(constant)

    try:
        value = json.loads(text, parse_constant=refuse)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict)


def _reasoning_problems(items: list[dict[str, Any]]) -> Iterator[str]:
    """Nothing is stored, so reasoning brings its content; and something of the model's own follows it."""
    used: set[str] = set()
    for i, item in enumerate(items):
        if item["type"] != "reasoning":
            continue
        if item["id"] in used or not ID.fullmatch(item["id"]):
            yield f"input[{i}]: reasoning id {item['id']} is used twice or breaks the pattern"
        used.add(item["id"])
        if not item.get("encrypted_content"):
            yield f"input[{i}]: reasoning without its content"
        after = next((other for other in items[i + 1 :] if other["type"] != "reasoning"), {})
        if after.get("type") != "function_call" and after.get("role") != "assistant":
            yield f"input[{i}]: reasoning that nothing came of"


def _picture_problems(items: list[dict[str, Any]]) -> Iterator[str]:
    for i, item in enumerate(items):
        content = item.get("content")
        for part in content if isinstance(content, list) else []:
            if part["type"] == "input_image" and not PICTURE.fullmatch(part["image_url"]):
                yield f"input[{i}]: an image that is no base64 data URI"
            if part["type"] == "output_text":
                yield f"input[{i}]: output_text outside of a message with an id"


def _tool_problems(tools: list[dict[str, Any]]) -> Iterator[str]:
    names = [tool["name"] for tool in tools]
    if len(set(names)) < len(names):
        yield "two tools have one name"
    for tool in tools:
        if not ID.fullmatch(tool["name"]):
            yield f"tool {tool['name']}: the name breaks the pattern"
        if tool["strict"] is not False:
            yield f"tool {tool['name']}: is strict, and its schema may be any"
        if tool["parameters"].get("type") != "object" or "properties" not in tool["parameters"]:
            yield f"tool {tool['name']}: parameters are no object schema with properties"


def _setting_problems(request: dict[str, Any]) -> Iterator[str]:
    if request.get("store") is not False or "reasoning.encrypted_content" not in request.get("include", []):
        yield "the request is not stateless"
    if request.get("max_output_tokens", 16) < 16:
        yield "max_output_tokens is below 16"
    if not 0 <= request.get("temperature", 1) <= 2 or not 0 <= request.get("top_p", 1) <= 1:
        yield "temperature or top_p is out of range"
