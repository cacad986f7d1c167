from __future__ import annotations

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor

from freehold_cli.local.patches.lambda_workers import Line

PATIENCE = 10.0


class Workers:
    """A function with one worker, and calls that wait for it in turn."""

    def __init__(self) -> None:
        self.line = Line()
        self.beyond = 0
        self._free = threading.Semaphore(1)
        self._pool = ThreadPoolExecutor(8)

    def call(self) -> Future[tuple[str, str]]:
        """Return once the call has its worker or waits, as far as can be seen."""
        before = len(self.line)
        call = self._pool.submit(self.line.worker, self._within_bound, self._beyond)
        until = time.monotonic() + 0.2
        while not call.done() and len(self.line) <= before and time.monotonic() < until:
            time.sleep(0.001)
        return call

    def come_free_unnoticed(self) -> None:
        self._free.release()

    def release(self) -> None:
        self.come_free_unnoticed()
        self.line.freed()

    def _within_bound(self) -> tuple[str | None, str]:
        return ("the worker", "reused") if self._free.acquire(blocking=False) else (None, "func_cap")

    def _beyond(self) -> tuple[str, str]:
        self.beyond += 1
        return "another worker", "spawn"


def test_calls_get_the_worker_in_the_order_in_which_they_came():
    workers, served = Workers(), list[str]()
    workers.call().result(PATIENCE)
    waiting = {name: workers.call() for name in ("first", "second", "third")}
    for name, call in waiting.items():
        call.add_done_callback(lambda _, name=name: served.append(name))

    for call in waiting.values():
        workers.release()
        call.result(PATIENCE)

    assert served == ["first", "second", "third"]
    assert workers.beyond == 0


def test_a_call_that_finds_a_free_worker_does_not_overtake_one_that_waits():
    workers = Workers()
    workers.call().result(PATIENCE)
    earlier = workers.call()

    workers.come_free_unnoticed()
    later = workers.call()
    workers.line.freed()

    assert earlier.result(PATIENCE) == ("the worker", "reused")
    workers.release()
    assert later.result(PATIENCE) == ("the worker", "reused")
