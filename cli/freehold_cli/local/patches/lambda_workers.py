"""How many execution environments there are, and how many start at once."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

from freehold_cli.local.patches.upstream import expect, wrap

WORKERS_PER_FUNCTION = 4
STARTS_AT_ONCE = 2
# A function that invokes itself holds a worker while it waits for another. Where none has come free for this long, a
# call gets one beyond the bound; under load they come free all the time, so that it still finds the bound.
LONGEST_WAIT = 5.0
# A call that waits is woken when a worker comes free, and looks by itself for those that went another way.
LOOKS_EVERY = 0.5
NO_WORKER = (None, "")


class Line:
    """The calls of one function that wait for a worker: whoever came first gets the first one that comes free."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[threading.Condition] = deque()
        # When a worker last came free, or was made beyond the bound.
        self._moved = 0.0

    def __len__(self) -> int:
        return len(self._waiting)

    def worker(self, within_bound: Callable[[], Any], beyond: Callable[[], Any]) -> Any:
        """What `within_bound` finds once it finds one; one from `beyond` where nothing moves."""
        with self._lock:
            turn, began = threading.Condition(self._lock), time.monotonic()
            self._waiting.append(turn)
            try:
                while True:
                    found = within_bound() if self._waiting[0] is turn else NO_WORKER
                    if found[0] is not None:
                        return found
                    if self._is_stuck(began):
                        return beyond()
                    turn.wait(LOOKS_EVERY)
            finally:
                self._waiting.remove(turn)
                self._call_next()

    def freed(self) -> None:
        with self._lock:
            self._moved = time.monotonic()
            self._call_next()

    def _call_next(self) -> None:
        if self._waiting:
            self._waiting[0].notify()

    def _is_stuck(self, waiting_since: float) -> bool:
        now = time.monotonic()
        if now - max(waiting_since, self._moved) < LONGEST_WAIT:
            return False
        self._moved = now
        return True


def bound_the_workers_of_a_function() -> None:
    """A call waits for a free worker instead of starting a fifth one.

    MiniStack starts one for each call in flight: a burst of cold runs takes gigabytes and minutes. Its own
    bound, the account's concurrency, answers with a throttle, which fails runs.
    """
    runtime = import_module("ministack.core.lambda_runtime")
    service = import_module("ministack.services.lambda_svc")
    lines: dict[str, Line] = {}

    def acquire(
        original: Any, function: str, *code: Any, max_concurrency: int | None = None, **options: Any
    ) -> Any:
        bound = max_concurrency or WORKERS_PER_FUNCTION
        within_bound = partial(original, function, *code, max_concurrency=bound, **options)
        beyond = partial(original, function, *code, **options)
        return lines.setdefault(function, Line()).worker(within_bound, beyond)

    def release(original: Any, worker: Any) -> None:
        original(worker)
        if worker is not None:
            lines.setdefault(worker.func_name, Line()).freed()

    for name, wrapper in (("acquire_worker", acquire), ("release_worker", release)):
        imported = getattr(service, name) is getattr(runtime, name)
        expect(imported, f"lambda_svc no longer imports {name} from lambda_runtime")
        wrap(runtime, name, wrapper, reads=("worker.in_use = ",))
        setattr(service, name, getattr(runtime, name))


def start_few_workers_at_once() -> None:
    """Workers start two at a time: imports keep a core busy, and ten at once end later than in turn."""
    gate = threading.BoundedSemaphore(STARTS_AT_ONCE)

    def spawn(original: Any, worker: Any) -> None:
        with gate:
            original(worker)

    runtime = import_module("ministack.core.lambda_runtime")
    wrap(runtime.Worker, "_spawn", spawn, reads=("subprocess.Popen(",))
