"""Runs over HTTP."""

from __future__ import annotations

import time
import uuid

from .. import wiring
from ..beginning import Request, start_run
from ..ending import EndCollaborators, cancel_run
from ..errors import NotFound
from ..receiving import ReceiveCollaborators, receive
from ..values.run import Run, RunKey
from . import images, requests, shapes
from .awaiting import awaiting_shape
from .caller import Caller
from .shapes import Json

WAIT_STEP_SECONDS = 0.1


def start(
    caller: Caller,
    agent: str,
    body: str | None,
    idempotency_key: str | None,
    receiving: ReceiveCollaborators,
) -> tuple[Json, int]:
    """Begin and start a run: 202 with its ids, or 200 with the whole of it if it ended within `waitSeconds`.

    Where somebody has to decide first, the 202 says about what. A message to a session that waits for its user, or that
    a person has in hand, goes on with the run that waits.
    """
    caller.needs("run")
    asked = requests.read(requests.RunBody, requests.document(body))
    request = Request(
        tenant=caller.tenant,
        agent=agent,
        session_id=asked.sessionId or uuid.uuid4().hex,
        session_named=asked.sessionId is not None,
        memory_id=asked.memoryId,
        input=asked.input,
        images=images.read([image.data for image in asked.images]),
        principal=caller.principal,
        trigger="http",
        alias=asked.alias,
        session_attributes=asked.sessionAttributes,
        prompt_session_attributes=asked.promptSessionAttributes,
        when_busy=asked.whenBusy,
        idempotency_key=requests.idempotency_key(idempotency_key),
    )
    run = receive(request, receiving)
    return started(run, wait_seconds=asked.waitSeconds)


def started(run: Run, *, wait_seconds: int) -> tuple[Json, int]:
    """Start a run that was begun, and answer with its ids or, if it ends in time, with the whole of it."""
    run = start_run(run, wiring.sessions(), wiring.executions(), now=wiring.now())
    run = _wait(run, wait_seconds)
    if run.ended:
        return whole(run), 200
    ids = {"runId": run.key.run_id, "sessionId": run.session_id, "status": run.status}
    return ids | ({"replays": run.replays} if run.replays else {}) | _awaited(run), 202


def _wait(run: Run, seconds: int) -> Run:
    until = time.monotonic() + seconds
    while not run.ended and not _awaits_people(run) and time.monotonic() < until:
        time.sleep(WAIT_STEP_SECONDS)
        run = wiring.sessions().run(run.key) or run
    return run


def _awaits_people(run: Run) -> bool:
    """Whether nothing happens before somebody decides; another agent answers by itself."""
    return any(each.kind != "agent" for each in run.pending)


def get(caller: Caller, run_id: str) -> Json:
    return whole(find(caller.needs("read", "run", "approve"), run_id))


def find(caller: Caller, run_id: str) -> Run:
    """Raises `NotFound`."""
    key = RunKey.parse(caller.tenant, run_id)
    run = wiring.sessions().run(key) if key else None
    if run is None:
        raise NotFound(f"no run {run_id}")
    return run


def whole(run: Run) -> Json:
    """With what it awaits, and the output: the text of the last lap, which for a stopped run is what it had reached."""
    lap = wiring.sessions().lap(run.key, run.last_lap) if run.last_lap else None
    return shapes.run_shape(run, output=lap.text if lap else None) | _awaited(run)


def _awaited(run: Run) -> Json:
    if not run.pending:
        return {}
    return {"awaiting": awaiting_shape(run, wiring.sessions().lap(run.key, run.pending[0].lap))}


def listed(caller: Caller, query: dict[str, str] | None) -> Json:
    """Newest first. A page may be short while a token says that there is more."""
    caller.needs("read")
    asked = requests.read_list_query(query, "sessionId", "agent", "status", "createdAfter", "createdBefore")
    asked_for = {"session_id": asked.sessionId, "agent": asked.agent, "status": asked.status}
    wanted = {name: value for name, value in asked_for.items() if value is not None}
    created = (requests.epoch_ms(asked.createdAfter), requests.epoch_ms(asked.createdBefore))
    runs, token = wiring.lists().runs(
        caller.tenant, wanted=wanted, limit=asked.limit, token=asked.nextToken, created=created
    )
    return shapes.page({"runs": [shapes.run_shape(run) for run in runs]}, token)


def cancel(caller: Caller, run_id: str, using: EndCollaborators) -> Json:
    run = find(caller.needs("run"), run_id)
    return shapes.run_shape(cancel_run(run.key, using, by=caller.principal.name))
