"""API keys: shown once, stored as a hash, found by the tenant and id that the key itself names."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence

from ..errors import Invalid, NotFound, StaleWrite
from ..value import Value
from ..values.access import SCOPES, TENANT
from ..values.run import Principal
from . import keys, pages
from .table import Item, Table

KEY = re.compile(r"fh_(?P<tenant>[a-z0-9-]{1,40})_(?P<id>[a-f0-9]{12})_(?P<secret>[a-f0-9]{64})")


class ApiKey(Value):
    """A stored key. Times are epoch seconds."""

    tenant: str
    key_id: str
    name: str
    scopes: tuple[str, ...]
    created_at: int
    expires_at: int | None
    created_by: Principal | None = None


class NewKey(Value):
    """The only moment at which the key's text exists."""

    key: ApiKey
    text: str

    @property
    def key_id(self) -> str:
        return self.key.key_id


class ApiKeys:
    """Keys of all tenants in the agents table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def create(
        self,
        *,
        tenant: str,
        name: str,
        scopes: Sequence[str],
        now: int,
        by: Principal | None = None,
        expires_at: int | None = None,
        key_id: str | None = None,
        again: bool = False,
    ) -> NewKey:
        """Times are epoch seconds. Raises `Invalid`.

        `again`: what an earlier attempt made under the `key_id`, whose text nobody has seen, gets another secret.
        """
        if not scopes or len(set(scopes)) < len(scopes) or not set(scopes) <= set(SCOPES):
            given = ", ".join(scopes) or "nothing"
            raise Invalid(f"is {given}; allowed are {', '.join(SCOPES)}, each once", path="scopes")
        if not TENANT.fullmatch(tenant):
            raise Invalid("is 1 to 40 of a-z, 0-9 and -", path="tenant")
        key_id, secret = key_id or secrets.token_hex(6), secrets.token_hex(32)
        key = ApiKey(tenant, key_id, name, tuple(scopes), now, expires_at, by)
        item = _item(key, secret)
        there = self._table.get({"pk": item["pk"], "sk": key_id}) if again else None
        if there is None:
            self._table.put_once(item, condition="attribute_not_exists(pk)")
        else:
            seen = {":hash": there["secret_hash"]}
            self._table.put_once(item, condition="secret_hash = :hash", values=seen)
        return NewKey(key, f"fh_{tenant}_{key_id}_{secret}")

    def verify(self, text: str, *, now: int) -> ApiKey | None:
        """The key, or None if it is malformed, unknown, revoked, expired or its secret is wrong."""
        parts = KEY.fullmatch(text)
        if parts is None:
            return None
        item = self._table.get({"pk": keys.api_keys_of(parts["tenant"]), "sk": parts["id"]})
        if item is None or not hmac.compare_digest(item["secret_hash"], digest(parts["secret"])):
            return None
        key = _read(parts["tenant"], item)
        return key if key.expires_at is None or key.expires_at > now else None

    def list(
        self, tenant: str, *, limit: int, token: str | None = None
    ) -> tuple[Sequence[ApiKey], str | None]:
        """A page, in order of id."""
        items, token = pages.page(self._table, keys.api_keys_of(tenant), limit=limit, token=token)
        return [_read(tenant, item) for item in items], token

    def revoke(self, tenant: str, key_id: str) -> None:
        """Raises `NotFound`. Takes effect everywhere once the authorizer's cache has run out (60 s)."""
        key = {"pk": keys.api_keys_of(tenant), "sk": key_id}
        try:
            self._table.delete(key, condition="kind = :kind", values={":kind": "api_key"})
        except StaleWrite as error:
            raise NotFound(f"no key {key_id}") from error


def digest(secret: str) -> str:
    """The secret is 256 random bits, so a plain digest is as good as a slow one."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _item(key: ApiKey, secret: str) -> Item:
    return {
        "pk": keys.api_keys_of(key.tenant),
        "sk": key.key_id,
        "schema": 1,
        "kind": "api_key",
        "name": key.name,
        "scopes": list(key.scopes),
        "secret_hash": digest(secret),
        "created_at": key.created_at,
        "created_by": key.created_by.name if key.created_by else None,
        "expires_at": key.expires_at,
    }


def _read(tenant: str, item: Item) -> ApiKey:
    scopes, expires = tuple(item["scopes"]), item.get("expires_at")
    by = Principal.named(item.get("created_by"))
    return ApiKey(tenant, item["sk"], item["name"], scopes, item["created_at"], expires, by)
