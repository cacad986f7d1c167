"""A reply is seen while the model writes it, and printed once it is there."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from rich.console import Console

from freehold_cli.screen import Screen
from freehold_cli.talking import Conversation
from freehold_client import Freehold

from .fake_api import KEY, RUN_ID, FakeApi, lap, user


class Shown(Screen):
    """Keeps what its progress shows, beside what it prints."""

    def __init__(self) -> None:
        self.printed, self.progressed = io.StringIO(), list[str]()
        super().__init__(out=Console(file=self.printed, width=200), err=Console(file=io.StringIO()))

    @contextmanager
    def progress(self, text: str, *, lines: bool = False) -> Generator[Callable[[str], None]]:
        self.progressed.append(text)
        yield self.progressed.append


def event(seq: int, name: str, **data: Any) -> bytes:
    told = {"runId": RUN_ID, "seq": seq, "at": "t", **data}
    return f"id: {seq}\nevent: {name}\ndata: {json.dumps(told)}\n\n".encode()


def say(*events: bytes, steps: bool = True, status: int = 200) -> Shown:
    api, screen = FakeApi(([user()], [user(), lap(1, "It was shipped.")])), Shown()
    told = api.transport()

    def respond(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/events"):
            content = b"".join(events) if status == 200 else b"{}"
            return httpx.Response(status, headers={"content-type": "text/event-stream"}, content=content)
        return told.handle_request(request)

    with Freehold("http://stack", KEY, httpx.MockTransport(respond), sleep=lambda _: None) as client:
        Conversation(client, screen, "support", steps=steps).say("Where is it?")
    return screen


def delta(seq: int, text: str) -> bytes:
    return event(seq, "text.delta", lap=1, text=text)


END = event(9, "run.finished", status="COMPLETED")


def test_text_grows_as_it_comes_and_is_printed_once():
    screen = say(event(1, "run.started"), delta(2, "It"), delta(3, " was shi"), delta(4, "pped."), END)

    assert [each for each in screen.progressed if each.startswith("It")] == [
        "It",
        "It was shi",
        "It was shipped.",
    ]
    assert screen.printed.getvalue().count("shipped.") == 1


def test_text_that_begins_anew_is_forgotten():
    screen = say(delta(1, "No, "), event(2, "text.reset", lap=1), delta(3, "It was"), END)

    assert "It was" in screen.progressed
    assert "No, It was" not in screen.progressed


def test_a_long_text_shows_its_end():
    lines = "\n".join(f"line {number}" for number in range(50))

    shown = next(each for each in say(delta(1, lines), END).progressed if each.startswith("line"))

    assert shown.split("\n")[-1] == "line 49"
    assert len(shown.split("\n")) == 10


def test_a_stack_that_streams_nothing_is_read_again_and_again():
    for status in (404, 500, 204):
        assert say(status=status).printed.getvalue().count("shipped.") == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_nobody_waits_for_a_stream_that_does_not_begin(status: int):
    streams, pauses = list[str](), list[float]()
    told = FakeApi(([user()], [user(), lap(1, "It was shipped.")])).transport()

    def respond(request: httpx.Request) -> httpx.Response:
        if not request.url.path.endswith("/events"):
            return told.handle_request(request)
        streams.append(request.url.path)
        return httpx.Response(status, json={"title": "T", "status": status}, headers={"retry-after": "7"})

    with Freehold("http://stack", KEY, httpx.MockTransport(respond), sleep=pauses.append) as client:
        Conversation(client, Shown(), "support", steps=True).say("Where is it?")

    assert len(streams) == 1
    assert all(pause <= 1 for pause in pauses)


def test_without_steps_nothing_is_streamed():
    screen = say(delta(1, "It"), END, steps=False)

    assert "It" not in screen.progressed
    assert "shipped." in screen.printed.getvalue()
