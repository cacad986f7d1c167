"""Short-lived tokens for whoever has AWS credentials, in place of keys that have to be kept somewhere."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from .connection import Connection
from .items import Wire
from .reading import text, texts

# URL and body of a POST; gives the headers of its signature.
Sign = Callable[[str, bytes], Mapping[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What the stack knows an AWS principal by, for an hour."""

    token: str = field(repr=False)
    expires_at: str = ""
    tenant: str = ""
    principal: str = ""
    scopes: tuple[str, ...] = ()
    wire: Wire = field(default_factory=Wire, repr=False, compare=False)

    @classmethod
    def read(cls, wire: Mapping[str, Any]) -> Token:
        return cls(
            token=text(wire, "token"),
            expires_at=text(wire, "expiresAt"),
            tenant=text(wire, "tenant"),
            principal=text(wire, "principal"),
            scopes=texts(wire, "scopes"),
            wire=dict(wire),
        )


def aws_token(
    url: str,
    sign: Sign,
    scopes: Sequence[str] | None = None,
    transport: httpx.BaseTransport | None = None,
    timeout: float = 30.0,
) -> Token:
    """A token of the stack at `url`, with some of the principal's scopes or all.

    `sign` is Signature Version 4 for the service `execute-api`. Raises `Unauthorized` where nobody has let it in.
    """
    connection = Connection(url, "", transport, timeout)
    try:
        body = json.dumps({"scopes": list(scopes)} if scopes else {}).encode()
        return Token.read(connection.signed("/auth/token", body, sign))
    finally:
        connection.close()
