"""The keys that an OIDC issuer signs with, read from its own documents and kept for a while.

OpenID Connect Discovery 1.0 (4.3), RFC 7517. What a token says of keys (`jku`, `jwk`, `x5u`, `x5c`) is never looked at.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any, cast

import jwt
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from .. import web_address
from ..errors import IssuerUnavailable, OutcomeUnknown, ToolFailed, ToolUnavailable
from ..value import Value
from .egress import Pinned
from .http_exchange import Exchange, Outgoing

# After so long a key that has left the issuer's set opens nothing any more.
FRESH_SECONDS = 600
# While the issuer does not answer, its keys are taken for so long.
KEPT_SECONDS = 3600
# An unknown key is asked for at most so often: anybody can make one up.
BETWEEN_SECONDS = 30
# For both documents together: whoever asks for the keys has ten.
READ_SECONDS = 5.0
LEAST_RSA_BITS = 2048

Get = Callable[[str, float], bytes]


class IssuerKey(Value):
    """A public key, and what it may have signed with: the kind of key decides that, not the token."""

    key: Any
    algorithms: tuple[str, ...]


class IssuerKeys:
    """Keys by their `kid`. `get` reads a document within so many seconds; `clock` is in seconds."""

    def __init__(self, issuer: str, get: Get, clock: Callable[[], float] = time.time) -> None:
        self._issuer, self._get, self._clock = issuer, get, clock
        self._keys: dict[str, IssuerKey] = {}
        self._read_at = self._tried_at = float("-inf")
        self._away = False

    def find(self, kid: str) -> IssuerKey | None:
        """None where the issuer has no such key. Raises `IssuerUnavailable`."""
        now = self._clock()
        due = kid not in self._keys or now >= self._read_at + FRESH_SECONDS
        if due and now >= self._tried_at + BETWEEN_SECONDS:
            self._tried_at = now
            try:
                self._keys, self._read_at, self._away = self._read(), now, False
            except IssuerUnavailable:
                self._away = True
                if self._is_unsure(kid, now):
                    raise
        if self._is_unsure(kid, now):
            raise IssuerUnavailable(f"the keys of {self._issuer} could not be had a moment ago")
        return self._keys.get(kid)

    def _is_unsure(self, kid: str, now: float) -> bool:
        """Whether the key may be the issuer's, or no longer be, for all that was read of it."""
        return now >= self._read_at + KEPT_SECONDS or (self._away and kid not in self._keys)

    def _read(self) -> dict[str, IssuerKey]:
        until = self._clock() + READ_SECONDS
        found = self._document(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration", until)
        if found.get("issuer") != self._issuer:
            raise IssuerUnavailable(f"{self._issuer} says that it is another issuer")
        address = found.get("jwks_uri")
        listed = self._document(address, until).get("keys") if isinstance(address, str) else None
        if not isinstance(listed, list):
            raise IssuerUnavailable(f"{self._issuer} names no keys")
        named = [(given.get("kid"), given) for given in _objects(listed)]
        return {kid: key for kid, given in named if isinstance(kid, str) and (key := _read(given))}

    def _document(self, url: str, until: float) -> Mapping[str, Any]:
        try:
            told: Any = json.loads(self._get(url, until - self._clock()))
        except (ValueError, RecursionError) as error:
            raise IssuerUnavailable(f"{url} answers no JSON") from error
        if not isinstance(told, dict):
            raise IssuerUnavailable(f"{url} answers no JSON object")
        return cast("dict[str, Any]", told)


def fetched(url: str, seconds: float, pinned: Pinned, exchange: Exchange) -> bytes:
    """What there is at `url`, look-up and all within `seconds`. Raises `IssuerUnavailable`."""
    deadline = exchange.clock() + seconds
    try:
        address = web_address.read(url)
        target = pinned(url, {address.place}, timeout_seconds=seconds)
        place = f"{address.path or '/'}{'?' if address.query else ''}{address.query}"
        headers = (
            ("Host", address.authority),
            ("Accept", "application/json"),
            ("Accept-Encoding", "identity"),
        )
        asked = Outgoing("GET", place, headers)
        answer = exchange.send(target, asked, deadline=deadline)
    except (ValueError, ToolFailed, ToolUnavailable, OutcomeUnknown) as error:
        raise IssuerUnavailable(f"{url} cannot be read: {error}") from error
    if answer.status != 200:
        raise IssuerUnavailable(f"{url} answers HTTP {answer.status}")
    return answer.body


def _objects(listed: Any) -> list[dict[str, Any]]:
    return [cast("dict[str, Any]", each) for each in listed if isinstance(each, dict)]


def _read(given: Mapping[str, Any]) -> IssuerKey | None:
    """None for a key that signs nothing, or not as we take it: a set may hold others as well."""
    try:
        if given.get("use", "sig") != "sig" or "verify" not in given.get("key_ops", ("verify",)):
            return None
        match given.get("kty"), given.get("crv"):
            case "RSA", _:
                key: Any = RSAAlgorithm.from_jwk({name: given[name] for name in ("kty", "n", "e")})
                algorithms = ("RS256", "PS256") if key.key_size >= LEAST_RSA_BITS else ()
            case "EC", "P-256":
                key = ECAlgorithm.from_jwk({name: given[name] for name in ("kty", "crv", "x", "y")})
                algorithms = ("ES256",)
            case _:
                return None
    except (jwt.PyJWTError, KeyError, ValueError, TypeError):
        return None
    allowed = tuple(each for each in algorithms if given.get("alg", each) == each)
    return IssuerKey(key, allowed) if allowed else None
