"""Tokens of an OpenID Connect issuer: whose they are, if this issuer made them for us and they hold now."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

import jwt

from ..value import Value
from ..values.access import SCOPES, TENANT, Identity
from ..values.run import Principal
from .issuer_keys import IssuerKey, IssuerKeys

# API Gateway takes 10,240 bytes of headers.
LONGEST_TOKEN = 10_000
LEEWAY_SECONDS = 30
# RFC 8725, 3.11: tokens of other kinds are signed with the same keys. RFC 9068 names those that give access.
TYPES = ("JWT", "AT+JWT", "APPLICATION/AT+JWT")
# As long as a principal's id may be wherever one is named.
SUBJECT = re.compile(r"[!-~]{1,256}")
# Whatever is wrong with a token, it is a token that opens nothing.
_FAULTS = (jwt.PyJWTError, ValueError, TypeError, KeyError, OverflowError, RecursionError)


class Issuer(Value):
    """Whom we believe, and what its claims mean. `tenant` is everybody's, or blank: then `tenant_claim` tells.

    Of the values of `scopes_claim`, those count that are one of our scopes once `scope_prefix` is taken away.
    """

    url: str
    audiences: frozenset[str]
    tenant: str
    tenant_claim: str
    subject_claim: str
    scopes_claim: str
    scope_prefix: str


class OidcTokens:
    """Tokens of one issuer."""

    def __init__(self, issuer: Issuer, keys: IssuerKeys) -> None:
        self._issuer, self._keys = issuer, keys

    def verify(self, text: str) -> Identity | None:
        """Whose it is; None for any fault of the token. Raises `IssuerUnavailable`."""
        if len(text) > LONGEST_TOKEN or not text.isascii():
            return None
        try:
            kid = self._kid(text)
        except _FAULTS:
            return None
        # What goes wrong here is none of the token's faults.
        key = self._keys.find(kid) if kid is not None else None
        if key is None:
            return None
        try:
            claims = self._claims(text, key)
        except _FAULTS:
            return None
        return self._identity(claims) if self._is_for_us(claims) else None

    def _kid(self, text: str) -> str | None:
        """Which key it names, if it may be the issuer's: what is plainly not its own costs it no question."""
        told: Any = jwt.decode_complete(text, options={"verify_signature": False})
        header, claimed = told["header"], told["payload"]
        kid = header.get("kid")
        if not isinstance(kid, str) or claimed.get("iss") != self._issuer.url:
            return None
        if str(header.get("typ", "JWT")).upper() not in TYPES:
            return None
        return kid

    def _claims(self, text: str, key: IssuerKey) -> Mapping[str, Any]:
        return jwt.decode(
            text,
            key.key,
            algorithms=list(key.algorithms),
            issuer=self._issuer.url,
            leeway=LEEWAY_SECONDS,
            options={"require": ["exp", "iss"], "verify_aud": False},
        )

    def _is_for_us(self, claims: Mapping[str, Any]) -> bool:
        """By `aud`. Where an issuer writes none, as Amazon Cognito into access tokens, by the client it is for."""
        given = claims.get("aud", claims.get("client_id"))
        named = cast("list[object]", given) if isinstance(given, list) else [given]
        return any(isinstance(each, str) and each in self._issuer.audiences for each in named)

    def _identity(self, claims: Mapping[str, Any]) -> Identity | None:
        issuer = self._issuer
        tenant = issuer.tenant or claims.get(issuer.tenant_claim)
        subject = claims.get(issuer.subject_claim)
        scopes = _scopes(claims.get(issuer.scopes_claim), issuer.scope_prefix)
        if not isinstance(tenant, str) or not TENANT.fullmatch(tenant):
            return None
        if not isinstance(subject, str) or not SUBJECT.fullmatch(subject) or not scopes:
            return None
        return Identity(tenant, Principal("oidc", subject), scopes)


def _scopes(given: Any, prefix: str) -> tuple[str, ...]:
    """Ours among the scopes that a claim names, as text with blanks between or as a list."""
    values = given.split() if isinstance(given, str) else given
    if not isinstance(values, list):
        return ()
    named = {each for each in cast("list[object]", values) if isinstance(each, str)}
    return tuple(scope for scope in SCOPES if f"{prefix}{scope}" in named)
