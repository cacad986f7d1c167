"""Memories: what agents remember of earlier sessions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .connection import Connection, pages, segment
from .erasures import WORK_SECONDS, Erasure, until_complete
from .items import Usage, Wire
from .reading import mapping, mappings, number, text, texts, whole


@dataclass(frozen=True, slots=True, kw_only=True)
class RememberedSession:
    """One session in a memory, through its turn `turns`; 0 says that nothing was summed up yet.

    Lists leave out what is remembered and what that took. `cost_usd` is None where a price is unknown.
    """

    session_id: str
    memory_id: str = ""
    agent_version: str = ""
    started_at: str = ""
    updated_at: str = ""
    expires_at: str = ""
    turns: int = 0
    topics: tuple[str, ...] = ()
    open_points: tuple[str, ...] = ()
    preferences: tuple[str, ...] = ()
    usage: Usage = Usage()
    cost_usd: float | None = None
    wire: Wire = field(default_factory=Wire, repr=False, compare=False)

    @classmethod
    def read(cls, wire: Mapping[str, Any], memory_id: str = "") -> RememberedSession:
        return cls(
            session_id=text(wire, "sessionId"),
            memory_id=text(wire, "memoryId") or memory_id,
            agent_version=text(wire, "agentVersion"),
            started_at=text(wire, "startedAt"),
            updated_at=text(wire, "updatedAt"),
            expires_at=text(wire, "expiresAt"),
            turns=whole(wire, "turns"),
            topics=texts(wire, "topics"),
            open_points=texts(wire, "openPoints"),
            preferences=texts(wire, "preferences"),
            usage=Usage.read(mapping(wire, "usage")),
            cost_usd=number(wire, "costUsd"),
            wire=dict(wire),
        )


@dataclass(frozen=True, slots=True)
class Memory:
    """What an agent remembers under `memory_id`, oldest session first; of the newest 200 at most."""

    memory_id: str
    agent: str
    sessions: tuple[RememberedSession, ...] = ()
    wire: Wire = field(default_factory=Wire, repr=False, compare=False)

    @classmethod
    def read(cls, wire: Mapping[str, Any]) -> Memory:
        memory_id = text(wire, "memoryId")
        sessions = tuple(RememberedSession.read(each, memory_id) for each in mappings(wire, "sessions"))
        return cls(memory_id, text(wire, "agent"), sessions, dict(wire))


class Memories:
    """Reads what agents remember, and makes them forget."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self, agent: str) -> Iterator[RememberedSession]:
        """Each session in each memory of the agent, newest first; pages are read as they are needed."""
        found = pages(self._connection, f"/agents/{segment(agent)}/memories", "memories")
        return (RememberedSession.read(wire) for wire in found)

    def get(self, agent: str, memory_id: str) -> Memory:
        _, wire = self._connection.request("GET", _path(agent, memory_id))
        return Memory.read(wire)

    def delete(self, agent: str, memory_id: str, *, session_id: str | None = None) -> Erasure:
        """Forget the memory, or what it holds of one session. The sessions stay: `erasures` removes those too."""
        path, query = _path(agent, memory_id), {"sessionId": session_id}
        return until_complete(
            lambda: self._connection.request("DELETE", path, query=query, extra_seconds=WORK_SECONDS)[1]
        )


def _path(agent: str, memory_id: str) -> str:
    return f"/agents/{segment(agent)}/memories/{segment(memory_id)}"
