"""Requests under idempotency keys."""

from __future__ import annotations

from ..adapters.claims import Claims
from . import sessions_table


def claims() -> Claims:
    return Claims(sessions_table())
