"""Agents: drafts, frozen versions and the aliases that point to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from .connection import Connection, pages, segment
from .errors import InvalidRequest, Problem
from .items import Principal, Wire
from .reading import mapping, mappings, text, text_or_none, texts, whole


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool by the name that the model sees. `waits_for`: who or what decides on a call of it, in that order.

    `definition` is the digest that a tool of an MCP server is pinned by.
    """

    name: str
    description: str
    action_group: str
    executor: str = ""
    waits_for: tuple[str, ...] = ()
    definition: str = ""

    @classmethod
    def read(cls, wire: Mapping[str, Any]) -> Tool:
        return cls(
            name=text(wire, "name"),
            description=text(wire, "description"),
            action_group=text(wire, "actionGroup"),
            executor=text(wire, "executor"),
            waits_for=texts(wire, "waitsFor"),
            definition=text(wire, "definition"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """An agent as it is stored. `configuration` is the document itself, `digest` names its content.

    `etag` names this state of it, for `if_match`.
    """

    agent_name: str
    digest: str = ""
    tools: tuple[Tool, ...] = ()
    warnings: tuple[str, ...] = ()
    configuration: dict[str, Any] = field(default_factory=dict[str, Any])
    updated_at: str | None = None
    updated_by: Principal | None = None
    etag: str = field(default="", compare=False)
    wire: Wire = field(default_factory=Wire, repr=False, compare=False)

    @classmethod
    def read(cls, wire: Mapping[str, Any], etag: str = "") -> Agent:
        return cls(
            agent_name=text(wire, "agentName"),
            digest=text(wire, "digest"),
            tools=tuple(Tool.read(tool) for tool in mappings(wire, "tools")),
            warnings=texts(wire, "warnings"),
            configuration=dict(mapping(wire, "agent")),
            updated_at=text_or_none(wire, "updatedAt"),
            updated_by=Principal.read(mapping(wire, "updatedBy")),
            etag=etag,
            wire=dict(wire),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSummary:
    agent_name: str
    description: str = ""
    foundation_model: str = ""
    updated_at: str = ""
    wire: Wire = field(default_factory=Wire, repr=False, compare=False)

    @classmethod
    def read(cls, wire: Mapping[str, Any]) -> AgentSummary:
        model = wire.get("foundationModel")
        return cls(
            agent_name=text(wire, "agentName"),
            description=text(wire, "description"),
            foundation_model=text(mapping(wire, "foundationModel"), "model") or str(model or ""),
            updated_at=text(wire, "updatedAt"),
            wire=dict(wire),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A frozen draft. `configuration` is empty in lists."""

    version: str
    digest: str = ""
    created_at: str = ""
    created_by: Principal | None = None
    configuration: dict[str, Any] = field(default_factory=dict[str, Any])
    wire: Wire = field(default_factory=Wire, repr=False, compare=False)

    @classmethod
    def read(cls, wire: Mapping[str, Any]) -> Version:
        return cls(
            version=text(wire, "version"),
            digest=text(wire, "digest"),
            created_at=text(wire, "createdAt"),
            created_by=Principal.read(mapping(wire, "createdBy")),
            configuration=dict(mapping(wire, "agent")),
            wire=dict(wire),
        )


@dataclass(frozen=True, slots=True)
class Route:
    """`weight` in a hundred new sessions begin on `version`."""

    version: str
    weight: int = 100


@dataclass(frozen=True, slots=True)
class Alias:
    """A name that runs can ask for. `etag` names this state of it, for `if_match`; lists have none."""

    alias: str
    routes: tuple[Route, ...]
    etag: str = field(default="", compare=False)
    wire: Wire = field(default_factory=Wire, repr=False, compare=False)
    updated_by: Principal | None = None

    @property
    def versions(self) -> tuple[str, ...]:
        """Those that its routes lead to."""
        return tuple(route.version for route in self.routes)

    @classmethod
    def read(cls, wire: Mapping[str, Any], etag: str = "") -> Alias:
        routes = tuple(
            Route(text(route, "version"), whole(route, "weight") if "weight" in route else 100)
            for route in mappings(wire, "routes")
        )
        by = Principal.read(mapping(wire, "updatedBy"))
        return cls(text(wire, "alias"), routes, etag, dict(wire), by)


class Agents:
    """Stores, reads, freezes and removes agents.

    With `if_match`, the `etag` of what was read, a change is made only as long as nobody else has made one; otherwise
    it raises `PreconditionFailed`.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def apply(
        self, configuration: Mapping[str, Any], *, if_match: str | None = None, only_new: bool = False
    ) -> Agent:
        """Make `configuration` the draft of the agent that it names, where `only_new` only if there is none yet."""
        name = configuration.get("agentName")
        if not isinstance(name, str) or not name:
            problem = Problem("agentName", "required: a text of 1 to 100 letters, digits, '-' or '_'")
            raise InvalidRequest(400, "Invalid", "the configuration has no agentName", [problem])
        etag, wire = self._connection.tagged(
            "PUT", _path(name), configuration, _precondition(if_match, only_new=only_new)
        )
        return Agent.read(wire, etag)

    def get(self, name: str) -> Agent:
        etag, wire = self._connection.tagged("GET", _path(name))
        return Agent.read(wire, etag)

    def list(self) -> Iterator[AgentSummary]:
        return (AgentSummary.read(wire) for wire in pages(self._connection, "/agents", "agents"))

    def delete(self, name: str, *, if_match: str | None = None) -> None:
        self._connection.tagged("DELETE", _path(name), precondition=_precondition(if_match))

    def freeze(self, name: str, *, idempotency_key: str | None = None) -> Version:
        """Make a version, which never changes again, from the draft."""
        path, key = f"{_path(name)}/versions", idempotency_key or str(uuid4())
        _, wire = self._connection.request("POST", path, idempotency_key=key)
        return Version.read(wire)

    def versions(self, name: str) -> Iterator[Version]:
        found = pages(self._connection, f"{_path(name)}/versions", "versions")
        return (Version.read(wire) for wire in found)

    def version(self, name: str, version: str) -> Version:
        return Version.read(self._read(f"{_path(name)}/versions/{segment(version)}"))

    def point(
        self,
        name: str,
        alias: str,
        versions: Sequence[str] | Mapping[str, int],
        *,
        if_match: str | None = None,
        only_new: bool = False,
    ) -> Alias:
        """Lead `alias` to one version, or to several with their weights, which sum up to 100."""
        weights = versions.items() if isinstance(versions, Mapping) else ((each, None) for each in versions)
        routes = [
            {"version": version} | ({} if weight is None else {"weight": weight})
            for version, weight in weights
        ]
        etag, wire = self._connection.tagged(
            "PUT",
            f"{_path(name)}/aliases/{segment(alias)}",
            {"routes": routes},
            _precondition(if_match, only_new=only_new),
        )
        return Alias.read(wire, etag)

    def aliases(self, name: str) -> Iterator[Alias]:
        return (Alias.read(wire) for wire in pages(self._connection, f"{_path(name)}/aliases", "aliases"))

    def alias(self, name: str, alias: str) -> Alias:
        etag, wire = self._connection.tagged("GET", f"{_path(name)}/aliases/{segment(alias)}")
        return Alias.read(wire, etag)

    def _read(self, path: str) -> Mapping[str, Any]:
        _, wire = self._connection.request("GET", path)
        return wire


def _precondition(if_match: str | None, *, only_new: bool = False) -> dict[str, str]:
    matches = {} if if_match is None else {"if-match": if_match}
    return matches | ({"if-none-match": "*"} if only_new else {})


def _path(name: str) -> str:
    return f"/agents/{segment(name)}"
