"""Who a bearer credential stands for, whichever kind it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..values.access import Identity
from ..values.run import Principal
from .api_keys import ApiKeys
from .aws_tokens import AwsTokens

if TYPE_CHECKING:
    from .oidc import OidcTokens


class Credentials:
    """API keys (`fh_…`), tokens of AWS principals (`fht_…`) and those of an OIDC issuer, which are JWTs.

    `oidc` gives what verifies the last, once it is needed: None where there is no issuer.
    """

    def __init__(self, keys: ApiKeys, tokens: AwsTokens, oidc: Callable[[], OidcTokens | None]) -> None:
        self._keys, self._tokens, self._oidc = keys, tokens, oidc

    def identity(self, text: str, *, now: int) -> Identity | None:
        """None for whatever opens nothing; `now` is epoch seconds. Raises `IssuerUnavailable`."""
        if text.startswith("fht_"):
            return self._tokens.verify(text, now=now)
        if text.startswith("fh_"):
            key = self._keys.verify(text, now=now)
            return key and Identity(key.tenant, Principal("key", key.key_id), key.scopes)
        if text.count(".") == 2:
            oidc = self._oidc()
            return oidc and oidc.verify(text)
        return None
