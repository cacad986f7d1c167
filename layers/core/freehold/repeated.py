"""A request that was sent before, under the same idempotency key."""

from __future__ import annotations

from .errors import IdempotencyKeyReused, RunErased
from .ports import Sessions
from .values.run import Run, RunKey


def run_under(
    tenant: str, idempotency: tuple[str, str] | None, sessions: Sessions, *, now: int
) -> Run | None:
    """The run that a request with this key and digest has begun, or has gone on with.

    Raises `IdempotencyKeyReused` where that was another request, and `RunErased` where the run has been.
    """
    if idempotency is None:
        return None
    name, digest = idempotency
    used = sessions.idempotent_run(tenant, name, now=now)
    if used is None:
        return None
    run_id, known = used
    if digest != known:
        raise IdempotencyKeyReused("this Idempotency-Key was used for another request")
    key = RunKey.parse(tenant, run_id)
    run = sessions.run(key) if key else None
    if run is None:
        raise RunErased("the run that this Idempotency-Key began has been erased")
    return run
