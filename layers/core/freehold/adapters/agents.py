"""Agents in DynamoDB: one draft each, immutable numbered versions, aliases, and snapshots named by digest."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from ..errors import Conflict, Invalid, NotFound, StaleWrite
from ..values.agent import DRAFT, Agent, ModelChoice, PinnedAgent
from ..values.run import Session
from . import keys
from . import routes as weighted
from .contents import Contents
from .routes import Routes
from .table import Item, Table

NEW = "attribute_not_exists(pk)"
CACHED_SNAPSHOTS = 64
WRITE_ATTEMPTS = 10


@dataclass(frozen=True, slots=True)
class Draft:
    """What `GET /agents/{name}` shows. `latest_version` is 0 before the first; numbers are never used again."""

    name: str
    digest: str
    source: dict[str, Any]
    warnings: tuple[str, ...]
    updated_at: int
    latest_version: int
    rev: int


@dataclass(frozen=True, slots=True)
class Version:
    version: int
    digest: str
    created_at: int


class DynamoAgents:
    """`Agents`, and the writes behind `/agents`. A snapshot never changes, so it is kept in memory once read."""

    def __init__(self, table: Table, contents: Contents) -> None:
        self._table, self._contents = table, contents
        self._snapshots: OrderedDict[tuple[str, str, str], Agent] = OrderedDict()

    # -- snapshots

    def snapshot(self, tenant: str, name: str, digest: str) -> Agent:
        key = (tenant, name, digest)
        if key not in self._snapshots:
            item = self._table.get({"pk": keys.agent(tenant, name), "sk": f"SNAPSHOT#{digest}"})
            if item is None:
                raise NotFound(f"no snapshot {digest} of agent {name}")
            self._snapshots[key] = msgspec.json.decode(self._contents.get(item), type=Agent)
            if len(self._snapshots) > CACHED_SNAPSHOTS:
                self._snapshots.popitem(last=False)
        return self._snapshots[key]

    def _freeze(self, tenant: str, agent: Agent) -> str:
        text = msgspec.json.encode(agent, order="deterministic").decode()
        digest = hashlib.sha256(text.encode()).hexdigest()[:32]
        where = {
            "pk": keys.agent(tenant, agent.name),
            "sk": f"SNAPSHOT#{digest}",
            "schema": 1,
            "kind": "snapshot",
        }
        self._table.put_or_get(where | self._contents.put(_folder(tenant, agent.name), text))
        return digest

    def replay_snapshot(self, tenant: str, name: str, digest: str, model: ModelChoice) -> str:
        """The digest of the same agent on that model alone."""
        agent = self.snapshot(tenant, name, digest)
        return self._freeze(tenant, replace(agent, model=model, fallback_models=()))

    # -- drafts

    def apply(
        self, tenant: str, agent: Agent, source: dict[str, Any], warnings: tuple[str, ...], *, now: int
    ) -> Draft:
        """Store the draft, and the snapshot that runs on it will pin. The same draft again changes nothing."""
        digest = self._freeze(tenant, agent)
        for _ in range(WRITE_ATTEMPTS):
            there = self._draft_item(tenant, agent.name)
            rev, latest = (there["rev"], there["latest_version"]) if there else (0, 0)
            draft = Draft(agent.name, digest, source, warnings, now, latest, rev + 1)
            try:
                self._put_draft(
                    tenant, draft, description=agent.description, model=agent.model.model, before=there
                )
            except StaleWrite:
                continue
            return draft
        raise Conflict(f"agent {agent.name} is being changed by others; try again")

    def draft(self, tenant: str, name: str) -> Draft:
        item = self._draft_item(tenant, name)
        if item is None or item.get("deleted"):
            raise NotFound(f"no agent {name}")
        told = json.loads(self._contents.get(item))
        return Draft(
            name,
            item["digest"],
            told["source"],
            tuple(told["warnings"]),
            item["updated_at"],
            item["latest_version"],
            item["rev"],
        )

    def drafts(self, tenant: str) -> Iterator[dict[str, Any]]:
        """`{name, description, model, updated_at}` of each agent, in order of name."""
        for item in self._table.query(keys.agents_of(tenant)):
            if not item.get("deleted"):
                fields = ("description", "model", "updated_at")
                yield {"name": item["name"]} | {field: item[field] for field in fields}

    def delete(self, tenant: str, name: str) -> None:
        """Remove draft, versions and aliases. Snapshots stay for the runs that pinned them, and so does the version
        counter, so that a number never means two things."""
        draft = self.draft(tenant, name)
        item = self._draft_item(tenant, name) or {}
        # The draft goes last: as long as it is there, a delete that died can be sent again.
        for kind in ("ALIAS#", "VERSION#"):
            for each in self._table.query(keys.agent(tenant, name), prefix=kind):
                key = {"pk": each["pk"], "sk": each["sk"]}
                self._table.delete(key, condition=f"{NEW} OR kind = :kind", values={":kind": each["kind"]})
        kept = {key: value for key, value in item.items() if key not in ("body", "body_ref")}
        self._table.put(
            kept | {"deleted": True, "rev": draft.rev + 1}, condition="rev = :rev", values={":rev": draft.rev}
        )

    def _draft_item(self, tenant: str, name: str) -> Item | None:
        return self._table.get({"pk": keys.agents_of(tenant), "sk": keys.quoted(name)})

    def _put_draft(
        self, tenant: str, draft: Draft, *, description: str, model: str, before: Item | None
    ) -> None:
        told = json.dumps({"source": draft.source, "warnings": draft.warnings}, ensure_ascii=False)
        item = {
            "pk": keys.agents_of(tenant),
            "sk": keys.quoted(draft.name),
            "schema": 1,
            "kind": "draft",
            "name": draft.name,
            "description": description,
            "model": model,
            "digest": draft.digest,
            "updated_at": draft.updated_at,
            "latest_version": draft.latest_version,
            "rev": draft.rev,
        }
        item |= self._contents.put(_folder(tenant, draft.name), told)
        if before is None:
            self._table.put(item, condition=NEW)
        else:
            self._table.put(item, condition="rev = :rev", values={":rev": before["rev"]})

    # -- versions

    def freeze(self, tenant: str, name: str, *, now: int) -> Version:
        """Make the draft the next version."""
        for _ in range(WRITE_ATTEMPTS):
            draft = self.draft(tenant, name)
            item = self._draft_item(tenant, name) or {}
            number = draft.latest_version + 1
            frozen = {
                "pk": keys.agent(tenant, name),
                "sk": f"VERSION#{number:06d}",
                "schema": 1,
                "kind": "version",
                "digest": draft.digest,
                "created_at": now,
            }
            frozen |= self._contents.put(_folder(tenant, name), self._contents.get(item))
            counted = item | {"latest_version": number, "rev": draft.rev + 1}
            try:
                self._table.transact([(counted, "rev = :rev", {":rev": draft.rev}), (frozen, NEW, None)])
            except StaleWrite:
                continue
            return Version(number, draft.digest, now)
        raise Conflict(f"agent {name} is being changed by others; try again")

    def versions(self, tenant: str, name: str) -> list[Version]:
        self.draft(tenant, name)
        items = self._table.query(keys.agent(tenant, name), prefix="VERSION#")
        return [Version(int(item["sk"][8:]), item["digest"], item["created_at"]) for item in items]

    def version(self, tenant: str, name: str, version: str) -> tuple[Version, dict[str, Any]]:
        """The version and its configuration."""
        number = int(version) if version.isascii() and version.isdigit() and len(version) < 7 else 0
        item = self._table.get({"pk": keys.agent(tenant, name), "sk": f"VERSION#{number:06d}"})
        if item is None:
            raise NotFound(f"no version {version} of agent {name}")
        told = json.loads(self._contents.get(item))
        return Version(number, item["digest"], item["created_at"]), told["source"]

    # -- aliases

    def put_alias(
        self, tenant: str, name: str, alias: str, routes: Sequence[tuple[str, int]], *, now: int
    ) -> None:
        """Lead `alias` to versions by weight. Sessions that began under it stay with the version they began with."""
        if alias == DRAFT:
            raise Invalid(f"the alias {DRAFT} always means the draft", path="alias")
        self.draft(tenant, name)
        found = [(str(self.version(tenant, name, version)[0].version), weight) for version, weight in routes]
        where = {"pk": keys.agent(tenant, name), "sk": f"ALIAS#{keys.quoted(alias)}"}
        item = where | {"schema": 1, "kind": "alias", "alias": alias, "updated_at": now}
        item |= weighted.attributes(weighted.checked(found))
        # The last writer wins here on purpose; the condition only keeps what else lies under the key.
        self._table.put(item, condition=f"{NEW} OR kind = :kind", values={":kind": "alias"})

    def aliases(self, tenant: str, name: str) -> list[tuple[str, Routes]]:
        """In order of alias, each with its routes in order of version."""
        self.draft(tenant, name)
        items = self._table.query(keys.agent(tenant, name), prefix="ALIAS#")
        return [(item["alias"], weighted.of(item)) for item in items]

    def alias(self, tenant: str, name: str, alias: str) -> Routes:
        """The versions that the alias leads to, with their weights."""
        item = self._table.get({"pk": keys.agent(tenant, name), "sk": f"ALIAS#{keys.quoted(alias)}"})
        if item is None:
            raise NotFound(f"no alias {alias} of agent {name}")
        return weighted.of(item)

    # -- pinning

    def pin(
        self, tenant: str, name: str, alias: str | None, session_id: str, session: Session | None
    ) -> PinnedAgent:
        """The agent a new turn runs on: what its session began with, or what the alias means now.

        `session` is the live one of that id, if there is one. On the draft, it follows the draft: each of its runs
        pins the snapshot of that moment.
        """
        if session is not None and alias not in (None, session.alias):
            raise Conflict(f"session {session.session_id} is pinned to alias {session.alias} of agent {name}")
        if session is not None and session.alias != DRAFT:
            agent = self.snapshot(tenant, name, session.agent_digest)
            return PinnedAgent(agent, session.agent_version, session.alias, session.agent_digest)
        if alias in (None, DRAFT):
            digest = self.draft(tenant, name).digest
            return PinnedAgent(self.snapshot(tenant, name, digest), DRAFT, DRAFT, digest)
        self.draft(tenant, name)
        routes = self.alias(tenant, name, alias)
        chosen = weighted.chosen(routes, name=name, alias=alias, session_id=session_id)
        version, _ = self.version(tenant, name, chosen)
        agent = self.snapshot(tenant, name, version.digest)
        return PinnedAgent(agent, str(version.version), alias, version.digest)


def _folder(tenant: str, name: str) -> str:
    return f"agents/{keys.quoted(tenant)}/{keys.quoted(name)}"
