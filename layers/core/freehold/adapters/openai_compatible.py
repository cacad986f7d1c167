"""Any server that speaks `POST /chat/completions`: Ollama, vLLM, llama.cpp, gateways, api.openai.com.

https://platform.openai.com/docs/api-reference/chat/create describes both sides. Where servers differ, this
adapter sends what most of them take:
* `max_tokens` is known everywhere but to OpenAI's own reasoning models, so only OpenAI gets
  `max_completion_tokens`;
* no message is empty, and messages of the user in a row are sent as one: chat templates refuse both;
* arguments that the model got wrong are replayed as JSON all the same: servers parse them for their template.
"""

from __future__ import annotations

import json
import socket
import time
from typing import Any, cast
from urllib.parse import urlsplit

import urllib3

from freehold.errors import Invalid, ModelRejected, ModelThrottled, ModelUnavailable
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

LONGEST_ANSWER = 32 * 1024 * 1024
_CHUNK = 65_536
_CONNECT_SECONDS = 10.0
_STOPS: dict[str, Stop] = {"length": "length", "content_filter": "filtered"}


class OpenAICompatible:
    """One attempt per `reply`, never streamed. The key stays out of every error."""

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

    def reply(self, request: ModelRequest) -> ModelReply:
        body = request_body(request, completion_tokens=self._host == "api.openai.com")
        status, content = self._send(json.dumps(body).encode(), request.timeout_seconds)
        if status == 200:
            return read_reply(content, request.model, self._host)
        message = self._without_key(f"{self._host} answered {status}: {_server_message(content)}")
        if status == 429:
            raise ModelThrottled(message)
        if status in (408, 409, 425) or status >= 500:
            raise ModelUnavailable(message)
        raise ModelRejected(message)

    def _send(self, body: bytes, timeout_seconds: float) -> tuple[int, bytes]:
        deadline = time.monotonic() + timeout_seconds
        headers = {"content-type": "application/json", "accept": "application/json"}
        if self._key:
            headers["authorization"] = f"Bearer {self._key}"
        connect = min(_CONNECT_SECONDS, timeout_seconds)
        timeout = urllib3.Timeout(total=timeout_seconds, connect=connect, read=timeout_seconds)
        try:
            response = self._pool.request(
                "POST",
                self._url,
                body=body,
                headers=headers,
                timeout=timeout,
                retries=False,
                redirect=False,
                preload_content=False,
            )
            return response.status, _read(response, deadline)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            reason = self._without_key(f"{type(error).__name__}: {error}")
            raise ModelUnavailable(
                f"no answer from {self._host} within {timeout_seconds:g} s ({reason})"
            ) from error

    def _without_key(self, text: str) -> str:
        return text.replace(self._key, "***") if self._key else text


def keep_alive_pool() -> urllib3.PoolManager:
    """TCP keep-alive, or a NAT gateway forgets a connection while the model still thinks."""
    options = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1), (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    for name, seconds in (("TCP_KEEPIDLE", 45), ("TCP_KEEPINTVL", 45), ("TCP_KEEPCNT", 4)):
        if hasattr(socket, name):
            options.append((socket.IPPROTO_TCP, getattr(socket, name), seconds))
    return urllib3.PoolManager(retries=False, socket_options=options)


def _read(response: urllib3.BaseHTTPResponse, deadline: float) -> bytes:
    """The body. A read timeout starts anew with each byte, so that a trickle is judged by the clock."""
    chunks: list[bytes] = []
    size = 0
    while chunk := response.read1(_CHUNK):
        chunks.append(chunk)
        size += len(chunk)
        if size > LONGEST_ANSWER:
            response.close()
            raise urllib3.exceptions.ResponseError(f"the answer is longer than {LONGEST_ANSWER:,} bytes")
        if time.monotonic() > deadline:
            response.close()
            raise urllib3.exceptions.TimeoutError("the answer was still arriving")
    response.release_conn()
    return b"".join(chunks)


def request_body(request: ModelRequest, *, completion_tokens: bool = False) -> dict[str, Any]:
    """The JSON body of a chat completion; settings that the agent leaves open are not sent."""
    inference = request.inference
    settings = {
        "temperature": inference.temperature,
        "top_p": inference.top_p,
        "max_completion_tokens" if completion_tokens else "max_tokens": inference.maximum_length,
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
    if request.instruction:
        messages.append({"role": "system", "content": request.instruction})
    for message in request.messages:
        _append(messages, message)
    chosen = {name: value for name, value in settings.items() if value is not None}
    return {"model": request.model, "messages": messages, **chosen}


def _append(messages: list[dict[str, Any]], message: Message) -> None:
    if isinstance(message, UserMessage):
        text = message.text or "(empty message)"
        if messages and messages[-1]["role"] == "user":
            messages[-1]["content"] += f"\n\n{text}"
        else:
            messages.append({"role": "user", "content": text})
    elif isinstance(message, ToolMessage):
        for outcome in message.outcomes:
            content = outcome.content or ("(no output)" if outcome.ok else "failed without saying why")
            # The API has no place for success or failure, so the text must tell.
            if not outcome.ok and not content.lower().startswith("error"):
                content = f"Error: {content}"
            messages.append({"role": "tool", "tool_call_id": outcome.id, "content": content})
    elif message.calls:
        calls = [
            {
                "id": use.id,
                "type": "function",
                "function": {"name": use.name, "arguments": _as_object(use.arguments)},
            }
            for use in message.calls
        ]
        messages.append({"role": "assistant", "content": message.text or None, "tool_calls": calls})
    else:
        messages.append({"role": "assistant", "content": message.text or "(no text)"})


def _as_object(arguments: str) -> str:
    """The arguments, or a JSON object that holds them where they are none."""
    try:
        if isinstance(json.loads(arguments), dict):
            return arguments
    except (ValueError, RecursionError):
        pass
    return json.dumps({"notJson": arguments})


def read_reply(content: bytes, model: str, host: str) -> ModelReply:
    """Raises `ModelUnavailable`, with what was wrong, where a 200 holds no completion."""
    try:
        answer: object = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ModelUnavailable(f"{host} answered with something that is no JSON: {_cut(content)}") from error
    fields = _dict(answer)
    choices = fields.get("choices")
    first: dict[str, Any] = (
        _dict(cast("list[object]", choices)[0]) if isinstance(choices, list) and choices else {}
    )
    if not isinstance(first.get("message"), dict):
        raise ModelUnavailable(f"{host} answered without choices[0].message: {_cut(content)}")
    message = _dict(first["message"])
    refusal = message.get("refusal")
    calls = _calls(message.get("tool_calls"), host)
    stop = _STOPS.get(str(first.get("finish_reason")), "tools" if calls else "end")
    return ModelReply(
        text=_text(message.get("content")) or (refusal if isinstance(refusal, str) else ""),
        calls=calls,
        usage=_usage(_dict(fields.get("usage"))),
        stop="filtered" if refusal else stop,
        model=str(fields.get("model") or model),
    )


def _text(content: object) -> str:
    """Some servers answer with a list of parts, as the API allows in requests."""
    if isinstance(content, list):
        return "".join(str(_dict(part).get("text") or "") for part in cast("list[object]", content))
    return content if isinstance(content, str) else ""


def _calls(value: object, host: str) -> tuple[ToolUse, ...]:
    uses: list[ToolUse] = []
    for i, item in enumerate(cast("list[object]", value) if isinstance(value, list) else []):
        function = _dict(_dict(item).get("function"))
        name = function.get("name")
        if not isinstance(name, str) or not name:
            raise ModelUnavailable(
                f"{host} answered with a tool call without a name: {_cut(json.dumps(item).encode())}"
            )
        arguments = function.get("arguments")
        # By the API a text; some servers send the object itself, or nothing for a tool without parameters.
        text = arguments if isinstance(arguments, str) else json.dumps(arguments or {})
        uses.append(ToolUse(str(_dict(item).get("id") or f"call_{i}"), name, text if text.strip() else "{}"))
    return tuple(uses)


def _usage(usage: dict[str, Any]) -> Usage:
    """What the server counted; zeros where it counted nothing, for nothing is made up."""
    given = _count(usage.get("prompt_tokens"))
    cached = _count(_dict(usage.get("prompt_tokens_details")).get("cached_tokens"))
    return Usage(given, _count(usage.get("completion_tokens")), min(cached, given))


def _count(value: object) -> int:
    return value if type(value) is int and value > 0 else 0


def _dict(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _server_message(content: bytes) -> str:
    """The server's own words: `error.message`, or what others call it, or the start of the body."""
    try:
        fields = _dict(json.loads(content))
    except ValueError:
        return _cut(content)
    error = fields.get("error")
    for found in (_dict(error).get("message"), error, fields.get("message"), fields.get("detail")):
        if isinstance(found, str) and found:
            return found[:1000]
    return _cut(content)


def _cut(content: bytes) -> str:
    text = " ".join(content[:1000].decode("utf-8", "replace").split())
    return f"{text[:300]}…" if len(text) > 300 else text or "(an empty body)"
