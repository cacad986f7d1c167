"""A response of `POST /responses` that arrives in events, each of which says its own type.

https://developers.openai.com/api/reference/resources/responses/streaming-events describes them. The last one holds
the response as it is without a stream.
"""

from __future__ import annotations

from typing import Any

from freehold.errors import ModelUnavailable

from .model_http import fields, objects, parsed
from .responses_reasoning import Item
from .server_sent_events import ServerSentEvents
from .spoken import Spoken

_DELTAS = ("response.output_text.delta", "response.refusal.delta")
_ENDS = ("response.completed", "response.incomplete", "response.failed")
_DONE = b"[DONE]"
# Bedrock's own faults by the codes that the API has for them.
_CODES = (
    (("throttl", "rate_limit", "too_many", "toomany", "quota"), "rate_limit_exceeded"),
    (("internal", "server", "unavailable", "timeout", "overload", "modelerror", "stream"), "server_error"),
)


class ResponseStream:
    """Hears the answer's body. What is no stream is left to be read as a whole."""

    def __init__(self, host: str, spoken: Spoken) -> None:
        self._host, self._spoken = host, spoken
        self._events = ServerSentEvents(self._take)
        self._items: dict[int, Item] = {}
        self._response: Item | None = None

    def hear(self, chunk: bytes) -> None:
        self._events.feed(chunk)

    def response(self, content: bytes) -> dict[str, Any]:
        """All of it, now that it is there. Raises `ModelUnavailable` where it broke off."""
        self._events.end()
        if self._events.plain:
            return parsed(content, self._host)
        if self._response is None:
            raise ModelUnavailable(f"{self._host} broke off its answer")
        if not objects(self._response.get("output")):
            # Some servers say in the end only what they have not said yet.
            return self._response | {"output": [self._items[i] for i in sorted(self._items)]}
        return self._response

    def _take(self, data: bytes) -> None:
        if data.strip() == _DONE:
            return
        event = parsed(data, self._host)
        kind, place = event.get("type"), event.get("output_index")
        if kind in _DELTAS and isinstance(event.get("delta"), str):
            self._spoken.say(event["delta"], (place, event.get("content_index")))
            return
        self._spoken.say("")
        if kind == "response.output_item.done" and isinstance(place, int):
            self._items[place] = fields(event.get("item"))
        elif kind in _ENDS:
            status = str(kind).removeprefix("response.")
            self._response = {"status": status} | fields(event.get("response"))
        elif kind == "error" or "error" in event:
            self._response = {"status": "failed", "error": _error(event)}


def _error(event: Item) -> Item:
    """As a failed response has it."""
    told = fields(event.get("error")) or event
    code = told.get("code") or (told.get("type") if told is not event else None)
    plain = str(code or "").lower()
    for words, known in _CODES:
        if any(word in plain for word in words):
            code = known
    return {"code": code, "message": told.get("message")}
