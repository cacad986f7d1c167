"""What begins runs by itself."""

from __future__ import annotations

from typing import Any, Literal

from ..value import Value
from .run import Principal


class Trigger(Value):
    """A schedule, or a pattern that events match: one of both is there. Each time, `input` becomes a run's.

    `schedule` is `rate(…)`, `cron(…)` or `at(…)` as EventBridge Scheduler has it, in `time_zone`. In `input`,
    `session_id` and `memory_id`, `{{detail.orderId}}` stands for what the event has there. `set_by` tells those that
    stand in an agent's configuration, and go with it, from those that were added one by one. Times are epoch
    milliseconds; `once_at` is that of a schedule that comes due once. `armed` names what AWS has taken to make it go
    off, once it has.
    """

    tenant: str
    trigger_id: str
    agent: str
    input: str
    set_by: Literal["agent", "api"]
    created_by: Principal
    created_at: int
    schedule: str | None = None
    time_zone: str = "UTC"
    event_pattern: dict[str, Any] | None = None
    alias: str | None = None
    session_id: str | None = None
    memory_id: str | None = None
    once_at: int | None = None
    armed: str | None = None
