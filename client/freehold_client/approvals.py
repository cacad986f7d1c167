"""Approvals: runs that wait for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .connection import Connection, pages
from .items import Principal, Wire
from .reading import mapping, mappings, text, texts
from .waits import Awaited


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A run that waits for people until `expires_at`; `principal` asked for it."""

    run_id: str
    session_id: str = ""
    agent: str = ""
    principal: Principal | None = None
    kinds: tuple[str, ...] = ()
    expires_at: str = ""
    awaiting: tuple[Awaited, ...] = ()
    wire: Wire = field(default_factory=Wire, repr=False, compare=False)

    @classmethod
    def read(cls, wire: Mapping[str, Any]) -> Approval:
        return cls(
            run_id=text(wire, "runId"),
            session_id=text(wire, "sessionId"),
            agent=text(wire, "agent"),
            principal=Principal.read(mapping(wire, "principal")),
            kinds=texts(wire, "kinds"),
            expires_at=text(wire, "expiresAt"),
            awaiting=tuple(Awaited.read(each) for each in mappings(wire, "awaiting")),
            wire=dict(wire),
        )


class Approvals:
    """Lists what waits; `Runs.decide` decides about it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self, *, agent: str | None = None) -> Iterator[Approval]:
        """The first due first; pages are read as they are needed."""
        found = pages(self._connection, "/approvals", "approvals", {"agent": agent})
        return (Approval.read(wire) for wire in found)
