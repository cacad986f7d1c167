"""State CompactHistory: the oldest part of a conversation, in fewer words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .conversation import Conversation
from .values.conversation import Place
from .values.history import History
from .values.model import ModelEntry
from .window import Turn, count, steps

# Of what fills the window before it is compacted, the newest part that is kept as it is.
KEPT_SHARE = 0.35


def is_due(conversation: Conversation, entry: ModelEntry) -> bool:
    """Whether the conversation fills so much of the window that its oldest part has to give way.

    Never twice at one place: what a compaction did not make small enough, the next lap's will.
    """
    current, made = conversation.current, conversation.compaction
    if made and (made.turn, made.lap) == (current.run.turn, _last_lap(current)):
        return False
    turns = conversation.turns(entry)
    if sum(map(count, turns)) <= conversation.budget(entry).full:
        return False
    return place(conversation, entry) is not None


def place(conversation: Conversation, entry: ModelEntry) -> Place | None:
    """Where what stays as it is begins; None where nothing before that is there to be compacted.

    The newest turns and steps stay, as many as fit. What the present turn asks and its last step always do.
    """
    left = int(conversation.budget(entry).full * KEPT_SHARE)
    current, begins = conversation.current, conversation.compaction
    before = begins.begins if begins else Place()
    turns = conversation.turns(entry)
    found = _within(current, turns[-1], left) or _between(conversation.past, turns, left - count(turns[-1]))
    return found if found is not None and found > before else None


def _within(current: History, turn: Turn, left: int) -> Place | None:
    """Where the present turn's newest laps begin, if it does not fit whole."""
    left -= count(turn[:1])
    for kept, step in enumerate(reversed(list(steps(turn)))):
        left -= count(step)
        if left < 0 and kept:
            return Place(current.run.turn, current.laps[-kept].lap - 1)
    return None


def _between(past: Sequence[History], turns: Sequence[Turn], left: int) -> Place | None:
    """The first of the past turns that fits with all that follow it, if one before it does not."""
    shown = [turn for turn in past if turn.laps or turn.run.status != "CANCELLED"]
    for history, turn in zip(reversed(shown), reversed(turns[:-1]), strict=True):
        left -= count(turn)
        if left < 0:
            return Place(history.run.turn + 1)
    return None


def part_before(begins: Place, conversation: Conversation) -> list[History]:
    """What a compaction at that place stands for, but for what the one before it does."""
    turns = [turn for turn in (*conversation.past, conversation.current) if turn.run.turn <= begins.turn]
    return [
        replace(turn, laps=tuple(lap for lap in turn.laps if lap.lap <= begins.laps))
        if turn.run.turn == begins.turn
        else turn
        for turn in turns
        if turn.run.turn < begins.turn or begins.laps
    ]


def _last_lap(history: History) -> int:
    return history.last.lap if history.last else 0
