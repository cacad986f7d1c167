"""Which tenant comes in by which door. The account's own administrators write it, tenants never do."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from typing import Any

from ..errors import Conflict, Invalid, NotFound, StaleWrite
from ..value import replace
from ..values.access import SCOPES, TENANT, AccessEntry, EntryKind, aws_principal
from ..values.run import Principal
from . import keys
from .table import Item, Table

NAMES: dict[EntryKind, re.Pattern[str]] = {
    "queue": re.compile(r"arn:aws[a-z-]*:sqs:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,80}(\.fifo)?"),
    "rule": re.compile(
        r"arn:aws[a-z-]*:events:[a-z0-9-]+:[0-9]{12}:rule/([A-Za-z0-9/._-]{1,256}/)?[A-Za-z0-9._-]{1,64}"
    ),
    "source": re.compile(r"[A-Za-z0-9/._@-]{1,256}\*?|\*"),
}
IN_WORDS: dict[EntryKind, str] = {
    "iam": "is no ARN of an IAM role or user, such as arn:aws:iam::123456789012:role/support",
    "queue": "is no ARN of an SQS queue, such as arn:aws:sqs:us-east-1:123456789012:orders.fifo",
    "rule": "is no ARN of an EventBridge rule, such as arn:aws:events:us-east-1:123456789012:rule/orders/new",
    "source": "is no source of events, such as com.example.orders; a * at its end stands for any text",
}


class AccessEntries:
    """Entries in the agents table. One leads to one tenant, but for sources of events: several may hear the same."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def grant(self, entry: AccessEntry) -> AccessEntry:
        """Write it, in the place of what the tenant had there, whose `entry_id` it keeps. Otherwise it gets a new one.

        Raises `Invalid`, and `Conflict` where it leads to another tenant already.
        """
        _check(entry)
        key = _key(entry.kind, entry.name, entry.tenant)
        there = self._table.get(key)
        if there is not None and there["tenant"] != entry.tenant:
            raise Conflict(f"{entry.kind} {entry.name} leads to another tenant; revoke that first")
        granted = replace(entry, entry_id=secrets.token_hex(8) if there is None else _id(there))
        try:
            self._table.put_once(key | _item(granted), **_unchanged(there))
        except StaleWrite as error:
            raise Conflict(f"{entry.kind} {entry.name} is being changed by others; try again") from error
        return granted

    def find(self, kind: EntryKind, name: str) -> AccessEntry | None:
        """The entry that `name` falls under: for `iam`, also by the ARN of a session. Sources have none."""
        if kind == "source" or (kind == "iam" and aws_principal(name) is None):
            return None
        item = self._table.get(_key(kind, name, ""))
        return _read(kind, item) if item else None

    def list(self, kind: EntryKind) -> Iterator[AccessEntry]:
        return (_read(kind, item) for item in self._table.query(keys.access(kind)))

    def sources(self, tenant: str) -> Iterator[str]:
        """Of the events that its triggers may wait for."""
        items = self._table.query(keys.access("source"), prefix=_of(tenant))
        return (item["name"] for item in items)

    def revoke(self, kind: EntryKind, name: str, tenant: str = "") -> None:
        """Of a source, the entry of that tenant alone. Raises `NotFound`."""
        try:
            self._table.delete(_key(kind, name, tenant), condition="kind = :kind", values={":kind": "access"})
        except StaleWrite as error:
            of = f" of tenant {tenant}" if kind == "source" else ""
            raise NotFound(f"no access entry for {kind} {name}{of}") from error


def _check(entry: AccessEntry) -> None:
    if not TENANT.fullmatch(entry.tenant):
        raise Invalid("is 1 to 40 of a-z, 0-9 and -", path="tenant")
    pattern = NAMES.get(entry.kind)
    if not (pattern.fullmatch(entry.name) if pattern else aws_principal(entry.name)):
        raise Invalid(f"{entry.name[:120]!a} {IN_WORDS[entry.kind]}", path="name")
    if entry.kind == "iam":
        named = set(entry.scopes)
        if not named or len(named) < len(entry.scopes) or not named <= set(SCOPES):
            raise Invalid(f"allowed are {', '.join(SCOPES)}, each once, and one at least", path="scopes")
    elif entry.scopes:
        raise Invalid(f"are only for iam; what comes by a {entry.kind} starts runs", path="scopes")


def _key(kind: EntryKind, name: str, tenant: str) -> keys.Key:
    known = (aws_principal(name) if kind == "iam" else None) or name
    of = _of(tenant) if kind == "source" else ""
    return {"pk": keys.access(kind), "sk": f"{of}{keys.quoted(known)}"}


def _of(tenant: str) -> str:
    """How the sort keys of a tenant's sources begin."""
    return f"{keys.quoted(tenant)}#"


def _item(entry: AccessEntry) -> Item:
    return {
        "schema": 1,
        "kind": "access",
        "name": entry.name,
        "tenant": entry.tenant,
        "created_at": entry.created_at,
        "created_by": entry.created_by.name if entry.created_by else None,
        "scopes": list(entry.scopes),
        "entry_id": entry.entry_id or None,
    }


def _id(item: Item) -> str:
    return item.get("entry_id", "")


def _unchanged(there: Item | None) -> dict[str, Any]:
    if there is None:
        return {"condition": "attribute_not_exists(pk)"}
    if not _id(there):
        return {"condition": "kind = :kind AND attribute_not_exists(entry_id)", "values": {":kind": "access"}}
    return {"condition": "entry_id = :id", "values": {":id": _id(there)}}


def _read(kind: EntryKind, item: Item) -> AccessEntry:
    scopes, by = tuple(item["scopes"]), Principal.named(item.get("created_by"))
    return AccessEntry(kind, item["name"], item["tenant"], item["created_at"], scopes, _id(item), by)
