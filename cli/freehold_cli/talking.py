"""One message sent and its run watched to the end; many of them in one session."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Literal

from rich.text import Text

from freehold_client import (
    CallItem,
    Freehold,
    FreeholdApiError,
    FreeholdClientError,
    Item,
    LapItem,
    Run,
    Started,
    UserItem,
)

from .explain import RUN_FAILED, UNREACHABLE, explain
from .printable import one_line, printable, well_formed
from .screen import Screen
from .timeline import Timeline, outcome
from .world import World

LEAVE = "exit"
PROMPT = "you> "


class Conversation:
    """Messages to one agent; the first answer's session is kept for the next message."""

    def __init__(
        self,
        client: Freehold,
        screen: Screen,
        agent: str,
        *,
        session_id: str | None = None,
        memory_id: str | None = None,
        alias: str | None = None,
        enqueue: bool = False,
        steps: bool = True,
    ) -> None:
        self._client = client
        self._screen = screen
        self._agent = agent
        self._session_id = session_id
        self._memory_id = memory_id
        self._alias = alias
        self._when_busy: Literal["enqueue"] | None = "enqueue" if enqueue else None
        self._steps = steps and not screen.json
        self._said = ""

    def say(self, message: str, *, images: Sequence[bytes] = (), typed: bool = False) -> Run:
        """Send a message and print what happens until its run has ended; Ctrl-C cancels the run.

        One that was `typed` stands on the screen already.
        """
        with self._screen.progress("sending") as progress:
            started = self._client.runs.start(
                self._agent,
                well_formed(message),
                images=images,
                session_id=self._session_id,
                memory_id=self._memory_id,
                alias=self._alias,
                when_busy=self._when_busy,
            )
            self._session_id = started.session_id
            try:
                run = self._watch(started, progress, typed=typed)
            except KeyboardInterrupt:
                with suppress(FreeholdClientError):
                    self._client.runs.cancel(started.run_id)
                raise
        self._conclude(run)
        return run

    def _watch(self, started: Started, progress: Callable[[str], None], *, typed: bool) -> Run:
        progress("the agent is at work")
        timeline = Timeline(width=self._screen.width)
        open_calls: dict[tuple[int, int], str] = {}
        for news in self._client.runs.follow(started):
            if isinstance(news, Run):
                return news
            step = timeline.step(news)
            if self._steps and not _only_started(news) and not (typed and isinstance(news, UserItem)):
                self._screen.show(step)
            self._said = news.text if isinstance(news, LapItem) else self._said
            progress(_now(news, open_calls))
        raise AssertionError("unreachable: following ends with the run")

    def _conclude(self, run: Run) -> None:
        if self._screen.json:
            self._screen.write_json(run.wire)
            return
        output = printable((run.output or "").strip())
        if not self._steps:
            self._screen.show(output)
            if run.status != "COMPLETED":
                self._screen.err.print(outcome(run))
            return
        if run.output and run.output != self._said:
            self._screen.show("", output)
        self._screen.show("", outcome(run))
        self._screen.show(Text(one_line(f"run {run.run_id} · session {run.session_id}"), "dim"))


def chat(world: World, screen: Screen, conversation: Conversation) -> int:
    """Messages from the keyboard, or line by line from a pipe, until Ctrl-D or `exit`; the exit code.

    A message that fails does not end a chat in a terminal. From a pipe, any that failed makes the code 1.
    """
    interactive, failed = world.interactive(), False
    if interactive:
        screen.note(f"Ctrl-D or `{LEAVE}` ends the chat.")
    while True:
        try:
            message = world.read_line(PROMPT if interactive and not screen.json else "").strip()
        except EOFError:
            if interactive:
                screen.note("")
            return RUN_FAILED if failed and not interactive else 0
        if message == LEAVE:
            return RUN_FAILED if failed and not interactive else 0
        if not message:
            continue
        try:
            failed = conversation.say(message, typed=interactive).status != "COMPLETED" or failed
        except FreeholdApiError as error:
            if explain(error, screen) == UNREACHABLE:
                return UNREACHABLE
            failed = True


def _only_started(item: Item) -> bool:
    """Its arguments stand in the lap already, and its result is still to come."""
    return isinstance(item, CallItem) and item.outcome == "started"


def _now(item: Item, open_calls: dict[tuple[int, int], str]) -> str:
    """What is probably going on after `item`."""
    if isinstance(item, LapItem):
        open_calls.update({(item.lap, each.call): each.name for each in item.calls if each.refused is None})
    if isinstance(item, CallItem) and item.outcome != "started":
        open_calls.pop((item.lap, item.call), None)
    names = ", ".join(dict.fromkeys(open_calls.values()))
    return f"calling {names}" if names else "the model is thinking"
