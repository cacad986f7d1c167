"""API keys over HTTP."""

from __future__ import annotations

from .. import wiring
from ..adapters.claims import Claim
from . import requests, shapes
from .caller import Caller
from .shapes import Json

DAY = 86_400
ID_LENGTH = 12


def create(caller: Caller, body: str | None, claim: Claim) -> Json:
    """The one answer that holds the key's text. Its id follows from the claim."""
    caller.needs("admin")
    asked = requests.read(requests.KeyBody, requests.document(body))
    now = wiring.now() // 1000
    expires = now + asked.expiresInDays * DAY if asked.expiresInDays else None
    made = wiring.api_keys().create(
        tenant=caller.tenant,
        name=asked.name,
        scopes=asked.scopes,
        now=now,
        by=caller.principal,
        expires_at=expires,
        key_id=claim.id[:ID_LENGTH],
        again=claim.again,
    )
    return shapes.key_shape(made.key) | {"key": made.text}


def without_text(shape: Json) -> Json:
    """What may be kept, and is told again."""
    return {name: value for name, value in shape.items() if name != "key"}


def listed(caller: Caller, query: dict[str, str] | None) -> Json:
    tenant = caller.needs("admin").tenant
    asked = requests.read_list_query(query)
    found, token = wiring.api_keys().list(tenant, limit=asked.limit, token=asked.nextToken)
    return shapes.page({"keys": [shapes.key_shape(key) for key in found]}, token)


def revoke(caller: Caller, key_id: str) -> None:
    wiring.api_keys().revoke(caller.needs("admin").tenant, key_id)
