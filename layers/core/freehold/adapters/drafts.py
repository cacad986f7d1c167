"""How the drafts, versions and aliases of agents are written down."""

from __future__ import annotations

import json
from typing import Any

from ..value import Value
from . import keys
from .routes import Routes
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
            "latest_version": self.latest_version,
            "rev": self.rev,
        }


class Version(Value):
    version: int
    digest: str
    created_at: int

    @classmethod
    def read(cls, item: Item) -> Version:
        return cls(int(item["sk"].removeprefix("VERSION#")), item["digest"], item["created_at"])


class Alias(Value):
    """The versions that it leads to, with their weights."""

    alias: str
    routes: Routes
    updated_at: int

    @property
    def tag(self) -> str:
        return tag_of(self.updated_at)

    @classmethod
    def read(cls, item: Item) -> Alias:
        return cls(item["alias"], routes_of(item), item["updated_at"])


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
