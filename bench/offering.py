"""Runs offered to a stack at a steady rate, whatever it answers, and what became of them."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import httpx

SESSIONS = 200
PATIENCE_SECONDS = 60.0
ACCEPTED, REFUSED = 202, (429, 503)


@dataclass(frozen=True, slots=True)
class Sent:
    """One `POST …/runs`. `number` is its input; `status` 0 where no answer came."""

    number: int
    session: str
    status: int
    seconds: float
    run_id: str = ""
    retry_after: bool = False


@dataclass(frozen=True, slots=True)
class Offered:
    """`left` is what there was still to do when the time was over: requests to answer, and runs that had not ended."""

    rate: float
    seconds: float
    sent: tuple[Sent, ...]
    left: int

    @property
    def accepted(self) -> list[Sent]:
        return [each for each in self.sent if each.status == ACCEPTED]

    @property
    def refused(self) -> list[Sent]:
        return [each for each in self.sent if each.status in REFUSED]

    @property
    def problems(self) -> tuple[str, ...]:
        """What was answered neither with a run nor with when to come again."""
        bare = [each for each in self.refused if not each.retry_after]
        others = Counter(each.status for each in self.sent if each.status not in (ACCEPTED, *REFUSED))
        told = [
            f"{count:,} answers {status or 'that never came'}" for status, count in sorted(others.items())
        ]
        return (*told, *([f"{len(bare):,} refusals without Retry-After"] if bare else []))

    @staticmethod
    def percentile(of: Sequence[Sent], share: float) -> float:
        """Seconds from request to answer."""
        took = sorted(each.seconds for each in of)
        return took[min(len(took) - 1, int(share * len(took)))] if took else 0.0


def offer(
    url: str, key: str, agent: str, *, rate: float, seconds: float, first: int, still_open: Callable[[], int]
) -> Offered:
    """Begin `rate` runs a second, in turn over the sessions; `first` numbers the first one's input.

    A request goes out when its time has come, whether those before it are answered or not.
    """
    return asyncio.run(_offer(url, key, agent, rate, seconds, first, still_open))


async def _offer(
    url: str, key: str, agent: str, rate: float, seconds: float, first: int, still_open: Callable[[], int]
) -> Offered:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=200)
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(
        base_url=url, headers=headers, limits=limits, timeout=PATIENCE_SECONDS, trust_env=False
    ) as client:
        began, asked = time.monotonic(), list[asyncio.Task[Sent]]()
        for number in range(first, first + int(rate * seconds)):
            await asyncio.sleep(max(0.0, began + (number - first) / rate - time.monotonic()))
            asked.append(asyncio.create_task(_ask(client, agent, number)))
        await asyncio.sleep(max(0.0, began + seconds - time.monotonic()))
        unanswered = sum(not each.done() for each in asked)
        left = unanswered + await asyncio.to_thread(still_open)
        return Offered(rate, seconds, tuple(await asyncio.gather(*asked)), left)


async def _ask(client: httpx.AsyncClient, agent: str, number: int) -> Sent:
    session, began = f"load-{number % SESSIONS}", time.monotonic()
    body = {"input": f"Hello {number}", "sessionId": session, "whenBusy": "enqueue"}
    try:
        answer = await client.post(
            f"/agents/{agent}/runs", json=body, headers={"Idempotency-Key": f"load-{number}"}
        )
    except httpx.HTTPError:
        return Sent(number, session, 0, time.monotonic() - began)
    took = time.monotonic() - began
    run_id = answer.json()["runId"] if answer.status_code == ACCEPTED else ""
    return Sent(number, session, answer.status_code, took, run_id, "retry-after" in answer.headers)


@dataclass(frozen=True, slots=True)
class Done:
    """A run as the list of runs shows it."""

    run_id: str
    session: str
    input: str
    status: str
    started_at: str
    finished_at: str


def wrongs(accepted: Sequence[Sent], unsure: Sequence[Sent], runs: Sequence[Done]) -> tuple[str, ...]:
    """Runs that were lost, doubled, failed or out of turn. An `unsure` request may have begun one, and may not."""
    by_id = {run.run_id: run for run in runs}
    inputs = Counter(run.input for run in runs)
    allowed = {f"Hello {each.number}" for each in (*accepted, *unsure)}
    found = [f"lost: {each.run_id}" for each in accepted if each.run_id not in by_id]
    found += [f"begun {count} times: {text}" for text, count in inputs.items() if count > 1]
    found += [f"nobody was told of: {run.run_id}" for run in runs if run.input not in allowed]
    found += [f"{run.status}: {run.run_id}" for run in runs if run.status != "COMPLETED"]
    return tuple(found + _out_of_turn(runs))


def _out_of_turn(runs: Sequence[Done]) -> list[str]:
    by_session: dict[str, list[Done]] = {}
    for run in sorted(runs, key=lambda run: int(run.run_id.rpartition("-")[2])):
        by_session.setdefault(run.session, []).append(run)
    return [
        f"overtook the turn before it: {later.run_id}"
        for turns in by_session.values()
        for earlier, later in pairwise(turns)
        if later.started_at < earlier.finished_at
    ]
