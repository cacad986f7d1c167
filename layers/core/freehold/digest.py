"""A request to sum up a part of a conversation: its content as JSON, which no text in it can break out of."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from . import context
from .tokens import first_tokens, tokens
from .value import Value, replace
from .values.agent import Agent, Inference
from .values.history import History
from .values.model import ModelEntry, ModelRequest, Purpose, UserMessage
from .values.run import Lap
from .window import MARGIN, window_of

Entry = dict[str, Any]


class Cuts(Value):
    """At how many tokens what users and models said, what tools answered and what they were asked is cut."""

    text: int
    result: int
    arguments: int


# Tried in turn until all of it fits. What people said goes last.
CUTS = (
    Cuts(20_000, 2_000, 500),
    Cuts(6_000, 300, 150),
    Cuts(1_500, 100, 50),
    Cuts(500, 0, 0),
    Cuts(100, 0, 0),
)
# Texts are prepared (secrets taken out) before they are cut: a part of a secret does not look like one.
PREPARED = 4


def as_it_is(text: str) -> str:
    return text


class Digest(Value):
    """`earlier` is what was summed up before, `turns` what came after it.

    The answer may have `most` tokens. `ratio` is how many tokens the model counts for one of ours. `prepare` is done
    to every text.
    """

    agent: Agent
    purpose: Purpose
    instruction: str
    earlier: object
    turns: Sequence[History]
    most: int
    ratio: float = 1.0
    prepare: Callable[[str], str] = as_it_is

    def request(self, entry: ModelEntry, *, share: float, seconds: float) -> ModelRequest:
        """With all of the turns, cut as far as they have to be for that `share` of the model's window."""
        transcript = fitted(self.turns, self.room(entry, share=share), self.prepare)
        text = json.dumps({"earlier": self.earlier, "transcript": transcript}, ensure_ascii=False)
        return ModelRequest(
            model=entry.id,
            instruction=self.instruction,
            messages=(UserMessage(text),),
            inference=_plain(self.agent.inference, self._answer(entry)),
            timeout_seconds=seconds,
            purpose=self.purpose,
        )

    def room(self, entry: ModelEntry, *, share: float = 1.0) -> int:
        """What the transcript may have, in our tokens."""
        window = window_of(entry.window, self.agent.context)
        given = tokens(self.instruction) + tokens(json.dumps(self.earlier, ensure_ascii=False))
        return int((window * share * (1 - MARGIN) - self._answer(entry)) / self.ratio) - given

    def _answer(self, entry: ModelEntry) -> int:
        return min(self.most, window_of(entry.window, self.agent.context) // 4)


def _plain(inference: Inference, most: int) -> Inference:
    """The agent's own settings, which its models take; little thinking, for that counts as answer, too."""
    effort = None if inference.reasoning_effort is None else "low"
    return replace(inference, maximum_length=most, stop_sequences=(), reasoning_effort=effort)


def fitted(turns: Sequence[History], room: int, prepare: Callable[[str], str] = as_it_is) -> list[Entry]:
    """All of them, with longer texts cut the less room there is; at last the oldest are left out."""
    told: list[Entry] = []
    for cuts in CUTS:
        told = entries(turns, cuts, prepare)
        if sum(map(size, told)) <= room:
            return told
    while told and sum(map(size, told)) > room:
        told = told[len(told) // 10 + 1 :]
    return told


def portion(turns: Sequence[History], room: int, prepare: Callable[[str], str]) -> Sequence[History]:
    """The oldest of the turns that fit without being cut much; one at least."""
    for number, turn in enumerate(turns):
        room -= sum(map(size, entries((turn,), CUTS[1], prepare)))
        if room < 0:
            return turns[: max(1, number)]
    return turns


def size(entry: Entry) -> int:
    """Its tokens in the request."""
    return tokens(json.dumps(entry, ensure_ascii=False)) + 1


def entries(turns: Sequence[History], cuts: Cuts, prepare: Callable[[str], str] = as_it_is) -> list[Entry]:
    """What was said and done in those that began. Each has the name by which the model knows it."""
    return [entry for turn in context.begun(turns) for entry in _entries(turn, cuts, prepare)]


def _entries(turn: History, cuts: Cuts, prepare: Callable[[str], str]) -> Iterator[Entry]:
    if not turn.laps or turn.laps[0].lap == 1:
        yield {"id": f"t{turn.run.turn}", "user": _cut(turn.run.input, cuts.text, prepare)}
    for lap in turn.laps:
        calls = [_call(turn, lap, i, cuts, prepare) for i in range(len(lap.calls))]
        told: Entry = {"id": f"t{turn.run.turn}-l{lap.lap}", "assistant": _cut(lap.text, cuts.text, prepare)}
        yield told | ({"calls": calls} if calls else {})


def _call(turn: History, lap: Lap, i: int, cuts: Cuts, prepare: Callable[[str], str]) -> Entry:
    outcome = context.outcome(turn, lap, i)
    return {
        "id": outcome.id,
        "tool": lap.calls[i].name,
        "arguments": _cut(lap.calls[i].arguments, cuts.arguments, prepare),
        "result": _cut(outcome.content, cuts.result, prepare),
    }


def _cut(text: str, most: int, prepare: Callable[[str], str]) -> str:
    taken = first_tokens(text, PREPARED * most + 100)
    prepared = prepare(taken)
    shown = first_tokens(prepared, most)
    if len(taken) == len(text) and len(shown) == len(prepared):
        return prepared
    return f"{shown}… ({len(text):,} characters)"
