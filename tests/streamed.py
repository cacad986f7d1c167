"""Answers of models as streams: what a server would send for an answer if it were asked to stream it.

`cut` says into which pieces a text falls.
"""

from __future__ import annotations

import json
import re
import struct
from base64 import b64encode
from binascii import crc32
from collections.abc import Callable, Iterable, Iterator
from typing import Any

Item = dict[str, Any]
Cut = Callable[[str], Iterable[str]]


def by_words(text: str) -> list[str]:
    """Two words a piece."""
    return re.findall(r"(?:\s*\S+){1,2}|\s+", text)


def at_once(text: str) -> list[str]:
    """Twenty pieces at most: who waits for none of them pays for each."""
    size = max(8, -(-len(text) // 20))
    return [text[i : i + size] for i in range(0, len(text), size)]


# -- chat completions


def chat_chunks(completion: Item, cut: Cut = by_words, *, usage: bool = True) -> Iterator[Item]:
    head = {name: completion[name] for name in ("id", "created", "model") if name in completion}
    head["object"] = "chat.completion.chunk"

    def chunk(delta: Item, finish: str | None = None) -> Item:
        return {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    for choice in completion.get("choices", ()):
        message = choice["message"]
        yield chunk({"role": "assistant", "content": ""})
        for name in ("content", "refusal"):
            yield from (chunk({name: piece}) for piece in cut(message.get(name) or ""))
        for i, call in enumerate(message.get("tool_calls") or ()):
            function = {"name": call["function"]["name"], "arguments": ""}
            yield chunk({"tool_calls": [{**call, "index": i, "function": function}]})
            for piece in cut(call["function"]["arguments"]):
                yield chunk({"tool_calls": [{"index": i, "function": {"arguments": piece}}]})
        yield chunk({}, choice.get("finish_reason") or "stop")
    if usage and "usage" in completion:
        yield {**head, "choices": [], "usage": completion["usage"]}


def chat_events(completion: Item, cut: Cut = by_words, *, usage: bool = True) -> list[bytes]:
    chunks = chat_chunks(completion, cut, usage=usage)
    return [*(server_sent(chunk) for chunk in chunks), b"data: [DONE]\n\n"]


# -- responses


def response_events(response: Item, cut: Cut = by_words) -> Iterator[Item]:
    begun = {**response, "status": "in_progress", "output": []}
    yield {"type": "response.created", "response": begun}
    for i, item in enumerate(response.get("output", ())):
        yield {"type": "response.output_item.added", "output_index": i, "item": {**item, "content": []}}
        place = {"item_id": item.get("id", "item"), "output_index": i}
        for j, part in enumerate(item.get("content") or () if item["type"] == "message" else ()):
            for piece in cut(part.get("text") or part.get("refusal") or ""):
                kind = f"response.{part['type']}.delta"
                yield {"type": kind, **place, "content_index": j, "delta": piece}
        for piece in cut(item.get("arguments") or ""):
            yield {"type": "response.function_call_arguments.delta", **place, "delta": piece}
        yield {"type": "response.output_item.done", "output_index": i, "item": item}
    yield {"type": f"response.{response.get('status', 'completed')}", "response": response}


def response_stream(response: Item, cut: Cut = by_words) -> list[bytes]:
    events = ({**event, "sequence_number": i} for i, event in enumerate(response_events(response, cut)))
    return [server_sent(event, event["type"]) for event in events]


def server_sent(data: Item, name: str = "") -> bytes:
    return (f"event: {name}\n" if name else "").encode() + b"data: " + json.dumps(data).encode() + b"\n\n"


# -- Converse


def converse_events(answer: Item, cut: Cut = by_words) -> Iterator[Item]:
    yield {"messageStart": {"role": "assistant"}}
    for i, block in enumerate(answer["output"]["message"]["content"]):
        if use := block.get("toolUse"):
            start = {"toolUse": {name: value for name, value in use.items() if name != "input"}}
            yield {"contentBlockStart": {"start": start, "contentBlockIndex": i}}
        for delta in _deltas(block, cut):
            yield {"contentBlockDelta": {"delta": delta, "contentBlockIndex": i}}
        yield {"contentBlockStop": {"contentBlockIndex": i}}
    yield {"messageStop": {"stopReason": answer.get("stopReason")}}
    rest = {name: answer[name] for name in ("usage", "metrics") if name in answer}
    if rest:
        yield {"metadata": rest}


def _deltas(block: Item, cut: Cut) -> Iterator[Item]:
    if "text" in block:
        yield from ({"text": piece} for piece in cut(block["text"]))
    if "toolUse" in block and "input" in block["toolUse"]:
        written = json.dumps(block["toolUse"]["input"])
        yield from ({"toolUse": {"input": piece}} for piece in cut(written))
    reasoning = block.get("reasoningContent", {})
    if thought := reasoning.get("reasoningText"):
        yield from ({"reasoningContent": {"text": piece}} for piece in cut(thought["text"]))
        yield {
            "reasoningContent": {"signature": thought["signature"]}
            if "signature" in thought
            else {"text": ""}
        }
    if "redactedContent" in reasoning:
        yield {"reasoningContent": reasoning}


def converse_frames(answer: Item, cut: Cut = by_words) -> list[bytes]:
    return [frame(name, told) for event in converse_events(answer, cut) for name, told in event.items()]


def frame(name: str, told: Item, *, kind: str = "event") -> bytes:
    """One message of AWS's event streams; `kind` is `event` or `exception`."""
    named = {":message-type": kind, f":{kind}-type": name, ":content-type": "application/json"}
    headers = b"".join(_header(*each) for each in named.items())
    payload = json.dumps(told, default=lambda value: b64encode(value).decode()).encode()
    prelude = struct.pack("!II", 16 + len(headers) + len(payload), len(headers))
    message = prelude + struct.pack("!I", crc32(prelude)) + headers + payload
    return message + struct.pack("!I", crc32(message))


def _header(name: str, value: str) -> bytes:
    encoded = value.encode()
    return bytes([len(name)]) + name.encode() + b"\x07" + struct.pack("!H", len(encoded)) + encoded
