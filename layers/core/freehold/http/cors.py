"""What a browser is told about an answer, so that a page of another origin may read it."""

from __future__ import annotations

from .. import wiring

SENT = ("Idempotency-Key", "If-Match", "If-None-Match", "Last-Event-ID")
READ = ("ETag", "Retry-After", "x-request-id")


def headers(origin: str | None) -> dict[str, str]:
    """Nothing where the origin is none of the stack's."""
    allowed = wiring.allowed_origin(origin)
    if allowed is None:
        return {}
    return {
        "Access-Control-Allow-Origin": allowed,
        "Access-Control-Expose-Headers": ",".join(READ),
        # The next page that asks may be another one's.
        "Vary": "Origin",
    }
