"""What agents remember, over HTTP."""

from __future__ import annotations

from collections.abc import Sequence

from .. import wiring
from ..erasing import forget
from ..errors import NotFound
from ..values.memory import Summary
from . import requests, shapes
from .caller import Caller
from .erasures import work_is_over
from .shapes import Json


def listed(caller: Caller, agent: str, query: dict[str, str] | None) -> Json:
    """Newest session first. A page may be short while a token says that there is more."""
    tenant = caller.needs("read").tenant
    asked = requests.read_list_query(query)
    found, token = wiring.lists().summaries(tenant, agent, limit=asked.limit, token=asked.nextToken)
    if not found:
        # Memories outlive their agent, so it is asked for only where there are none.
        wiring.agents().draft(tenant, agent)
    told = [
        {
            "memoryId": summary.memory_id,
            "sessionId": summary.session_id,
            "startedAt": shapes.iso(summary.started_at),
            "updatedAt": shapes.iso(summary.updated_at),
            "turns": summary.through_turn,
        }
        for summary in _kept(found)
    ]
    return shapes.page({"memories": told}, token)


def get(caller: Caller, agent: str, memory_id: str) -> Json:
    """What is remembered of each session, oldest first: of the newest, where one answer does not hold all."""
    found = _kept(wiring.lists().memory(caller.needs("read").tenant, agent, memory_id))
    if not found:
        raise NotFound(f"no memory {memory_id} of agent {agent}")
    told = [shapes.summary_shape(summary) for summary in found]
    return {"memoryId": memory_id, "agent": agent, "sessions": told}


def _kept(found: Sequence[Summary]) -> list[Summary]:
    """Without those whose time is over and that the table has not removed yet."""
    return [summary for summary in found if summary.expires_at > wiring.now() // 1000]


def delete(caller: Caller, agent: str, memory_id: str, query: dict[str, str] | None) -> Json:
    """Forget a memory, or what it holds of one session, for 20 seconds at most. The sessions themselves stay."""
    tenant = caller.needs("admin").tenant
    asked = requests.read_query(query, "sessionId")
    until = work_is_over()
    using = wiring.erasing(wiring.endings())
    report = forget(tenant, agent, memory_id, using, until, session_id=asked.sessionId)
    return shapes.erasure_shape(report.erased, complete=report.complete)
