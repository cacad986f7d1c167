"""A chat completion that arrives in chunks, put together to what the server answers without a stream."""

from __future__ import annotations

import json
from typing import Any, cast

from freehold.errors import ModelUnavailable

from .model_http import fields, objects, parsed
from .openai_parts import failure_in_stream
from .server_sent_events import ServerSentEvents
from .spoken import Spoken, whole

DONE = b"[DONE]"


class ChatStream:
    """Hears the answer's body. What is no stream is left to be read as a whole."""

    def __init__(self, host: str, spoken: Spoken) -> None:
        self._host, self._spoken = host, spoken
        self._events = ServerSentEvents(self._take)
        self._content: list[str] = []
        self._refusal: list[str] = []
        self._calls: list[_Call] = []
        self._answer: dict[str, Any] = {}
        self._choice: dict[str, Any] | None = None
        self._done = False

    def hear(self, chunk: bytes) -> None:
        self._events.feed(chunk)

    def completion(self, content: bytes) -> dict[str, Any]:
        """All of it, now that it is there. Raises `ModelUnavailable` where it broke off."""
        self._events.end()
        if self._events.plain:
            return parsed(content, self._host)
        if not self._done and not (self._choice and self._choice.get("finish_reason")):
            raise ModelUnavailable(f"{self._host} broke off its answer")
        if self._choice is None:
            return self._answer
        message = {
            "content": whole(self._content),
            "refusal": whole(self._refusal) or None,
            "tool_calls": [call.whole for call in self._calls],
        }
        return {**self._answer, "choices": [{**self._choice, "message": message}]}

    def _take(self, data: bytes) -> None:
        if data.strip() == DONE:
            self._done = True
            return
        chunk = parsed(data, self._host)
        if error := chunk.get("error"):
            raise failure_in_stream(error, self._host)
        self._answer |= {name: chunk[name] for name in ("model", "usage") if chunk.get(name)}
        for choice in objects(chunk.get("choices")):
            if not choice.get("index"):
                self._add(choice)

    def _add(self, choice: dict[str, Any]) -> None:
        self._choice = self._choice or {}
        if choice.get("finish_reason"):
            self._choice["finish_reason"] = choice["finish_reason"]
        delta = fields(choice.get("delta"))
        text = content_text(delta.get("content"))
        self._content.append(text)
        self._spoken.say(text)
        if isinstance(delta.get("refusal"), str):
            # It is the reply's text only where there is no other, which shows in the end.
            self._refusal.append(delta["refusal"])
        calls = delta.get("tool_calls")
        for part in cast("list[object]", calls) if isinstance(calls, list) else []:
            self._call_of(fields(part)).add(fields(part))

    def _call_of(self, part: dict[str, Any]) -> _Call:
        """The call that goes on here. Some servers send no index, or the same one for every call."""
        index, name = part.get("index"), part.get("id")
        known = (
            [call for call in self._calls if call.index == index] if index is not None else self._calls[-1:]
        )
        begins = name and known and known[-1].id and known[-1].id != name
        if index is None and fields(part.get("function")).get("name"):
            begins = not (known and name and known[-1].id == name)
        if begins or not known:
            self._calls.append(_Call(index))
            return self._calls[-1]
        return known[-1]


class _Call:
    """One call as far as it has come."""

    def __init__(self, index: object) -> None:
        self.index = index
        self.id: object = None
        self._name: object = None
        self._arguments: list[str] = []

    def add(self, part: dict[str, Any]) -> None:
        function = fields(part.get("function"))
        # Whole where it first stands; some servers repeat it.
        self.id = self.id or part.get("id")
        self._name = self._name or function.get("name")
        given = function.get("arguments")
        if given is not None:
            # By the API a text; some servers send the object itself.
            self._arguments.append(given if isinstance(given, str) else json.dumps(given))

    @property
    def whole(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "type": "function",
            "function": {"name": self._name, "arguments": whole(self._arguments)},
        }


def content_text(content: object) -> str:
    """Some servers answer with a list of parts, as the API allows in requests."""
    if isinstance(content, list):
        return "".join(str(part.get("text") or "") for part in objects(cast("list[object]", content)))
    return content if isinstance(content, str) else ""
