"""The steady rate that a local stack holds, and three times of it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.machine import Watch
from bench.offering import ACCEPTED, REFUSED, Done, Offered, offer, wrongs
from freehold.adapters import keys
from freehold.adapters.api_keys import SCOPES, ApiKeys
from freehold.adapters.table import Table
from freehold.ports import SHARDS
from freehold_client import Freehold
from product_stack import TENANT, Product, running_product

RATES = range(8, 41, 4)
TRIAL_SECONDS, HELD_SECONDS, PRESSED_SECONDS = 20.0, 300.0, 120.0
PRESSED = 3.0
WARMING_RATES = (RATES[0], 2 * RATES[0], 2 * RATES[0])
# Of a rate that was too high, so much of what was taken is tried next: nobody is refused only where there is some air.
SLACK = 0.9
# A rate is held where no more is left to do at the end than what began in so many seconds.
BEHIND_SECONDS = 3.0
DRAIN_SECONDS = 1_800.0
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Phase:
    """The last run ended `drained` seconds after the last answer."""

    offered: Offered
    watch: Watch
    drained: float
    wrongs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Held:
    steady: Phase
    pressed: Phase


@dataclass
class Bench:
    """One stack under load. `numbered` counts the runs that were offered so far."""

    product: Product
    key: str
    agent: str
    numbered: int = 0

    def phase(self, rate: float, seconds: float) -> Phase:
        info = self.product.stack.running()
        assert info is not None
        with Watch(info) as watch:
            offered = self.offer(rate, seconds)
        drained = self.drain()
        unsure = [each for each in offered.sent if each.status not in (ACCEPTED, *REFUSED)]
        return Phase(offered, watch, drained, wrongs(offered.accepted, unsure, self._runs(offered)))

    def offer(self, rate: float, seconds: float) -> Offered:
        first, self.numbered = self.numbered, self.numbered + int(rate * seconds)
        return offer(
            f"{self.product.url}/v1",
            self.key,
            self.agent,
            rate=rate,
            seconds=seconds,
            first=first,
            still_open=self._open,
        )

    def drain(self) -> float:
        began = time.monotonic()
        while self._open() and time.monotonic() - began < DRAIN_SECONDS:
            time.sleep(0.5)
        return time.monotonic() - began

    def _open(self) -> int:
        """Runs that have not ended, or whose end is not told yet."""
        table = self.product.outputs["SessionsTable"]
        pages = self.product.aws("dynamodb").get_paginator("query")
        found = 0
        for shard in range(SHARDS):
            asked = pages.paginate(
                TableName=table,
                IndexName="OpenRuns",
                KeyConditionExpression="open_shard = :shard",
                ExpressionAttributeValues={":shard": {"S": keys.open_runs(shard)}},
            )
            found += sum(len(page["Items"]) for page in asked)
        return found

    def _runs(self, offered: Offered) -> list[Done]:
        """Those of this phase: its inputs are numbered."""
        numbers = {f"Hello {each.number}" for each in offered.sent}
        return [run for run in self._listed() if run.input in numbers]

    def _listed(self) -> Iterator[Done]:
        with Freehold(self.product.url, self.key) as api:
            for run in api.runs.list(agent=self.agent):
                yield Done(
                    run.run_id,
                    run.session_id,
                    run.input,
                    run.status,
                    run.started_at or "",
                    run.finished_at or "",
                )


def measure(progress: Progress) -> Held:
    with _warm_stack() as bench:
        rate = _highest(bench, progress)
    while True:
        # A stack of its own for each: this one's tables are full of what the last one held.
        with _warm_stack() as bench:
            progress(f"{rate:g} runs a second for {HELD_SECONDS:g} s")
            steady = bench.phase(rate, HELD_SECONDS)
            if is_held(steady.offered) or rate <= RATES[0]:
                progress(f"{PRESSED:g} times of it for {PRESSED_SECONDS:g} s")
                return Held(steady, bench.phase(rate * PRESSED, PRESSED_SECONDS))
        taken = len(steady.offered.accepted) / HELD_SECONDS
        rate = min(rate - 1, int(taken * SLACK))


@contextmanager
def _warm_stack() -> Generator[Bench]:
    with (
        tempfile.TemporaryDirectory() as folder,
        running_product(Path(folder) / "home", ModelSource="rehearsal") as product,
    ):
        table = Table(product.stack.aws.client("dynamodb"), product.outputs["AgentsTable"])
        key = ApiKeys(table).create(tenant=TENANT, name="load", scopes=SCOPES, now=int(time.time())).text
        product.api.agents.apply(
            {
                "agentName": "greeter",
                "foundationModel": {"model": "any", "api": "rehearsal"},
                "instruction": "Greet.",
            }
        )
        bench = Bench(product, key, "greeter")
        # Workers start and import, as many of them as there may be.
        for rate in WARMING_RATES:
            bench.offer(rate, TRIAL_SECONDS)
            bench.drain()
        yield bench


def is_held(offered: Offered) -> bool:
    return not offered.refused and offered.left <= offered.rate * BEHIND_SECONDS


def _highest(bench: Bench, progress: Progress) -> float:
    """The last of the rates that is held for a moment, up to the first one that is not."""
    highest = RATES[0]
    for rate in RATES:
        progress(f"{rate} runs a second for {TRIAL_SECONDS:g} s")
        offered = bench.offer(rate, TRIAL_SECONDS)
        bench.drain()
        if not is_held(offered):
            break
        highest = rate
    return highest
