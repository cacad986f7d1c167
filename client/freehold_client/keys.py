"""API keys: made, listed and revoked. The text of a key is told once, when it is made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .connection import Connection, pages, segment
from .items import Principal, Wire
from .reading import mapping, text, text_or_none, texts


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key without its text, except in the answer that made it."""

    key_id: str
    name: str = ""
    scopes: tuple[str, ...] = ()
    created_at: str = ""
    created_by: Principal | None = None
    expires_at: str | None = None
    key: str | None = field(default=None, repr=False)
    wire: Wire = field(default_factory=Wire, repr=False, compare=False)

    @classmethod
    def read(cls, wire: Mapping[str, Any]) -> Key:
        return cls(
            key_id=text(wire, "keyId"),
            name=text(wire, "name"),
            scopes=texts(wire, "scopes"),
            created_at=text(wire, "createdAt"),
            created_by=Principal.read(mapping(wire, "createdBy")),
            expires_at=text_or_none(wire, "expiresAt"),
            key=text_or_none(wire, "key"),
            wire=dict(wire),
        )


class Keys:
    """Needs a key with scope `admin`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(
        self,
        name: str,
        scopes: Sequence[str],
        *,
        expires_in_days: int | None = None,
        idempotency_key: str | None = None,
    ) -> Key:
        """With an `idempotency_key` a repeat makes no second key, and is not told the first one's text again."""
        body: dict[str, Any] = {"name": name, "scopes": list(scopes)}
        if expires_in_days is not None:
            body["expiresInDays"] = expires_in_days
        _, wire = self._connection.request("POST", "/keys", body, idempotency_key=idempotency_key)
        return Key.read(wire)

    def list(self) -> Iterator[Key]:
        return (Key.read(wire) for wire in pages(self._connection, "/keys", "keys"))

    def revoke(self, key_id: str) -> None:
        """From then on the key is refused; an answer that was cached for it lasts up to a minute."""
        self._connection.request("DELETE", f"/keys/{segment(key_id)}")
