"""Web pages that may call the API from a browser."""

from __future__ import annotations

from .clients import setting


def allowed_origin(origin: str | None) -> str | None:
    """The origin, where the stack allows its pages to read answers."""
    allowed = setting("ALLOWED_ORIGINS").split(",")
    return origin if origin and (origin in allowed or "*" in allowed) else None
