"""Sessions: what they are, what was said and done in them, and how they end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from .connection import Connection, pages, segment
from .erasures import Erasure
from .items import Item, Wire, read_item
from .reading import mapping, text, text_or_none, whole


@dataclass(frozen=True, slots=True)
class Escalation:
    """A person has the session in hand, since the run `run_id` asked for one."""

    reason: str
    summary: str
    since: str
    run_id: str

    @classmethod
    def read(cls, wire: Mapping[str, Any]) -> Escalation | None:
        return cls(*(text(wire, name) for name in ("reason", "summary", "since", "runId"))) if wire else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A conversation that goes on with its next message, unless it was closed at `ended_at`.

    That of a replay was closed from its beginning. `summary_pending` is told by `end` alone: its memory still lacks
    something, which is being made up for.
    """

    session_id: str
    agent: str = ""
    agent_version: str = ""
    alias: str = ""
    memory_id: str | None = None
    created_at: str = ""
    expires_at: str = ""
    ended_at: str | None = None
    replay: bool = False
    turns: int = 0
    active_run_id: str | None = None
    escalation: Escalation | None = None
    session_attributes: dict[str, str] = field(default_factory=dict[str, str])
    summary_pending: bool = False
    wire: Wire = field(default_factory=Wire, repr=False, compare=False)

    @classmethod
    def read(cls, wire: Mapping[str, Any]) -> Session:
        attributes = mapping(wire, "sessionAttributes")
        return cls(
            session_id=text(wire, "sessionId"),
            agent=text(wire, "agent"),
            agent_version=text(wire, "agentVersion"),
            alias=text(wire, "alias"),
            memory_id=text_or_none(wire, "memoryId"),
            created_at=text(wire, "createdAt"),
            expires_at=text(wire, "expiresAt"),
            ended_at=text_or_none(wire, "endedAt"),
            replay=wire.get("replay") is True,
            turns=whole(wire, "turns"),
            active_run_id=text_or_none(wire, "activeRunId"),
            escalation=Escalation.read(mapping(wire, "escalation")),
            session_attributes={name: text(attributes, name) for name in attributes},
            summary_pending=wire.get("summaryPending") is True,
            wire=dict(wire),
        )


class Sessions:
    """Reads sessions, hands them back, closes and erases them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self, *, agent: str | None = None, memory_id: str | None = None) -> Iterator[Session]:
        """Those that have not expired, newest first; pages are read as they are needed."""
        query = {"agent": agent, "memoryId": memory_id}
        return (Session.read(wire) for wire in pages(self._connection, "/sessions", "sessions", query))

    def get(self, session_id: str) -> Session:
        _, wire = self._connection.request("GET", _path(session_id))
        return Session.read(wire)

    def items(self, session_id: str, *, run_id: str | None = None) -> Iterator[Item]:
        """Everything in the session, or in one run of it, in order; pages are read as they are needed."""
        path = f"{_path(session_id)}/items"
        return (read_item(wire) for wire in pages(self._connection, path, "items", {"runId": run_id}))

    def hand_back(self, session_id: str, note: str, *, idempotency_key: str | None = None) -> Session:
        """Give it back to its agent, which reads the note. Raises `Conflict` where no person has it."""
        path, body, key = f"{_path(session_id)}/hand-back", {"note": note}, idempotency_key or str(uuid4())
        _, wire = self._connection.request("POST", path, body, idempotency_key=key)
        return Session.read(wire)

    def end(self, session_id: str) -> Session:
        """Close it: its id begins anew. What was said stays readable until the session would have expired."""
        _, wire = self._connection.request("POST", f"{_path(session_id)}/end", repeatable=True)
        return Session.read(wire)

    def delete(self, session_id: str) -> Erasure:
        """Erase it with all that was said and what is remembered of it. Raises `SessionBusy`."""
        _, wire = self._connection.request("DELETE", _path(session_id))
        return Erasure.read(wire)


def _path(session_id: str) -> str:
    return f"/sessions/{segment(session_id)}"
