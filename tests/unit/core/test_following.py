"""Whoever follows a run gets every event once: in any order of writes and reads, and however often they leave."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import astuple, dataclass, field, replace
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

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

    def view(self, cursor: Cursor) -> View:
        """As it is read from the cursor's lap on, and of that one's pieces from its place on."""
        last = self.run.last_lap
        laps = [lap for lap in self.laps if lap.lap >= cursor.lap and (last is None or lap.lap <= last)]
        upcoming = laps[-1].lap + 1 if laps else max(cursor.lap, 1)
        there = cursor if cursor.lap == upcoming else Cursor()
        place = (upcoming, there.began_at, there.attempt, there.offset)
        told = self.pieces if self.run.status == "RUNNING" else []
        pieces = sorted((each for each in told if place <= astuple(each) < (upcoming + 1,)), key=astuple)
        history = History(self.run, tuple(laps), dict(self.results), decisions=tuple(self.decisions))
        return View(history, AGENT, pieces)


@dataclass
class Client:
    """Keeps what it has received; all that it comes back with is the last event's id."""

    events: list[Event] = field(default_factory=list[Event])
    last_id: str | None = None

    def read(self, record: Record, most: int | None = None) -> list[Event]:
        """`most`: it loses the connection after so many events."""
        cursor = read_cursor(self.last_id, record.run.key) if self.last_id else Cursor()
        news = list(follow(record.view(cursor), cursor, now=NOW))[:most]
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


def test_a_run_that_is_over_is_told_from_its_record_alone():
    record, client = started()
    record.write("a", "Let me look.", "look", "pay", refused="no such tool")
    record.write("b", "Here.", "look")
    record.answer(0)
    record.write("c", "Done.")
    record.end()

    client.read(record)

    assert client.texts == {1: "Let me look.", 2: "Here.", 3: "Done."}
    assert client.told == [
        ("run.started",),
        ("lap.started", "1"),
        ("tool.finished", "1", "0", "refused"),
        ("tool.finished", "1", "1", "refused"),
        ("lap.started", "2"),
        ("tool.started", "2", "0"),
        ("tool.finished", "2", "0", "success"),
        ("lap.started", "3"),
        ("run.finished", "COMPLETED"),
    ]
    assert client.read(record) == []


def test_text_comes_as_it_is_written_and_the_lap_adds_what_was_not_told():
    record, client = started()
    record.tell("a", "Hel")
    first = client.read(record)
    record.tell("a", "lo")
    second = client.read(record)
    record.pieces.clear()
    record.write("a", "Hello there")

    third = client.read(record)

    deltas = [
        [each.told.text for each in news if isinstance(each.told, TextDelta)]
        for news in (first, second, third)
    ]
    assert deltas == [["Hel"], ["lo"], [" there"]]


def test_another_attempt_begins_the_text_anew():
    record, client = started()
    record.tell("a", "Hel", began_at=1)
    client.read(record)
    record.tell("b", "Good", began_at=2)

    news = client.read(record)

    assert [type(each.told) for each in news] == [TextReset, TextDelta]
    record.tell("a", "lo", began_at=1)
    assert client.read(record) == []
    record.write("a", "Hello")
    client.read(record)
    assert client.texts == {1: "Hello"}


def test_pieces_that_are_gone_take_nothing_back():
    record, client = started()
    record.tell("a", "Hel", began_at=1)
    record.tell("b", "Good", began_at=2)
    record.tell("b", " day", began_at=2)
    client.read(record)
    older, first, second = record.pieces

    for left in ([older, first], [older, second], [older], []):
        record.pieces = left
        assert client.read(record) == []
    record.write("b", "Good day.")
    client.read(record)
    assert client.texts == {1: "Good day."}


def test_text_that_came_to_nothing_is_taken_back_at_the_end():
    record, client = started()
    record.tell("a", "Hel")
    client.read(record)
    record.end("CANCELLED", last_lap=0)

    news = client.read(record)

    assert [type(each.told) for each in news] == [TextReset, RunFinished]


def test_a_run_that_was_cancelled_while_it_was_queued_only_finishes():
    record, client = Record(), Client()
    assert client.read(record) == []

    record.end("CANCELLED")
    client.read(record)

    assert client.told == [("run.finished", "CANCELLED")]


def test_a_call_is_started_once_everybody_agrees():
    record, client = started()
    record.write("a", "", "pay", "look")
    client.read(record)
    record.answer(1)
    record.park((0, "confirmation"))
    assert record.view(Cursor()).over
    client.read(record)
    record.decide(0, "confirmation")
    record.park((0, "approval"))
    client.read(record)
    record.decide(0, "approval")
    record.go_on()
    assert not record.view(Cursor()).over
    client.read(record)
    record.answer(0)

    client.read(record)

    late = Client()
    late.read(record)
    of_pay = [told[0] + ":" + told[-1] for told in client.told if told[2:3] == ("0",)]
    assert of_pay == [
        "approval.requested:confirmation",
        "approval.requested:approval",
        "tool.started:0",
        "tool.finished:success",
    ]
    assert Counter(late.told) == Counter(client.told)


def test_a_call_that_was_denied_never_starts():
    record, client = started()
    record.write("a", "", "pay")
    record.park((0, "confirmation"))
    record.decide(0, "confirmation", "deny")
    record.answer(0, "denied")
    record.go_on()

    client.read(record)

    assert ("tool.started", "1", "0") not in client.told
    assert client.told[-1] == ("tool.finished", "1", "0", "denied")


def test_an_outcome_that_people_are_asked_about_is_told_once_they_have_said():
    record, client = started()
    record.write("a", "", "look")
    record.answer(0, "unknown")
    client.read(record)
    record.park((0, "outcome"))
    client.read(record)
    record.decide(0, "outcome", "result")
    record.answer(0, "success", by="key:b")
    record.go_on()

    client.read(record)

    assert client.told[-2:] == [
        ("approval.requested", "1", "0", "outcome"),
        ("tool.finished", "1", "0", "success"),
    ]


def test_nothing_is_told_of_a_lap_before_all_of_the_one_before_it():
    """A read is no snapshot: it may find the next lap and miss a result that was written before."""
    record, client = started()
    record.write("a", "", "look")
    record.write("b", "Done.")

    client.read(record)
    assert client.told[-1] == ("tool.started", "1", "0")

    record.answer(0, lap=1)
    client.read(record)
    assert client.told[-2:] == [("tool.finished", "1", "0", "success"), ("lap.started", "2")]


# -- any order


class Life:
    """A run's record, written step after step as `draw` has it, by every rule of the run protocol."""

    def __init__(self, draw: Any) -> None:
        self.record, self._draw, self._attempts = Record(), draw, 0

    def steps(self) -> Iterator[None]:
        yield
        self.record.start()
        yield
        for last in range(self._draw(st.integers(0, 3)), -1, -1):
            yield from self._lap(self._draw(st.integers(1, 3)) if last else 0)
            if self._draw(st.integers(0, 9)) == 0:
                break
        # At times a lap is written that the end no longer counts.
        written = len(self.record.laps)
        late = self._draw(st.booleans()) and written > 0 and not self.record.laps[-1].calls
        status = "COMPLETED" if not late else "CANCELLED"
        self.record.end(status, last_lap=written - 1 if late else written)
        yield

    def _lap(self, calls: int) -> Iterator[None]:
        texts: dict[str, str] = {}
        for _ in range(self._draw(st.integers(1, 3))):
            self._attempts += 1
            attempt = f"a{self._attempts}"
            texts[attempt] = ""
            for _ in range(self._draw(st.integers(0, 3))):
                # An attempt that was given up may write on.
                writer = self._draw(st.sampled_from(list(texts)))
                piece = self._draw(st.text("ab", min_size=1, max_size=3))
                self.record.tell(writer, piece, began_at=int(writer[1:]))
                texts[writer] += piece
                yield
        winner = self._draw(st.sampled_from(list(texts)))
        text = texts[winner] + self._draw(st.sampled_from(["", "z"]))
        names = [self._draw(st.sampled_from(["look", "pay", "ask"])) for _ in range(calls)]
        lap = self.record.write(winner, text, *names)
        if self._draw(st.booleans()):
            self.record.pieces.clear()
        yield
        yield from self._calls(lap, names)

    def _calls(self, lap: Lap, names: list[str]) -> Iterator[None]:
        waits: dict[int, list[Any]] = {}
        for i in self._draw(st.permutations(range(len(names)))):
            kinds = {"pay": ["confirmation", "approval"], "ask": ["result"]}.get(names[i], [])
            if kinds:
                waits[i] = kinds
                continue
            outcome = self._draw(st.sampled_from(["success", "error", "unknown"]))
            self.record.answer(i, outcome)
            if outcome == "unknown":
                waits[i] = ["outcome"]
            yield
        while waits:
            self.record.park(*((i, kinds[0]) for i, kinds in waits.items()))
            yield
            i = self._draw(st.sampled_from(list(waits)))
            yield from self._decided(i, waits[i].pop(0), names[i])
            if not waits[i] or ((lap.lap, i) in self.record.results and names[i] != "look"):
                del waits[i]
            if not waits:
                self.record.go_on()
                yield

    def _decided(self, i: int, kind: Any, name: str) -> Iterator[None]:
        deny = kind in ("confirmation", "approval") and self._draw(st.booleans())
        self.record.decide(i, kind, "deny" if deny else "approve" if name == "pay" else "result")
        if deny:
            self.record.answer(i, "denied", by="key:b")
        elif kind in ("result", "outcome", "approval"):
            self.record.answer(i, "success", by="key:b")
        yield


@settings(max_examples=150, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(st.data())
def test_every_client_gets_every_event_once_whenever_it_reads_and_leaves(data: st.DataObject):
    life, clients = Life(data.draw), [Client() for _ in range(3)]
    for _ in life.steps():
        for client in clients:
            if data.draw(st.booleans()):
                client.read(life.record, most=data.draw(st.integers(0, 4)))
        if data.draw(st.integers(0, 9)) == 0:
            life.record.pieces.clear()
    late = Client()

    for client in (*clients, late):
        while client.read(life.record, most=data.draw(st.integers(1, 9))):
            pass

    record = life.record
    counted = {lap.lap: lap.text for lap in record.laps if lap.lap <= (record.run.last_lap or 0) and lap.text}
    uncounted = ("lap.started", str((record.run.last_lap or 0) + 1))
    for client in (*clients, late):
        assert [event.cursor.seq for event in client.events] == list(range(1, len(client.events) + 1))
        assert client.texts == counted
        assert client.told[-1][0] == "run.finished"
        assert Counter(told for told in client.told if told != uncounted) == Counter(late.told)
        assert in_order(client.told)


def in_order(told: list[tuple[str, ...]]) -> bool:
    """Laps one after the other, and of each call first what is asked, then its start, then its end."""
    laps = [int(each[1]) for each in told if each[0] not in ("run.started", "run.finished")]
    finished = [each[1:3] for each in told if each[0] == "tool.finished"]
    last = {each[1:3]: i for i, each in enumerate(told) if each[0] != "lap.started"}
    ends = all(told[last[call]][0] == "tool.finished" for call in finished)
    return laps == sorted(laps) and ends


# -- ids of events


@pytest.mark.parametrize(
    "text",
    ["", "x", "e30", "bnVsbA", "W10", "WzFd", "ÿ", "=" * 9, "WzEsMiwzXQ", "W" * 100_000, "WzFlOTk5OV0"],
)
def test_what_is_no_id_is_refused(text: str):
    from freehold.errors import Invalid

    with pytest.raises(Invalid) as refused:
        read_cursor(text, Record().run.key)

    assert refused.value.problems[0].path == "Last-Event-ID"


@pytest.mark.parametrize(
    "place",
    [
        {"attempt": "a" * 101},
        {"attempt": "é"},
        {"attempt": "\ud800"},
        {"began_at": 10**15},
        {"offset": 10**9},
    ],
)
def test_a_place_that_no_text_has_is_refused(place: dict[str, Any]):
    """It would become part of a key of the table."""
    from freehold.errors import Invalid

    key = Record().run.key
    text = cursor_text(replace(Cursor(3, begun=True, lap=2, attempt="a"), **place), key)

    with pytest.raises(Invalid):
        read_cursor(text, key)


def test_the_id_of_another_run_is_refused():
    from freehold.errors import Invalid

    key = Record().run.key
    text = cursor_text(Cursor(3, begun=True, lap=2, attempt="a", offset=5, asked=("ab",)), key)

    assert read_cursor(text, key) == Cursor(3, begun=True, lap=2, attempt="a", offset=5, asked=("ab",))
    with pytest.raises(Invalid):
        read_cursor(text, replace(key, turn=2))
