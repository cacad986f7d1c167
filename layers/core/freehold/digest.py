"""A request to sum up a part of a conversation: its content as JSON, which no text in it can break out of."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from . import context
from .tokens import first_tokens, tokens
from .values.agent import Agent
from .values.history import History
from .values.model import ModelEntry, ModelRequest, Purpose, UserMessage
from .values.run import Lap
from .window import MARGIN, window_of

TEXT_TOKENS, RESULT_TOKENS, ARGUMENTS_TOKENS = 1_500, 300, 150

Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Digest:
    """`earlier` is what was summed up before, `entries` what came after it, oldest first.

    The answer may have `most` tokens. `ratio` is how many tokens the model counts for one of ours.
    """

    agent: Agent
    purpose: Purpose
    instruction: str
    earlier: object
    entries: Sequence[Entry]
    most: int
    ratio: float = 1.0
    conversation: str = ""

    def request(self, entry: ModelEntry, *, share: float, seconds: float) -> ModelRequest:
        """With the newest entries that fit that `share` of the model's window."""
        most = min(self.most, window_of(entry.window, self.agent.context) // 4)
        told: list[Entry] = []
        left = self._room(entry, share, most)
        for one in reversed(self.entries):
            left -= tokens(json.dumps(one, ensure_ascii=False))
            if left < 0:
                break
            told.insert(0, one)
        text = json.dumps({"earlier": self.earlier, "transcript": told}, ensure_ascii=False)
        return ModelRequest(
            model=entry.id,
            instruction=self.instruction,
            messages=(UserMessage(text),),
            inference=replace(self.agent.inference, maximum_length=most, stop_sequences=()),
            timeout_seconds=seconds,
            purpose=self.purpose,
            conversation=self.conversation,
        )

    def _room(self, entry: ModelEntry, share: float, most: int) -> int:
        window = window_of(entry.window, self.agent.context)
        given = tokens(self.instruction) + tokens(json.dumps(self.earlier, ensure_ascii=False))
        return int((window * share * (1 - MARGIN) - most) / self.ratio) - given


def entries(turns: Sequence[History]) -> list[Entry]:
    """What was said and done in them, long texts cut. Each has the name by which the model knows it."""
    return [entry for turn in turns for entry in _entries(turn)]


def _entries(turn: History) -> Iterator[Entry]:
    if not turn.laps or turn.laps[0].lap == 1:
        yield {"id": f"t{turn.run.turn}", "user": _cut(turn.run.input, TEXT_TOKENS)}
    for lap in turn.laps:
        calls = [_call(turn, lap, i) for i in range(len(lap.calls))]
        told: Entry = {"id": f"t{turn.run.turn}-l{lap.lap}", "assistant": _cut(lap.text, TEXT_TOKENS)}
        yield told | ({"calls": calls} if calls else {})


def _call(turn: History, lap: Lap, i: int) -> Entry:
    outcome = context.outcome(turn, lap, i)
    return {
        "id": outcome.id,
        "tool": lap.calls[i].name,
        "arguments": _cut(lap.calls[i].arguments, ARGUMENTS_TOKENS),
        "result": _cut(outcome.content, RESULT_TOKENS),
    }


def _cut(text: str, most: int) -> str:
    shown = first_tokens(text, most)
    return text if len(shown) == len(text) else f"{shown}… ({len(text):,} characters)"
