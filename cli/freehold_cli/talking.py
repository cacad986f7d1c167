"""One message sent and its run watched to the end; many of them in one session."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Literal

from rich.text import Text

from freehold_client import (
    Awaited,
    CallItem,
    Freehold,
    FreeholdApiError,
    FreeholdClientError,
    Item,
    LapItem,
    Run,
    Started,
    TextDelta,
    TextReset,
    UserItem,
)

from . import waiting
from .confirming import agreed
from .explain import AWAITS, RUN_FAILED, UNREACHABLE, explain
from .printable import one_line, printable, well_formed
from .screen import Screen
from .timeline import WAITING, Timeline, outcome
from .world import World

LEAVE = "exit"
PROMPT = "you> "
WRITING = "the model is thinking"
# Of a reply that is being written.
MOST_LINES, MOST_CHARACTERS = 10, 1_000


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
        self._told = set[Item]()

    def say(self, message: str, *, images: Sequence[bytes] = (), typed: bool = False) -> Run:
        """Send a message and print what happens until its run has ended, or waits; Ctrl-C cancels the run.

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
            run = self._watched(started, progress, typed=typed)
        self._conclude(run)
        return run

    def to_confirm(self, run: Run) -> list[tuple[Run, Awaited]]:
        """The calls that wait for the user themselves to agree."""
        return [found for found in self._client.runs.awaited(run) if found[1].kind == "confirmation"]

    def confirm(self, run: Run, answers: Sequence[tuple[Run, Awaited, bool]]) -> Run:
        """Send what the user has said to each call, and print what happens then."""
        with self._screen.progress("sending") as progress:
            for asked, call, yes in answers:
                self._client.runs.decide(asked.run_id, [call.approve() if yes else call.deny()])
            run = self._watched(run, progress)
        self._conclude(run)
        return run

    def _watched(self, run: Run | Started, progress: Callable[[str], None], *, typed: bool = False) -> Run:
        try:
            return self._watch(run, progress, typed=typed)
        except KeyboardInterrupt:
            with suppress(FreeholdClientError):
                self._client.runs.cancel(run.run_id)
            raise

    def _watch(self, started: Run | Started, progress: Callable[[str], None], *, typed: bool) -> Run:
        progress("the agent is at work")
        timeline = Timeline(width=self._screen.width)
        open_calls: dict[tuple[int, int], str] = {}
        written = ""
        runs = self._client.runs
        for news in runs.watch(started) if self._steps else runs.follow(started):
            if isinstance(news, Run):
                return news
            if isinstance(news, TextDelta | TextReset):
                written = written + news.text if isinstance(news, TextDelta) else ""
                progress(_end_of(written) or WRITING)
                continue
            written = "" if isinstance(news, LapItem) else written
            step = timeline.step(news)
            # A run that goes on is read from its beginning.
            told, _ = news in self._told, self._told.add(news)
            if self._steps and not (told or _only_started(news) or (typed and isinstance(news, UserItem))):
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
            if output:
                self._screen.show(output)
            if run.status != "COMPLETED":
                self._screen.err.print(outcome(run, self._client.runs.ahead(run)))
            waiting.tell(self._screen, run, self._client.runs.awaited(run))
            return
        if run.output and run.output != self._said:
            self._screen.show("", output)
        self._screen.show("", outcome(run, self._client.runs.ahead(run)))
        self._screen.show(Text(one_line(f"run {run.run_id} · session {run.session_id}"), "dim"))
        waiting.tell(self._screen, run, self._client.runs.awaited(run))


def chat(world: World, screen: Screen, conversation: Conversation) -> int:
    """Messages from the keyboard, or line by line from a pipe, until Ctrl-D or `exit`; the exit code.

    A message that fails does not end a chat in a terminal. From a pipe, any that failed makes the code 1, and a last
    one that waits makes it 4. What the user has to confirm, a terminal asks at once; a question is answered by the
    next message.
    """
    interactive, failed, status = world.interactive(), False, ""
    if interactive:
        screen.note(f"Ctrl-D or `{LEAVE}` ends the chat.")
    while True:
        message = _next_message(world, screen, interactive=interactive)
        if message is None:
            return 0 if interactive else _code(status, failed=failed)
        try:
            run = conversation.say(message, typed=interactive)
            while interactive and not screen.json and (asked := conversation.to_confirm(run)):
                answers = [(owner, each, agreed(world, _question(each))) for owner, each in asked]
                run = conversation.confirm(run, answers)
            status, failed = run.status, failed or run.status not in ("COMPLETED", *WAITING)
        except FreeholdApiError as error:
            if explain(error, screen) == UNREACHABLE:
                return UNREACHABLE
            failed = True


def _next_message(world: World, screen: Screen, *, interactive: bool) -> str | None:
    """None at the end."""
    while True:
        try:
            message = world.read_line(PROMPT if interactive and not screen.json else "").strip()
        except EOFError:
            if interactive:
                screen.note("")
            return None
        if message:
            return None if message == LEAVE else message


def _code(status: str, *, failed: bool) -> int:
    return RUN_FAILED if failed else AWAITS if status in WAITING else 0


def _question(call: Awaited) -> str:
    return f"Make this call, {one_line(call.tool)} ({one_line(call.call_id)})?"


def _end_of(text: str) -> str:
    """As much as is good to look at while it grows; all of it is printed once it is there."""
    lines = text.strip().split("\n")[-MOST_LINES:]
    return "\n".join(lines)[-MOST_CHARACTERS:]


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
    return one_line(f"calling {names}") if names else WRITING
