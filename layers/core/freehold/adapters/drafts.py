"""How the drafts, versions and aliases of agents are written down."""

from __future__ import annotations

import json
from typing import Any

from ..value import Value
from ..values.run import Principal
from . import keys
from .routes import Routes, attributes
from .routes import of as routes_of
from .table import Item


class Draft(Value):
    """What `GET /agents/{name}` shows. `latest_version` is 0 before the first; numbers are never used again."""

    name: str
    digest: str
    source: dict[str, Any]
    warnings: tuple[str, ...]
    updated_at: int
    latest_version: int
    rev: int
    updated_by: Principal | None = None

    @property
    def tag(self) -> str:
        return tag_of(self.updated_at)

    @classmethod
    def read(cls, item: Item, body: str) -> Draft:
        told = json.loads(body)
        return cls(
            item["name"],
            item["digest"],
            told["source"],
            tuple(told["warnings"]),
            item["updated_at"],
            item["latest_version"],
            item["rev"],
            Principal.named(item.get("updated_by")),
        )

    @property
    def body(self) -> str:
        return json.dumps({"source": self.source, "warnings": self.warnings}, ensure_ascii=False)

    def item(self, tenant: str, *, description: str, model: str) -> Item:
        """Without the body."""
        return {
            "pk": keys.agents_of(tenant),
            "sk": keys.quoted(self.name),
            "schema": 1,
            "kind": "draft",
            "name": self.name,
            "description": description,
            "model": model,
            "digest": self.digest,
            "updated_at": self.updated_at,
            "updated_by": self.updated_by.name if self.updated_by else None,
            "latest_version": self.latest_version,
            "rev": self.rev,
        }


class Version(Value):
    version: int
    digest: str
    created_at: int
    created_by: Principal | None = None

    @classmethod
    def read(cls, item: Item) -> Version:
        number, by = int(item["sk"].removeprefix("VERSION#")), Principal.named(item.get("created_by"))
        return cls(number, item["digest"], item["created_at"], by)

    def item(self, tenant: str, name: str, *, request: str | None) -> Item:
        """Without the body."""
        return {
            "pk": keys.agent(tenant, name),
            "sk": f"VERSION#{self.version:06d}",
            "schema": 1,
            "kind": "version",
            "digest": self.digest,
            "created_at": self.created_at,
            "created_by": self.created_by.name if self.created_by else None,
            "request": request,
        }


class Alias(Value):
    """The versions that it leads to, with their weights."""

    alias: str
    routes: Routes
    updated_at: int
    updated_by: Principal | None = None

    @property
    def tag(self) -> str:
        return tag_of(self.updated_at)

    @classmethod
    def read(cls, item: Item) -> Alias:
        return cls(
            item["alias"], routes_of(item), item["updated_at"], Principal.named(item.get("updated_by"))
        )

    @property
    def item(self) -> Item:
        """Without its key."""
        return {
            "schema": 1,
            "kind": "alias",
            "alias": self.alias,
            "updated_at": self.updated_at,
            "updated_by": self.updated_by.name if self.updated_by else None,
            **attributes(self.routes),
        }


def lowest_version(item: Item) -> int:
    """Of those that the item of an alias leads to, or the number of a version's item."""
    if item["kind"] == "version":
        return Version.read(item).version
    return min(int(version) for version, _ in routes_of(item))


def tag_of(updated_at: int) -> str:
    """Names a state among all that the same thing has had: `changed_at` never gives a time twice."""
    return f"{updated_at:x}"


def tag(item: Item | None) -> str | None:
    """None where nothing is there, or it was deleted."""
    return None if item is None or item.get("deleted") else tag_of(item["updated_at"])


def changed_at(now: int, before: Item | None) -> int:
    return now if before is None else max(now, before["updated_at"] + 1)
