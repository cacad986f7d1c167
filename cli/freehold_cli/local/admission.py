"""How much the local stack takes on at once. What is beyond it is refused before anything was done for it.

On AWS the API's throttling does this, with the same answer.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, cast

import httpx

# A burst of so many is answered within seconds. A request with `waitSeconds` keeps its place until it is answered.
REQUESTS_AT_ONCE = 32
# Beyond these they only wait for each other: a function has four processes.
EXECUTIONS_AT_ONCE = 128
# Of the paths that begin runs.
BEGINNINGS = ("/runs", "/replays")
_COUNTED_EVERY_SECONDS = 0.5
_PATIENCE_SECONDS = 5.0


class TooBusy(Exception):
    """The request may come again in a second or so."""


class Admission:
    """Counts the requests that are being answered, and asks now and then how many `executions` run."""

    def __init__(
        self, executions: Callable[[], Awaitable[int]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._executions = executions
        self._clock = clock
        self._requests = self._running = 0
        self._count_again_at = 0.0

    @contextlib.asynccontextmanager
    async def admitted(self, method: str, path: str) -> AsyncGenerator[None]:
        """Raises `TooBusy`. What begins no run is let in however many there are: it may look after them."""
        begins = method == "POST" and path.rstrip("/").endswith(BEGINNINGS)
        if begins:
            await self._count()
        if begins and self._running >= EXECUTIONS_AT_ONCE:
            raise TooBusy(f"{self._running} executions run already, and here at most {EXECUTIONS_AT_ONCE} do")
        if self._requests >= REQUESTS_AT_ONCE:
            raise TooBusy(f"{self._requests} requests are being answered already, and here that is the most")
        self._requests += 1
        try:
            yield
        finally:
            self._requests -= 1

    async def _count(self) -> None:
        now = self._clock()
        if now < self._count_again_at:
            return
        # Those who come meanwhile go by the last count.
        self._count_again_at = now + _PATIENCE_SECONDS
        try:
            self._running = await self._executions()
        except httpx.ConnectError:
            # There is no local AWS, as whoever is let in will be told.
            self._running = 0
        except httpx.HTTPError:
            # It has too much to do to count, so what it said last holds.
            pass
        self._count_again_at = self._clock() + _COUNTED_EVERY_SECONDS


def executions_of(aws_url: str, client: httpx.AsyncClient) -> Callable[[], Awaitable[int]]:
    """Counts the executions that run on the local AWS, up to the bound. Raises `httpx.HTTPError`."""

    async def count() -> int:
        # Of all state machines, which AWS itself would want to be named.
        answer = await client.post(
            aws_url,
            json={"statusFilter": "RUNNING", "maxResults": EXECUTIONS_AT_ONCE},
            headers={"X-Amz-Target": "AWSStepFunctions.ListExecutions"},
            timeout=_PATIENCE_SECONDS,
        )
        answer.raise_for_status()
        return len(cast("list[Any]", answer.json()["executions"]))

    return count
