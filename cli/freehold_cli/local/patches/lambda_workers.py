"""How many execution environments there are, and how many start at once."""

from __future__ import annotations

import threading
import time
from importlib import import_module
from typing import Any

from freehold_cli.local.patches.upstream import expect, wrap

WORKERS_PER_FUNCTION = 4
STARTS_AT_ONCE = 2
# A function that invokes itself holds a worker while it waits for another: a call that has waited this long gets
# one beyond the bound, but only one call of a function in this time, so that a burst still finds the bound.
LONGEST_WAIT = 5.0


def bound_the_workers_of_a_function() -> None:
    """A call waits for a free worker instead of starting a fifth one.

    MiniStack starts one for each call in flight: a burst of cold runs takes gigabytes and minutes. Its own
    bound, the account's concurrency, answers with a throttle, which fails runs.
    """
    runtime = import_module("ministack.core.lambda_runtime")
    service = import_module("ministack.services.lambda_svc")
    freed = threading.Condition()
    exceeded: dict[str, float] = {}

    def may_exceed(function: str, waiting_since: float) -> bool:
        now = time.monotonic()
        if now - max(waiting_since, exceeded.get(function, 0.0)) < LONGEST_WAIT:
            return False
        exceeded[function] = now
        return True

    def acquire(
        original: Any, function: str, *code: Any, max_concurrency: int | None = None, **options: Any
    ) -> Any:
        bound = max_concurrency or WORKERS_PER_FUNCTION
        began = time.monotonic()
        with freed:
            while True:
                worker, why = original(function, *code, max_concurrency=bound, **options)
                if worker is not None:
                    return worker, why
                if may_exceed(function, began):
                    return original(function, *code, **options)
                freed.wait(0.1)

    def release(original: Any, worker: Any) -> None:
        original(worker)
        with freed:
            freed.notify_all()

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
