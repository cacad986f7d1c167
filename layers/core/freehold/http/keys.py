"""API keys over HTTP."""

from __future__ import annotations

from .. import wiring
from . import requests, shapes
from .caller import Caller
from .shapes import Json

DAY = 86_400


def create(caller: Caller, body: str | None) -> Json:
    """The one answer that holds the key's text."""
    caller.needs("admin")
    asked = requests.read(requests.KeyBody, requests.document(body))
    now = wiring.now() // 1000
    expires = now + asked.expiresInDays * DAY if asked.expiresInDays else None
    made = wiring.api_keys().create(
        tenant=caller.tenant, name=asked.name, scopes=asked.scopes, now=now, expires_at=expires
    )
    return shapes.key_shape(made.key) | {"key": made.text}


def listed(caller: Caller) -> Json:
    return {"keys": [shapes.key_shape(key) for key in wiring.api_keys().list(caller.needs("admin").tenant)]}


def revoke(caller: Caller, key_id: str) -> None:
    wiring.api_keys().revoke(caller.needs("admin").tenant, key_id)
