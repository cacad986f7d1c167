"""Tokens of AWS principals: stored as a hash, good for an hour and as long as their access entry is there."""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Sequence

from ..errors import Denied, Invalid
from ..value import Value
from ..values.access import SCOPES, Identity, aws_principal
from ..values.run import Principal
from . import keys
from .access import AccessEntries
from .api_keys import digest
from .table import Table

TOKEN = re.compile(r"fht_(?P<tenant>[a-z0-9-]{1,40})_(?P<id>[a-f0-9]{12})_(?P<secret>[a-f0-9]{64})")
LIFETIME_SECONDS = 3600
# As long as a principal's id may be wherever one is named.
LONGEST_ARN = 256


class NewToken(Value):
    """The only moment at which the token's text exists. `expires_at` is epoch seconds."""

    token_id: str
    identity: Identity
    text: str
    expires_at: int


class AwsTokens:
    """Tokens of all tenants in the agents table."""

    def __init__(self, table: Table, entries: AccessEntries) -> None:
        self._table, self._entries = table, entries

    def create(self, arn: str, *, now: int, scopes: Sequence[str] | None = None) -> NewToken:
        """A token for the principal `arn`, with some of its scopes or all. `now` is epoch seconds.

        Raises `Denied` where no access entry lets it in or gives it such a scope, and `Invalid`.
        """
        entry = self._entries.find("iam", arn)
        if entry is None:
            known = aws_principal(arn) or arn
            raise Denied(f"no access entry for {known}; an administrator of the account can grant one")
        wanted = tuple(scopes) if scopes is not None else entry.scopes
        if not wanted or len(set(wanted)) < len(wanted) or not set(wanted) <= set(SCOPES):
            raise Invalid(f"allowed are {', '.join(SCOPES)}, each once", path="scopes")
        if not set(wanted) <= set(entry.scopes):
            raise Denied(f"the access entry gives the scopes {', '.join(entry.scopes)} and no others")
        if len(arn) > LONGEST_ARN:
            raise Denied(f"an ARN of more than {LONGEST_ARN} characters cannot be written down as who asked")
        token_id, secret = secrets.token_hex(6), secrets.token_hex(32)
        expires = now + LIFETIME_SECONDS
        item = {
            "pk": keys.tokens_of(entry.tenant),
            "sk": token_id,
            "schema": 1,
            "kind": "token",
            "principal": arn,
            "scopes": list(wanted),
            "entry_id": entry.entry_id or None,
            "secret_hash": digest(secret),
            "created_at": now,
            "expires_at": expires,
        }
        self._table.put_once(item, condition="attribute_not_exists(pk)")
        identity = Identity(entry.tenant, Principal("iam", arn), wanted)
        return NewToken(token_id, identity, f"fht_{entry.tenant}_{token_id}_{secret}", expires)

    def verify(self, text: str, *, now: int) -> Identity | None:
        """Whose it is, or None if it is malformed, unknown, expired, or lets in whom no access entry does any more."""
        parts = TOKEN.fullmatch(text)
        if parts is None:
            return None
        tenant = parts["tenant"]
        item = self._table.get({"pk": keys.tokens_of(tenant), "sk": parts["id"]})
        if item is None or not hmac.compare_digest(item["secret_hash"], digest(parts["secret"])):
            return None
        entry = self._entries.find("iam", item["principal"])
        if item["expires_at"] <= now or entry is None or entry.tenant != tenant:
            return None
        if entry.entry_id != item.get("entry_id", ""):
            # That one was revoked; this is another.
            return None
        scopes = tuple(scope for scope in item["scopes"] if scope in entry.scopes)
        return Identity(tenant, Principal("iam", item["principal"]), scopes) if scopes else None
