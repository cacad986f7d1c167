"""Parked runs that wait for people, over HTTP."""

from __future__ import annotations

from .. import wiring
from ..values.run import Lap, Run
from . import requests, shapes
from .awaiting import awaiting_shape
from .caller import Caller
from .shapes import Json


def listed(caller: Caller, query: dict[str, str] | None) -> Json:
    """The first due first. A page may be short while a token says that there is more."""
    tenant = caller.needs("approve", "read").tenant
    asked = requests.read_list_query(query, "agent")
    found, token = wiring.lists().approvals(
        tenant, agent=asked.agent, limit=asked.limit, token=asked.nextToken
    )
    return shapes.page({"approvals": [_shape(run, lap) for run, lap in found]}, token)


def _shape(run: Run, lap: Lap) -> Json:
    return {
        "runId": run.key.run_id,
        "sessionId": run.session_id,
        "agent": run.agent,
        "principal": shapes.principal_shape(run.principal),
        "kinds": sorted({each.kind for each in run.pending}),
        "expiresAt": shapes.iso(run.waits_until),
        "awaiting": awaiting_shape(run, lap),
    }
