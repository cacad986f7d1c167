"""Many messages at once to one session, again and again, on a local stack of its own."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from crowds import crowd, echo
from product_stack import running_product


@dataclass(frozen=True, slots=True)
class Busy:
    """What came of so many rounds. `problems` says of each message that was lost, doubled or out of turn."""

    rounds: int
    messages: int
    runs: int
    problems: tuple[str, ...]


def busy(rounds: int, messages: int) -> Busy:
    """Each round writes to a session of its own."""
    runs, problems = 0, list[str]()
    with tempfile.TemporaryDirectory() as folder, running_product(Path(folder) / "home") as product:
        product.model.script([], then=echo)
        agent = product.agent(limits={"timeoutSeconds": 3600})
        for _ in range(rounds):
            made = crowd(product, agent, messages)
            runs += len(made.runs)
            problems += made.problems
    return Busy(rounds, messages, runs, tuple(problems))
