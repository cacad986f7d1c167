"""Sessions over HTTP: read, handed back, closed and erased."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .. import wiring
from ..adapters.lists import PAGE_BYTES, sent_bytes
from ..approving import Asked
from ..closing import end_session
from ..collaborating import waiting_for
from ..deciding import decide_call, go_on
from ..ending import EndCollaborators
from ..erasing import ErasingCollaborators, erase_session
from ..errors import Conflict, NotFound
from ..parking import ParkCollaborators, announce
from ..repeated import run_under
from ..values.run import Run, RunKey, Session
from . import requests, runs, shapes
from .call import Call
from .caller import Caller
from .idempotency import request_digest
from .shapes import Json

# A control character takes seven bytes as JSON text inside JSON.
SENDABLE_CHARACTERS = PAGE_BYTES // 7


class HandBackBody(requests.Body):
    """`POST /sessions/{session}/hand-back`."""

    note: Annotated[str, Field(min_length=1, max_length=20_000)]


def listed(caller: Caller, query: dict[str, str] | None) -> Json:
    """Newest first, expired ones left out. A page may be short while a token says that there is more."""
    caller.needs("read")
    asked = requests.read_list_query(query, "agent", "memoryId")
    asked_for = {"agent": asked.agent, "memory_id": asked.memoryId}
    wanted = {name: value for name, value in asked_for.items() if value is not None}
    found, token = wiring.lists().sessions(
        caller.tenant, wanted=wanted, limit=asked.limit, token=asked.nextToken
    )
    told = [shapes.session_shape(session) for session in found if _is_there(session)]
    return shapes.page({"sessions": told}, token)


def get(caller: Caller, session_id: str) -> Json:
    return shapes.session_shape(_find(caller.needs("read", "run"), session_id))


def _find(caller: Caller, session_id: str) -> Session:
    session = wiring.sessions().session(caller.tenant, session_id)
    if session is None or not _is_there(session):
        raise NotFound(f"no session {session_id}")
    return session


def _is_there(session: Session) -> bool:
    """One that was closed is there for as long as it would have been."""
    return session.expires_at > wiring.now() // 1000


def items(caller: Caller, session_id: str, query: dict[str, str] | None) -> Json:
    """The session's present conversation, or one run of it, in order."""
    caller.needs("read", "run")
    asked = requests.read_list_query(query, "runId")
    if asked.runId:
        run = runs.find(caller, asked.runId)
        if run.session_id != session_id:
            raise NotFound(f"no run {asked.runId} in session {session_id}")
        key = run.key
    else:
        session = _find(caller, session_id)
        key = RunKey(session.tenant, session.conversation, 0)
    page = wiring.lists().items(key, one_run=bool(asked.runId), limit=asked.limit, token=asked.nextToken)
    told = (
        shapes.item_shape(RunKey(key.tenant, key.conversation, turn), record) for turn, record in page.records
    )
    return shapes.page({"items": [_sendable(item) for item in told if item is not None]}, page.token)


def _sendable(item: Json) -> Json:
    """A result that fills more than a whole answer is cut; `resultLength` tells how long it is."""
    result = item.get("result", "")
    if len(result) <= SENDABLE_CHARACTERS or sent_bytes(item) <= PAGE_BYTES:
        return item
    return item | {"result": result[:SENDABLE_CHARACTERS], "resultLength": len(result)}


def hand_back(call: Call, using: ParkCollaborators) -> Json:
    """Give an escalated session back to its agent, which is told the note. Raises `Conflict` where it is not one.

    Its Idempotency-Key is written with the decision, so that a repeat cannot answer what was escalated since.
    """
    caller = call.caller.needs("run", "approve")
    note = requests.read(HandBackBody, requests.document(call.body)).note
    key = requests.idempotency_key(call.idempotency_key)
    used = None if key is None else (key, request_digest("POST /sessions/{session}/hand-back", call))
    session = _find(caller, call["session_id"])
    done = run_under(caller.tenant, used, wiring.sessions(), now=wiring.now())
    run = go_on(done, using.ends.deciding) if done else _handed_back(session, note, used, caller, using)
    announce(run, using)
    return shapes.session_shape(_find(caller, session.session_id))


def _handed_back(
    session: Session, note: str, used: tuple[str, str] | None, caller: Caller, using: ParkCollaborators
) -> Run:
    run = _escalated(session)
    waiting = [each for each in run.pending if each.kind == "handback"]
    for each in waiting:
        # With the last one: where this dies before it, the same request does the rest.
        own = used if each is waiting[-1] else None
        asked = Asked(
            each.lap, each.call, "result", each.digest, content=note, kind="handback", idempotency=own
        )
        run = decide_call(run.key, asked, caller.decider, using.ends.deciding)
    return run


def _escalated(session: Session) -> Run:
    """The run that waits for a person: the session's own, or that of an agent which it has asked."""
    turn = session.active_turn
    active = turn and wiring.sessions().run(RunKey(session.tenant, session.conversation, turn))
    run = waiting_for("handback", active, wiring.sessions()) if active else None
    if run is None:
        raise Conflict(f"session {session.session_id} is not escalated: its agent has it")
    return run


def end(caller: Caller, session_id: str, using: EndCollaborators) -> Json:
    """Close the session. `summaryPending`: its memory still lacks something, which is being made up for.

    A run that is parked is cancelled. Raises `SessionBusy` while one is at work.
    """
    tenant, by = caller.needs("run").tenant, caller.principal.name
    session, started = end_session(tenant, session_id, using, by=by)
    return shapes.session_shape(session) | {"summaryPending": started}


def delete(caller: Caller, session_id: str, using: ErasingCollaborators) -> Json:
    """Erase the session with its conversation and its summary, as `end` ends it."""
    tenant = caller.needs("admin").tenant
    return shapes.erasure_shape(erase_session(tenant, session_id, using))
