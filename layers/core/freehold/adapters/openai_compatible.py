"""Any server that speaks `POST /chat/completions`: Ollama, vLLM, llama.cpp, gateways, api.openai.com.

https://platform.openai.com/docs/api-reference/chat/create describes both sides. Where servers differ, this
adapter sends what most of them take:
* `max_tokens` is known everywhere but to OpenAI's own reasoning models, so only OpenAI gets
  `max_completion_tokens`, and a `prompt_cache_key`, which others may refuse;
* no message is empty, and messages of the user in a row are sent as one: chat templates refuse both;
* arguments that the model got wrong are replayed as JSON all the same.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import urlsplit

import urllib3

from freehold.errors import ContextTooLong, Invalid, ModelRejected, ModelThrottled, ModelUnavailable
from freehold.ports import Tell
from freehold.values.model import (
    Message,
    ModelReply,
    ModelRequest,
    Stop,
    ToolMessage,
    ToolUse,
    Usage,
    UserMessage,
)

from .chat_stream import ChatStream, content_text
from .model_http import (
    Answer,
    excerpt,
    fields,
    keep_alive_pool,
    objects,
    parsed,
    post,
    server_message,
)
from .openai_parts import (
    cache_key,
    data_uri,
    outcome_text,
    refuses_streams,
    replayable,
    said,
    too_long,
    usage,
)
from .spoken import Spoken

# For a second request, where the first one took its time to be refused.
LEAST_SECONDS = 1.0
_STOPS: dict[str, Stop] = {"length": "length", "content_filter": "filtered"}


class OpenAICompatible:
    """One attempt per `reply`, streamed where the server can. The key stays out of every error."""

    def __init__(self, url: str, key: str | None = None, pool: urllib3.PoolManager | None = None) -> None:
        """`url` is the part before `/chat/completions`, usually ending in `/v1`."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Invalid("must be an http or https URL such as http://127.0.0.1:11434/v1", path="model URL")
        key = key.strip() if key else None
        # http.client names the offending header, key and all, so such a key must not reach it.
        if key and not (key.isascii() and key.isprintable()):
            raise Invalid("holds characters that no HTTP header can carry", path="model key")
        self._url = url.rstrip("/") + "/chat/completions"
        self._host = parts.hostname
        self._key = key
        self._pool = pool or keep_alive_pool()
        self._streams = True
        # Whether it is known if its streams count tokens: one has, or its other answers were seen as well.
        self._judged = False

    def reply(self, request: ModelRequest, tell: Tell | None = None) -> ModelReply:
        if tell is None:
            return self._whole(request, request.timeout_seconds)
        spoken, began = Spoken(tell), time.monotonic()
        if not self._streams:
            reply = self._whole(request, request.timeout_seconds)
            if not self._judged:
                # One that counts nothing in other answers either is better heard as it writes.
                self._streams, self._judged = not reply.usage.total, True
            return spoken.settled(reply)
        arriving = ChatStream(self._host, spoken)
        answer = self._post(request, request.timeout_seconds, arriving)
        if refuses_streams(answer):
            left = request.timeout_seconds - (time.monotonic() - began)
            reply = self._whole(request, max(LEAST_SECONDS, left))
            self._streams, self._judged = False, True
        else:
            reply = self._read(answer, request, arriving.completion)
            # One that counts nothing in streams leaves limits and costs with nothing to go by.
            self._judged = self._judged or bool(reply.usage.total)
            self._streams = self._judged
        return spoken.settled(reply)

    def _whole(self, request: ModelRequest, seconds: float) -> ModelReply:
        answer = self._post(request, seconds)
        return self._read(answer, request, lambda content: parsed(content, self._host))

    def _read(
        self, answer: Answer, request: ModelRequest, completion: Callable[[bytes], dict[str, Any]]
    ) -> ModelReply:
        if answer.status != 200:
            raise self._failure(answer)
        return read_reply(completion(answer.content), request.model, self._host, answer.content)

    def _post(self, request: ModelRequest, seconds: float, arriving: ChatStream | None = None) -> Answer:
        asked = request_body(request, of_openai=self._host == "api.openai.com")
        if arriving:
            asked |= {"stream": True, "stream_options": {"include_usage": True}}
        headers = {"content-type": "application/json", "accept": "application/json"}
        if self._key:
            headers["authorization"] = f"Bearer {self._key}"
        secrets = (self._key,) if self._key else ()
        hear = arriving.hear if arriving else None
        body = json.dumps(asked).encode()
        return post(self._pool, self._url, body, headers, seconds, secrets=secrets, hear=hear)

    def _failure(self, answer: Answer) -> Exception:
        message, words = f"{self._host} answered {answer.status}", server_message(answer.content)
        if answer.status == 429:
            return ModelThrottled(message, words=words)
        if answer.status in (408, 409, 425) or answer.status >= 500:
            return ModelUnavailable(message, words=words)
        return (ContextTooLong if too_long(words) else ModelRejected)(message, words=words)


def request_body(request: ModelRequest, *, of_openai: bool = False) -> dict[str, Any]:
    """The JSON body of a chat completion, with what OpenAI's own server alone takes where it is the one.

    Settings that the agent leaves open are not sent.
    """
    inference = request.inference
    settings = {
        "temperature": inference.temperature,
        "top_p": inference.top_p,
        "max_completion_tokens" if of_openai else "max_tokens": inference.maximum_length,
        "prompt_cache_key": cache_key(request.conversation) if of_openai else None,
        "stop": list(inference.stop_sequences) or None,
        "reasoning_effort": inference.reasoning_effort,
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": tool.input_schema,
                },
            }
            for tool in request.tools
        ]
        or None,
    }
    messages: list[dict[str, Any]] = []
    if request.instruction.strip():
        messages.append({"role": "system", "content": request.instruction})
    for message in request.messages:
        _append(messages, message)
    chosen = {name: value for name, value in settings.items() if value is not None}
    return {"model": request.model, "messages": messages, **chosen}


def _append(messages: list[dict[str, Any]], message: Message) -> None:
    if isinstance(message, UserMessage):
        content = _user_content(message)
        if messages and messages[-1]["role"] == "user":
            messages[-1]["content"] = _joined(messages[-1]["content"], content)
        else:
            messages.append({"role": "user", "content": content})
    elif isinstance(message, ToolMessage):
        messages.extend(
            {"role": "tool", "tool_call_id": outcome.id, "content": outcome_text(outcome)}
            for outcome in message.outcomes
        )
    elif message.calls:
        calls = [
            {
                "id": use.id,
                "type": "function",
                "function": {"name": use.name, "arguments": replayable(use.arguments)},
            }
            for use in message.calls
        ]
        messages.append({"role": "assistant", "content": said(message.text, "") or None, "tool_calls": calls})
    else:
        messages.append({"role": "assistant", "content": said(message.text, "(no text)")})


def _user_content(message: UserMessage) -> str | list[dict[str, Any]]:
    """Plain text where there is no picture: many servers know no parts."""
    if not message.images:
        return said(message.text, "(empty message)")
    pictures = [{"type": "image_url", "image_url": {"url": data_uri(image)}} for image in message.images]
    return [*_parts(message.text), *pictures]


def _joined(one: str | list[dict[str, Any]], other: str | list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    if isinstance(one, str) and isinstance(other, str):
        return f"{one}\n\n{other}"
    return [*_parts(one), *_parts(other)]


def _parts(content: str | list[dict[str, Any]]) -> list[dict[str, Any]]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content.strip() else []
    return content


def read_reply(answer: dict[str, Any], model: str, host: str, content: bytes) -> ModelReply:
    """Raises `ModelUnavailable`, with what was wrong and the `content` it came as, where it is no completion."""
    choices = objects(answer.get("choices"))
    first = choices[0] if choices else {}
    if not isinstance(first.get("message"), dict):
        raise ModelUnavailable(f"{host} answered without choices[0].message", words=excerpt(content))
    message = fields(first["message"])
    refusal = message.get("refusal")
    stop = "filtered" if refusal else _STOPS.get(str(first.get("finish_reason")), "end")
    # What was filtered is not called either, and the limit may have cut off the last call.
    calls = _calls(message.get("tool_calls"), host) if stop != "filtered" else ()
    calls = calls[:-1] if stop == "length" else calls
    return ModelReply(
        text=content_text(message.get("content")) or (refusal if isinstance(refusal, str) else ""),
        calls=calls,
        usage=_usage(fields(answer.get("usage"))),
        stop="tools" if calls and stop == "end" else stop,
        model=str(answer.get("model") or model),
    )


def _calls(value: object, host: str) -> tuple[ToolUse, ...]:
    uses: list[ToolUse] = []
    for i, item in enumerate(cast("list[object]", value) if isinstance(value, list) else []):
        function = fields(fields(item).get("function"))
        name = function.get("name")
        if not isinstance(name, str) or not name:
            quoted = excerpt(json.dumps(item).encode())
            raise ModelUnavailable(f"{host} answered with a tool call without a name", words=quoted)
        arguments = function.get("arguments")
        # By the API a text; some servers send the object itself, or nothing for a tool without parameters.
        text = arguments if isinstance(arguments, str) else json.dumps(arguments or {})
        uses.append(ToolUse(str(fields(item).get("id") or f"call_{i}"), name, text if text.strip() else "{}"))
    return tuple(uses)


def _usage(counted: dict[str, Any]) -> Usage:
    return usage(
        counted.get("prompt_tokens"), counted.get("completion_tokens"), counted.get("prompt_tokens_details")
    )
