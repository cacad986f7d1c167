"""Many messages at once to one session of the local stack, and what must have become of them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from freehold_client import Run
from model_server import Reply, say
from product_stack import Product


@dataclass(frozen=True, slots=True)
class Crowd:
    """`texts` were sent, and each was answered with the id of a run; `runs` are those of the session, by turn."""

    texts: tuple[str, ...]
    answered: tuple[str, ...]
    runs: tuple[Run, ...]

    @property
    def problems(self) -> tuple[str, ...]:
        """Nothing, where each message has one run and the runs went one after the other."""
        return tuple(self._problems())

    def _problems(self) -> Iterator[str]:
        if sorted(run.run_id for run in self.runs) != sorted(self.answered):
            yield f"{len(self.answered)} messages were taken, and the session has {len(self.runs)} other runs"
        if len(set(self.answered)) < len(self.texts):
            yield "two messages were answered with the same run"
        for run, text in zip(self.runs, self._inputs, strict=True):
            if run.status != "COMPLETED" or run.output != f"You said: {text}":
                yield f"{run.run_id} ended as {run.status} with {run.output!r}, and was asked {text!r}"
        for before, after in pairwise(self.runs):
            if _finished(before) > _started(after):
                yield f"{after.run_id} began before {before.run_id} had ended"

    @property
    def _inputs(self) -> list[str]:
        by_run = dict(zip(self.answered, self.texts, strict=True))
        return [by_run.get(run.run_id, "") for run in self.runs]


def crowd(product: Product, agent: str, messages: int) -> Crowd:
    """Send so many messages at once to a new session, and wait for the last run's end."""
    session = f"busy-{uuid.uuid4().hex[:10]}"
    texts = tuple(f"message {number} of {session}" for number in range(messages))

    def send(text: str) -> str:
        return product.api.runs.start(agent, text, session_id=session, when_busy="enqueue").run_id

    with ThreadPoolExecutor(messages) as pool:
        answered = tuple(pool.map(send, texts))
    runs = tuple(product.api.runs.wait(run_id) for run_id in sorted(answered, key=_turn))
    listed = {run.run_id for run in product.api.runs.list(session_id=session)}
    others = tuple(product.api.runs.get(run_id) for run_id in listed - set(answered))
    return Crowd(texts, answered, tuple(sorted((*runs, *others), key=lambda run: _turn(run.run_id))))


def echo(request: dict[str, Any]) -> Reply:
    """The model's answer to the last message."""
    asked: Sequence[dict[str, Any]] = [each for each in request["messages"] if each["role"] == "user"]
    return say(f"You said: {asked[-1]['content']}")


def _turn(run_id: str) -> int:
    return int(run_id.rpartition("-")[2])


def _started(run: Run) -> str:
    return str(run.wire["startedAt"])


def _finished(run: Run) -> str:
    return str(run.wire["finishedAt"])
