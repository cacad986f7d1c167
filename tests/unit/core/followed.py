"""A run as it is written, and a client that follows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from freehold.following import (
    ApprovalRequested,
    Cursor,
    Event,
    LapStarted,
    RunFinished,
    RunStarted,
    TextDelta,
    TextReset,
    ToolFinished,
    ToolStarted,
    View,
    follow,
)
from freehold.http.events import cursor_text, read_cursor
from freehold.value import astuple, replace
from freehold.values.agent import Agent, ModelChoice, Tool
from freehold.values.content import Usage
from freehold.values.decision import Decision, Pending
from freehold.values.history import History
from freehold.values.live import Piece
from freehold.values.run import Call, Lap, Principal, Result, Run
from freehold.waiting import digest

NOW = 1_800_000_000_000


def tool(name: str, **more: Any) -> Tool:
    return Tool(name, name, {"type": "object"}, "group", (), "arn", idempotent=True, **more)


AGENT = Agent(
    "clerk",
    ModelChoice("any"),
    "Help.",
    (tool("look"), tool("pay", guards=("confirmation", "approval")), tool("ask", returns_control=True)),
    on_unknown_outcome="ask",
)


@dataclass
class Record:
    """What is written of a run, and what is told of the lap that is not written yet."""

    run: Run = Run(
        tenant="acme",
        conversation="c",
        turn=1,
        session_id="s",
        agent="clerk",
        agent_version="DRAFT",
        agent_digest="d",
        alias="DRAFT",
        mode="durable",
        status="QUEUED",
        principal=Principal("key", "k"),
        trigger="http",
        input="hi",
        created_at=NOW,
        timeout_seconds=900,
    )
    laps: list[Lap] = field(default_factory=list[Lap])
    results: dict[tuple[int, int], Result] = field(default_factory=dict[tuple[int, int], Result])
    decisions: list[Decision] = field(default_factory=list[Decision])
    pieces: list[Piece] = field(default_factory=list[Piece])
    lengths: dict[tuple[int, str], int] = field(default_factory=dict[tuple[int, str], int])

    def change(self, **changes: Any) -> None:
        self.run = replace(self.run, **changes)

    def start(self) -> None:
        self.change(status="RUNNING", deadline_at=NOW + 900_000)

    def tell(self, attempt: str, text: str, *, began_at: int = 1, lap: int | None = None) -> None:
        lap = lap or len(self.laps) + 1
        offset = self.lengths.get((lap, attempt), 0)
        self.pieces.append(Piece(lap, began_at, attempt, offset, text))
        self.lengths[lap, attempt] = offset + len(text)

    def write(self, attempt: str, text: str, *calls: str, refused: str | None = None) -> Lap:
        made = tuple(Call(name, "{}", refused) for name in calls)
        lap = Lap(len(self.laps) + 1, attempt, NOW, "m", text, made, Usage(), 10, "tools" if calls else "end")
        self.laps.append(lap)
        return lap

    def answer(
        self, call: int, outcome: Any = "success", lap: int | None = None, by: str | None = None
    ) -> None:
        lap = lap or len(self.laps)
        made = self.laps[lap - 1].calls[call].name
        self.results[lap, call] = Result(lap, call, made, outcome, "done", NOW, decided_by=by)

    def park(self, *waits: tuple[int, Any]) -> None:
        lap = self.laps[-1]
        pending = tuple(Pending(lap.lap, i, kind, digest(self.run.key, lap, i, kind)) for i, kind in waits)
        self.change(status="AWAITING", pending=pending, parked_at=NOW)

    def decide(self, call: int, kind: Any, verdict: Any = "approve") -> None:
        lap = self.laps[-1]
        named = digest(self.run.key, lap, call, kind)
        self.decisions.append(Decision(lap.lap, call, kind, verdict, "key:b", NOW, named, "r"))

    def go_on(self) -> None:
        self.change(status="RUNNING", pending=(), parked_at=None)

    def end(self, status: Any = "COMPLETED", last_lap: int | None = None) -> None:
        last = len(self.laps) if last_lap is None else last_lap
        for i in self.laps[last - 1].calls and range(len(self.laps[last - 1].calls)) if last else ():
            if (last, i) not in self.results and self.laps[last - 1].calls[i].refused is None:
                self.answer(i, "cancelled", lap=last)
        self.change(status=status, pending=(), parked_at=None, finished_at=NOW, last_lap=last)

    def view(self, cursor: Cursor, at_once: int = 1_000) -> View:
        """As it is read from the cursor's lap on, so many laps of it, and of that one's pieces from its place on."""
        last, first = self.run.last_lap, max(cursor.lap, 1)
        written = [lap for lap in self.laps if lap.lap >= first and (last is None or lap.lap <= last)]
        laps = written[:at_once]
        upcoming = laps[-1].lap + 1 if laps else max(cursor.lap, 1)
        there = cursor if cursor.lap == upcoming else Cursor()
        place = (upcoming, there.began_at, there.attempt, there.offset)
        told = self.pieces if self.run.status == "RUNNING" else []
        pieces = sorted((each for each in told if place <= astuple(each) < (upcoming + 1,)), key=astuple)
        history = History(self.run, tuple(laps), dict(self.results), decisions=tuple(self.decisions))
        if len(laps) == at_once:
            return View(history, AGENT, more=True)
        return View(history, AGENT, pieces)


@dataclass
class Client:
    """Keeps what it has received; all that it comes back with is the last event's id."""

    events: list[Event] = field(default_factory=list[Event])
    last_id: str | None = None

    def read(self, record: Record, most: int | None = None, at_once: int = 1_000) -> list[Event]:
        """`most`: it loses the connection after so many events. `at_once`: so many laps are looked at."""
        cursor = read_cursor(self.last_id, record.run.key) if self.last_id else Cursor()
        news = list(follow(record.view(cursor, at_once), cursor, now=NOW))[:most]
        self.events += news
        self.last_id = cursor_text(news[-1].cursor, record.run.key) if news else self.last_id
        return news

    @property
    def texts(self) -> dict[int, str]:
        """By lap, as a page would show it."""
        shown: dict[int, str] = {}
        for event in self.events:
            match event.told:
                case TextDelta(lap, text):
                    shown[lap] = shown.get(lap, "") + text
                case TextReset(lap):
                    shown[lap] = ""
                case _:
                    pass
        return {lap: text for lap, text in shown.items() if text}

    @property
    def told(self) -> list[tuple[str, ...]]:
        """All but the text, by name."""
        return [named for event in self.events if (named := name_of(event))]


def name_of(event: Event) -> tuple[str, ...] | None:
    match event.told:
        case RunStarted():
            return ("run.started",)
        case LapStarted(lap):
            return ("lap.started", str(lap))
        case ToolStarted(lap, call):
            return ("tool.started", str(lap.lap), str(call))
        case ToolFinished(lap, call, result):
            return ("tool.finished", str(lap.lap), str(call), result.outcome if result else "refused")
        case ApprovalRequested(ask):
            return ("approval.requested", str(ask.pending.lap), str(ask.pending.call), ask.pending.kind)
        case RunFinished(run):
            return ("run.finished", run.status)
        case _:
            return None


def started() -> tuple[Record, Client]:
    record = Record()
    record.start()
    return record, Client()
