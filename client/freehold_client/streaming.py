"""A run's live events, whatever becomes of the connection (server-sent events)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, cast

import httpx

from .connection import LONGEST_PAUSE_SECONDS, Connection, jittered, may_succeed, segment
from .errors import Unreachable
from .events import RunEvent, RunFinished, read_event

# The stack says something every 15 seconds.
SILENCE_SECONDS = 45.0
# In a row, without anything that came between.
MOST_FAILURES = 6
RETRY_SECONDS = 1.0
OVER = 204


@dataclass(slots=True)
class EventStream:
    """All events of a run from `last_id` on, each once; it ends with the run, or where somebody has to decide."""

    connection: Connection
    run_id: str
    sleep: Callable[[float], None]
    last_id: str | None = None
    most_failures: int = MOST_FAILURES
    _retry_seconds: float = field(default=RETRY_SECONDS, init=False)
    _failures: int = field(default=0, init=False)

    def __iter__(self) -> Iterator[RunEvent]:
        """Comes back by itself where the connection is lost. Raises `Unreachable` where that does not help."""
        while True:
            # Until something comes of it.
            self._failures += 1
            failure: Exception = Unreachable(self.connection.url, "its streams of events end at once")
            pause: float | None = None
            try:
                with self._opened() as response:
                    if response.status_code == OVER:
                        return
                    if _is_stream(response):
                        for event in self._events(response):
                            yield event
                            if isinstance(event, RunFinished):
                                return
                    elif response.is_success:
                        failure = Unreachable(self.connection.url, "it answers with no stream of events")
                    else:
                        failure, pause = self.connection.refusal(response)
                        if not may_succeed(response):
                            raise failure
            except httpx.TransportError as error:
                failure = Unreachable(self.connection.url, str(error) or type(error).__name__)
            if self._failures >= self.most_failures:
                raise failure
            longest = self._retry_seconds * 2 ** max(0, self._failures - 1)
            self.sleep(pause or jittered(min(longest, LONGEST_PAUSE_SECONDS)))

    def _opened(self) -> AbstractContextManager[httpx.Response]:
        headers = {"last-event-id": self.last_id} if self.last_id else {}
        return self.connection.opened(
            f"/runs/{segment(self.run_id)}/events", headers, silence=SILENCE_SECONDS
        )

    def _events(self, response: httpx.Response) -> Iterator[RunEvent]:
        for number, block in enumerate(blocks(response.iter_bytes())):
            fields = _fields(block)
            event = _read(fields) if "data" in fields else None
            # A comment is a sign of life, but a stream that ends after its greeting is as good as none.
            self._failures = 0 if event or (number and "" in fields) else self._failures
            if fields.get("retry", "").isdecimal():
                self._retry_seconds = int(fields["retry"]) / 1000
            if event:
                self.last_id = event.id or self.last_id
                yield event


def _is_stream(response: httpx.Response) -> bool:
    """Something in between may answer with a page of its own."""
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    return response.is_success and kind == "text/event-stream"


def _read(fields: Mapping[str, str]) -> RunEvent:
    """Raises `httpx.RemoteProtocolError` for what no stack sends."""
    try:
        data: Any = json.loads(fields["data"])
    except ValueError:
        data = None
    if not isinstance(data, dict):
        raise httpx.RemoteProtocolError("the data of an event is no JSON object")
    return read_event(fields.get("id", ""), fields.get("event", "message"), cast("dict[str, Any]", data))


def _fields(block: Sequence[str]) -> dict[str, str]:
    """By name; several lines of data are one text."""
    fields: dict[str, str] = {}
    for line in block:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        fields[name] = f"{fields[name]}\n{value}" if name == "data" and name in fields else value
    return fields


def blocks(chunks: Iterable[bytes]) -> Iterator[list[str]]:
    """The lines of each event that is there in full; what breaks off in its midst does not count.

    Lines end as the format has it, not wherever Unicode knows an end of a line.
    """
    rest, block = b"", list[str]()
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if told := line.removesuffix(b"\r").decode(errors="replace"):
                block.append(told)
            elif block:
                yield block
                block = []
