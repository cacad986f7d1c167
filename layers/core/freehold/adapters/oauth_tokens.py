"""Access tokens by OAuth 2's client credentials (RFC 6749, 4.4), kept while they hold."""

from __future__ import annotations

import hashlib
import json
from typing import Any, cast
from urllib.parse import quote_plus, urlencode

from .. import web_address
from ..errors import OutcomeUnknown, ToolFailed, ToolThrottled, ToolUnavailable
from ..values.agent import Auth, Server
from .egress import LOOKUP_SECONDS, Pinned, places
from .http_exchange import Exchange, Incoming, Outgoing
from .tool_auth import basic

# A token is not used in the last minute of its life.
MARGIN_SECONDS = 60
# Of one that does not say how long it holds.
ASSUMED_SECONDS = 300.0
LONGEST_SECONDS = 86_400.0
MOST_KEPT = 256


class OAuthTokens:
    """`Tokens`. `pinned` says where a token endpoint may be asked for."""

    def __init__(self, pinned: Pinned, exchange: Exchange) -> None:
        self._pinned, self._exchange = pinned, exchange
        self._kept: dict[tuple[str, Auth], tuple[str, float, str]] = {}

    def token(self, server: Server, tenant: str, client: tuple[str, str], *, deadline: float) -> str:
        auth = cast("Auth", server.auth)
        # Another secret, another token.
        shown = hashlib.sha256(json.dumps(client).encode()).hexdigest()
        of, until, token = self._kept.get((tenant, auth), ("", 0.0, ""))
        if of == shown and self._exchange.clock() < until:
            return token
        token, seconds = _read(self._asked(server, auth, client, deadline), auth)
        if len(self._kept) >= MOST_KEPT:
            self._kept.clear()
        self._kept[tenant, auth] = (shown, self._exchange.clock() + seconds - MARGIN_SECONDS, token)
        return token

    def drop(self, auth: Auth, tenant: str) -> None:
        self._kept.pop((tenant, auth), None)

    def _asked(self, server: Server, auth: Auth, client: tuple[str, str], deadline: float) -> Incoming:
        seconds = min(LOOKUP_SECONDS, deadline - self._exchange.clock())
        target = self._pinned(auth.token_url, places(server), timeout_seconds=seconds)
        address = web_address.read(auth.token_url)
        scope = {"scope": " ".join(auth.scopes)} if auth.scopes else {}
        body = urlencode({"grant_type": "client_credentials"} | scope).encode()
        headers = (
            ("Host", address.authority),
            ("Accept", "application/json"),
            ("Accept-Encoding", "identity"),
            # RFC 6749, 2.3.1: both are encoded before they are joined.
            *basic(quote_plus(client[0]), quote_plus(client[1])).headers,
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("Content-Length", str(len(body))),
        )
        place = f"{address.path or '/'}{'?' if address.query else ''}{address.query}"
        try:
            return self._exchange.send(target, Outgoing("POST", place, headers, body), deadline=deadline)
        except OutcomeUnknown as error:
            # A token more does no harm.
            raise ToolUnavailable(f"no token came from {address.host}") from error


def _read(answer: Incoming, auth: Auth) -> tuple[str, float]:
    """Token and lifetime. What the endpoint says beside that is told to nobody: it was shown the secret."""
    if answer.status == 429:
        raise ToolThrottled("the token endpoint asks to slow down (HTTP 429)")
    if answer.status >= 500:
        raise ToolUnavailable(f"the token endpoint failed (HTTP {answer.status})")
    if answer.status != 200:
        raise ToolFailed(f"the token endpoint refused the secret {auth.secret} (HTTP {answer.status})")
    try:
        told: Any = json.loads(answer.body)
    except (ValueError, RecursionError):
        raise ToolFailed("the token endpoint answered no JSON") from None
    given = cast("dict[str, Any]", told) if isinstance(told, dict) else {}
    token, kind = given.get("access_token"), given.get("token_type", "bearer")
    if not isinstance(token, str) or not token.isascii() or not token.isprintable() or " " in token:
        raise ToolFailed("the token endpoint answered no access_token")
    if str(kind).lower() != "bearer":
        raise ToolFailed("the token endpoint answered a token of another type than bearer")
    seconds = given.get("expires_in", ASSUMED_SECONDS)
    try:
        return token, min(float(seconds), LONGEST_SECONDS)
    except (TypeError, ValueError):
        return token, ASSUMED_SECONDS
