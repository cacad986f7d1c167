"""Requests under idempotency keys."""

from __future__ import annotations

from ..adapters.claims import Claims
from ..adapters.table import Table
from .clients import client, setting


def claims() -> Claims:
    return Claims(Table(client("dynamodb"), setting("SESSIONS_TABLE")))
