"""What is told of a run, event after event: judged from what is written and how far a reader is, and nothing else.

Whoever reads from a cursor on gets what follows it and no more, at any time and from any instance: the cursor holds the
place, and the record the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .value import Value, replace
from .values.agent import Agent
from .values.decision import Decision, Pending
from .values.history import History
from .values.live import Piece
from .values.run import Lap, Result, Run
from .waiting import GUARDS, waits

# Of a digest, so many characters tell what was asked in one lap apart.
SHORT_DIGEST = 12
MADE = ("success", "error", "unknown")


class Cursor(Value):
    """How far a reader is: all of the laps before `lap`, and of that one the text as far as `offset` of an attempt.

    `started` and `finished` are calls of the lap as bits, `asked` short digests of what somebody was asked in it.
    """

    seq: int = 0
    begun: bool = False
    lap: int = 0
    began_at: int = 0
    attempt: str = ""
    offset: int = 0
    started: int = 0
    finished: int = 0
    asked: tuple[str, ...] = ()
    ended: bool = False


class Ask(Value):
    """What somebody has to decide, or had to and `decision` tells how: a call of the run itself, or of one below it."""

    run: Run
    lap: Lap
    pending: Pending
    decision: Decision | None = None

    @property
    def name(self) -> str:
        return self.pending.digest[:SHORT_DIGEST]


class View(Value):
    """A run as it is written, from the lap on at which the reader is.

    `agent` is None where its snapshot is gone. `pieces` are of the lap that is not written yet, in order and from the
    reader's place on. `below` is what runs of other agents wait for. `blocked`: it is queued behind a run that waits
    for people. `more`: there are laps behind those that were read.
    """

    history: History
    agent: Agent | None = None
    pieces: Sequence[Piece] = ()
    below: tuple[Ask, ...] = ()
    blocked: bool = False
    more: bool = False

    @property
    def run(self) -> Run:
        return self.history.run

    @property
    def over(self) -> bool:
        """Whether nothing more happens by itself: the run has ended, or people have to decide."""
        if self.more:
            return False
        asks = any(each.kind != "agent" for each in self.run.pending)
        return self.run.ended or asks or bool(self.below) or self.blocked


class RunStarted(Value):
    run: Run


class LapStarted(Value):
    lap: int


class TextDelta(Value):
    """What follows the text of the lap that was told before."""

    lap: int
    text: str


class TextReset(Value):
    """What was told of the lap's text does not count: it begins anew, or came to nothing."""

    lap: int


class ToolStarted(Value):
    """The model asks for the call, and nobody has to agree to it any more."""

    lap: Lap
    call: int


class ToolFinished(Value):
    """`result` is None where the call was refused as the lap was written."""

    lap: Lap
    call: int
    result: Result | None


class ApprovalRequested(Value):
    ask: Ask


class RunFinished(Value):
    run: Run


Told = (
    RunStarted
    | LapStarted
    | TextDelta
    | TextReset
    | ToolStarted
    | ToolFinished
    | ApprovalRequested
    | RunFinished
)


class Event(Value):
    """`cursor` is the place behind it; `at` is epoch ms."""

    told: Told
    at: int
    cursor: Cursor


def follow(view: View, cursor: Cursor, *, now: int) -> tuple[Event, ...]:
    """All that follows the cursor, as far as it is written."""
    account, run = _Account(cursor, now), view.run
    if cursor.ended:
        return ()
    # A run that ended while it was queued has never begun.
    if not cursor.begun and run.status != "QUEUED" and run.deadline_at is not None:
        account.tell(RunStarted(run), run.created_at, begun=True)
    if _laps(account, view) and not view.more:
        if run.ended:
            _end(account, view)
        else:
            _pieces(account, view)
    for ask in view.below:
        account.ask(ask, now)
    return tuple(account.events)


@dataclass(slots=True)
class _Account:
    """What is told, and where that leads."""

    cursor: Cursor
    now: int
    events: list[Event] = field(default_factory=list[Event])

    def tell(self, told: Told, at: int, **moved: Any) -> None:
        self.cursor = replace(self.cursor, seq=self.cursor.seq + 1, **moved)
        self.events.append(Event(told, at, self.cursor))

    def enter(self, lap: int, at: int) -> None:
        if self.cursor.lap != lap:
            self.cursor = Cursor(self.cursor.seq, begun=self.cursor.begun)
            self.tell(LapStarted(lap), at, lap=lap)

    def text(self, lap: int, attempt: str, began_at: int, text: str, at: int) -> None:
        """The rest of an attempt's text, which may be another attempt than before."""
        there = self.cursor
        same = there.attempt == attempt and there.offset <= len(text)
        self.more(lap, attempt, began_at, text[there.offset if same else 0 :], at, same=same)

    def more(self, lap: int, attempt: str, began_at: int, text: str, at: int, *, same: bool) -> None:
        """What follows the text that was told, or begins another one."""
        if self.cursor.offset and not same:
            self.tell(TextReset(lap), at, attempt=attempt, began_at=began_at, offset=0)
        if text:
            end = self.cursor.offset + len(text)
            self.tell(TextDelta(lap, text), at, attempt=attempt, began_at=began_at, offset=end)

    def ask(self, ask: Ask, at: int) -> None:
        if ask.name not in self.cursor.asked:
            self.tell(ApprovalRequested(ask), at, asked=(*self.cursor.asked, ask.name))


def _laps(account: _Account, view: View) -> bool:
    """The laps that are written. False where one of them lacks a result, so that nothing after it is told yet."""
    for i, lap in enumerate(view.history.laps):
        account.enter(lap.lap, lap.at - lap.duration_ms)
        account.text(lap.lap, lap.id, account.cursor.began_at, lap.text, lap.at)
        as_of_then = replace(view.history, laps=view.history.laps[: i + 1])
        settled = view.run.ended or i + 1 < len(view.history.laps)
        done = [_call(account, view, as_of_then, call, settled=settled) for call in range(len(lap.calls))]
        if not all(done) and not view.run.ended:
            return False
    return True


def _call(account: _Account, view: View, history: History, call: int, *, settled: bool) -> bool:
    """One call of the last lap; whether all of it is told. `settled`: what came of it will not change any more."""
    lap, bit = history.laps[-1], 1 << call
    if account.cursor.finished & bit:
        return True
    if lap.calls[call].refused is not None:
        account.tell(ToolFinished(lap, call, None), lap.at, finished=account.cursor.finished | bit)
        return True
    result = history.results.get((lap.lap, call))
    asks = _asks(view, lap, call)
    for ask in asks:
        if ask.pending.kind in GUARDS:
            account.ask(ask, _asked_at(ask, account))
    left = waits(history, view.agent, call) if view.agent else ()
    agreed = not any(kind in GUARDS for kind in left) or (result is not None and result.outcome in MADE)
    if agreed and not account.cursor.started & bit:
        account.tell(ToolStarted(lap, call), lap.at, started=account.cursor.started | bit)
    for ask in asks:
        if ask.pending.kind not in GUARDS:
            account.ask(ask, _asked_at(ask, account))
    if result is None or not (settled or _is_known(view, result)):
        return False
    account.tell(ToolFinished(lap, call, result), result.at, finished=account.cursor.finished | bit)
    return True


def _asks(view: View, lap: Lap, call: int) -> list[Ask]:
    """What people were asked about a call, the first one first. A run of another agent answers unasked."""
    decided = [
        Ask(view.run, lap, Pending(each.lap, each.call, each.wait, each.digest), each)
        for each in sorted(view.history.decisions, key=lambda each: each.at)
        if (each.lap, each.call) == (lap.lap, call) and each.wait != "agent"
    ]
    open_now = [
        Ask(view.run, lap, each)
        for each in view.run.pending
        if (each.lap, each.call) == (lap.lap, call) and each.kind != "agent"
    ]
    return decided + open_now


def _asked_at(ask: Ask, account: _Account) -> int:
    return ask.run.parked_at or (ask.decision.at if ask.decision else account.now)


def _is_known(view: View, result: Result) -> bool:
    """Not while people are to be asked what came of the call."""
    if result.outcome != "unknown" or result.decided_by is not None or view.agent is None:
        return True
    return view.agent.on_unknown_outcome != "ask" or view.run.replays is not None


def _pieces(account: _Account, view: View) -> None:
    """The text that a model is writing now: that of the attempt which began last."""
    if not view.pieces:
        return
    newest = view.pieces[-1]
    account.enter(newest.lap, newest.began_at)
    same = account.cursor.attempt == newest.attempt
    text, told = "", account.cursor.offset if same else 0
    for piece in view.pieces:
        # Some may be gone: their time is short.
        if piece.attempt == newest.attempt and piece.offset == told + len(text):
            text += piece.text
    account.more(newest.lap, newest.attempt, newest.began_at, text, account.now, same=same)


def _end(account: _Account, view: View) -> None:
    run, there = view.run, account.cursor
    at = run.finished_at or account.now
    if there.offset and there.lap > (run.last_lap or 0):
        # A model was still writing, or its lap came too late to count.
        account.tell(TextReset(there.lap), at, attempt="", offset=0)
    account.tell(RunFinished(run), at, ended=True)
