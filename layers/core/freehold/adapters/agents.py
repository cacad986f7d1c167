"""Agents in DynamoDB: one draft each, immutable numbered versions, aliases, and snapshots named by digest."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import msgspec

from ..errors import Conflict, Invalid, NotFound, StaleWrite
from ..value import replace
from ..values.agent import DRAFT, Agent, ModelChoice, PinnedAgent
from ..values.precondition import ANYTHING, Precondition
from ..values.run import Principal, Session
from . import keys, pages
from . import routes as weighted
from .contents import Contents
from .drafts import Alias, Draft, Version, changed_at, lowest_version, tag
from .table import Item, Table

NEW = "attribute_not_exists(pk)"
# What a deleted one has no more.
OF_DRAFT = ("body", "body_ref", "updated_by")
CACHED_SNAPSHOTS = 64
WRITE_ATTEMPTS = 10


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
        self,
        tenant: str,
        agent: Agent,
        source: dict[str, Any],
        warnings: tuple[str, ...],
        *,
        now: int,
        by: Principal | None = None,
        expected: Precondition = ANYTHING,
    ) -> Draft:
        """Store the draft, and the snapshot that runs on it will pin. Raises `PreconditionFailed`."""
        digest = self._freeze(tenant, agent)
        for _ in range(WRITE_ATTEMPTS):
            there = self._draft_item(tenant, agent.name)
            expected.check(f"agent {agent.name}", tag(there))
            if there and there.get("deleted"):
                self._clear(tenant, agent.name, there)
            rev, latest = (there["rev"], there["latest_version"]) if there else (0, 0)
            updated_at = changed_at(now, there)
            draft = Draft(agent.name, digest, source, warnings, updated_at, latest, rev + 1, by)
            item = draft.item(tenant, description=agent.description, model=agent.model.model)
            item |= self._contents.put(_folder(tenant, agent.name), draft.body)
            try:
                self._table.put_once(item, **_unchanged(there))
            except StaleWrite:
                continue
            return draft
        raise _crowded(agent.name)

    def draft(self, tenant: str, name: str) -> Draft:
        item = self._there(tenant, name)
        return Draft.read(item, self._contents.get(item))

    def _there(self, tenant: str, name: str) -> Item:
        item = self._draft_item(tenant, name)
        if item is None or item.get("deleted"):
            raise NotFound(f"no agent {name}")
        return item

    def drafts(
        self, tenant: str, *, limit: int, token: str | None = None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """A page of `{name, description, model, updated_at}` of each agent, in order of name."""
        items, token = pages.page(self._table, keys.agents_of(tenant), limit=limit, token=token)
        fields = ("name", "description", "model", "updated_at")
        found = [{field: item[field] for field in fields} for item in items if not item.get("deleted")]
        return found, token

    def delete(self, tenant: str, name: str, *, now: int, expected: Precondition = ANYTHING) -> None:
        """Remove draft, versions and aliases. Snapshots stay for the runs that pinned them, and so does the version
        counter, so that a number never means two things. Raises `PreconditionFailed`, and `NotFound` where the draft
        is gone already, whose versions and aliases then are too."""
        for _ in range(WRITE_ATTEMPTS):
            there = self._draft_item(tenant, name)
            if there is None or there.get("deleted"):
                self._clear(tenant, name, there)
                raise NotFound(f"no agent {name}")
            expected.check(f"agent {name}", tag(there))
            kept = {key: value for key, value in there.items() if key not in OF_DRAFT}
            changes = {"deleted": True, "rev": there["rev"] + 1, "updated_at": changed_at(now, there)}
            try:
                self._table.put_once(kept | changes, **_unchanged(there))
            except StaleWrite:
                continue
            self._clear(tenant, name, kept)
            return
        raise _crowded(name)

    def _clear(self, tenant: str, name: str, gone: Item | None) -> None:
        """Take away what a deleted draft has left behind.

        Nothing of an agent that is made anew meanwhile: its versions have higher numbers, and its aliases lead to
        those alone, since it begins once all else is away.
        """
        last = gone["latest_version"] if gone else 0
        for kind, written_at in (("ALIAS#", "updated_at"), ("VERSION#", "created_at")):
            for each in self._table.query(keys.agent(tenant, name), prefix=kind):
                if lowest_version(each) > last:
                    continue
                # What has taken its place meanwhile stays.
                seen = {":seen": each[written_at]}
                with suppress(StaleWrite):
                    key = {"pk": each["pk"], "sk": each["sk"]}
                    self._table.delete(key, condition=f"{NEW} OR {written_at} = :seen", values=seen)

    def _draft_item(self, tenant: str, name: str) -> Item | None:
        return self._table.get({"pk": keys.agents_of(tenant), "sk": keys.quoted(name)})

    # -- versions

    def freeze(
        self, tenant: str, name: str, *, now: int, by: Principal | None = None, request: str | None = None
    ) -> Version:
        """Make the draft the next version, which bears the id of the request that asked for it."""
        for _ in range(WRITE_ATTEMPTS):
            item = self._there(tenant, name)
            version = Version(item["latest_version"] + 1, item["digest"], now, by)
            frozen = version.item(tenant, name, request=request)
            frozen |= self._contents.put(_folder(tenant, name), self._contents.get(item))
            counted = item | {"latest_version": version.version, "rev": item["rev"] + 1}
            try:
                self._table.transact([(counted, "rev = :rev", {":rev": item["rev"]}), (frozen, NEW, None)])
            except StaleWrite:
                continue
            return version
        raise _crowded(name)

    def frozen_by(self, tenant: str, name: str, request: str) -> Version | None:
        """The version that this request has made."""
        items = self._table.query(keys.agent(tenant, name), prefix="VERSION#", newest_first=True)
        return next((Version.read(item) for item in items if item.get("request") == request), None)

    def versions(
        self, tenant: str, name: str, *, limit: int, token: str | None = None
    ) -> tuple[list[Version], str | None]:
        """A page, in order of number."""
        self._there(tenant, name)
        where = keys.agent(tenant, name)
        items, token = pages.page(self._table, where, prefix="VERSION#", limit=limit, token=token)
        return [Version.read(item) for item in items], token

    def version(self, tenant: str, name: str, version: str) -> tuple[Version, dict[str, Any]]:
        """The version and its configuration."""
        number = int(version) if version.isascii() and version.isdigit() and len(version) < 7 else 0
        item = self._table.get({"pk": keys.agent(tenant, name), "sk": f"VERSION#{number:06d}"})
        if item is None:
            raise NotFound(f"no version {version} of agent {name}")
        return Version.read(item), json.loads(self._contents.get(item))["source"]

    # -- aliases

    def put_alias(
        self,
        tenant: str,
        name: str,
        alias: str,
        routes: Sequence[tuple[str, int]],
        *,
        now: int,
        by: Principal | None = None,
        expected: Precondition = ANYTHING,
    ) -> Alias:
        """Lead `alias` to versions by weight. Sessions that began under it stay with the version they began with.

        Raises `PreconditionFailed`.
        """
        if alias == DRAFT:
            raise Invalid(f"the alias {DRAFT} always means the draft", path="alias")
        self._there(tenant, name)
        found = [(str(self.version(tenant, name, version)[0].version), weight) for version, weight in routes]
        made = weighted.checked(found)
        where = _alias(tenant, name, alias)
        for _ in range(WRITE_ATTEMPTS):
            there = self._table.get(where)
            expected.check(f"alias {alias}", tag(there))
            told = Alias(alias, made, changed_at(now, there), by)
            item = where | told.item
            try:
                if there is None:
                    self._table.put_once(item, condition=NEW)
                else:
                    seen = {":seen": there["updated_at"]}
                    self._table.put_once(item, condition="updated_at = :seen", values=seen)
            except StaleWrite:
                continue
            return told
        raise Conflict(f"alias {alias} is being changed by others; try again")

    def aliases(
        self, tenant: str, name: str, *, limit: int, token: str | None = None
    ) -> tuple[list[Alias], str | None]:
        """A page in order of alias, each with its routes in order of version."""
        self._there(tenant, name)
        where = keys.agent(tenant, name)
        items, token = pages.page(self._table, where, prefix="ALIAS#", limit=limit, token=token)
        return [Alias.read(item) for item in items], token

    def alias(self, tenant: str, name: str, alias: str) -> Alias:
        item = self._table.get(_alias(tenant, name, alias))
        if item is None:
            raise NotFound(f"no alias {alias} of agent {name}")
        return Alias.read(item)

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
        self._there(tenant, name)
        routes = self.alias(tenant, name, alias).routes
        chosen = weighted.chosen(routes, name=name, alias=alias, session_id=session_id)
        version, _ = self.version(tenant, name, chosen)
        agent = self.snapshot(tenant, name, version.digest)
        return PinnedAgent(agent, str(version.version), alias, version.digest)


def _alias(tenant: str, name: str, alias: str) -> keys.Key:
    return {"pk": keys.agent(tenant, name), "sk": f"ALIAS#{keys.quoted(alias)}"}


def _unchanged(there: Item | None) -> dict[str, Any]:
    if there is None:
        return {"condition": NEW}
    return {"condition": "rev = :rev", "values": {":rev": there["rev"]}}


def _crowded(name: str) -> Conflict:
    return Conflict(f"agent {name} is being changed by others; try again")


def _folder(tenant: str, name: str) -> str:
    return f"agents/{keys.quoted(tenant)}/{keys.quoted(name)}"
