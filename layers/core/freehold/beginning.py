"""Begin a run: one message to one session, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Literal

from .errors import Conflict, Invalid, SessionBusy, StaleWrite
from .ports import Executions, Sessions
from .repeated import run_under
from .value import Value, field, replace
from .values.agent import Agent, PinnedAgent
from .values.content import Image
from .values.decision import ParentCall
from .values.memory import Summary
from .values.run import Principal, Run, RunKey, Session

BEGIN_ATTEMPTS = 100
START_ATTEMPTS = 20
# Principals and earlier conversations that a session names: those that are left out are found another way.
MOST_NAMED = 20


class Request(Value):
    """A message to an agent. `idempotency_key` makes a repeat of it return the run that the first one began.

    `session_named` is False where the session id was made for this request: a repeat bears another one. `parent` is the
    call that the run answers, `most_seconds` what bounds its time beside the agent's own limit. `answers` is False for
    what is no word of a user, and so never goes on with a run that waits for one.
    """

    tenant: str
    agent: str
    session_id: str
    input: str
    principal: Principal
    trigger: str
    alias: str | None = None
    session_attributes: dict[str, str] = field(default_factory=dict[str, str])
    prompt_session_attributes: dict[str, str] = field(default_factory=dict[str, str])
    when_busy: Literal["reject", "enqueue"] = "reject"
    idempotency_key: str | None = None
    session_named: bool = True
    images: tuple[Image, ...] = ()
    memory_id: str | None = None
    parent: ParentCall | None = None
    most_seconds: int | None = None
    reply_to: str | None = None
    request_id: str | None = None
    hops: int = 0
    answers: bool = True

    @property
    def digest(self) -> str:
        """Tells a repeat from another request under the same idempotency key."""
        if self.parent is not None:
            # Whatever was said meanwhile, it is the same call.
            return hashlib.sha256(
                f"{self.parent.run_id} {self.parent.lap} {self.parent.call}".encode()
            ).hexdigest()
        session = self.session_id if self.session_named else None
        attributes = (self.session_attributes, self.prompt_session_attributes)
        told: list[object] = [self.agent, self.alias, self.input, session, *attributes]
        if self.images:
            told.append([(image.format, image.data) for image in self.images])
        if self.memory_id is not None:
            told.append({"memory": self.memory_id})
        if self.reply_to is not None:
            told.append({"reply": self.reply_to})
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


# The session is there where it is live.
Pin = Callable[[Request, Session | None], PinnedAgent]


class BeginCollaborators(Value):
    """`pin` resolves agent, alias and the session's own pin; `wait` pauses between attempts of a crowded session."""

    sessions: Sessions
    pin: Pin
    now: Callable[[], int]
    new_conversation: Callable[[], str]
    wait: Callable[[int], None]


def begin_run(request: Request, using: BeginCollaborators) -> Run:
    """Write the session and its next turn in one transaction.

    Raises `SessionBusy` where the session answers another message and the request does not enqueue.
    """
    for attempt in range(BEGIN_ATTEMPTS):
        known = already_begun(request, using.sessions, now=using.now())
        if known is not None:
            return known
        before = using.sessions.session(request.tenant, request.session_id)
        live = before if before is not None and before.is_live(using.now()) else None
        if live is not None and live.agent != request.agent:
            raise Conflict(f"session {request.session_id} belongs to agent {live.agent}")
        if live is not None and live.active_turn is not None:
            _check_busy(request, RunKey(live.tenant, live.conversation, live.active_turn), using.sessions)
        session, run, summary = _next_turn(request, before, live, using)
        try:
            return using.sessions.begin(
                session, before, run, summary=summary, idempotency=_idempotency(request)
            )
        except StaleWrite:
            using.wait(attempt)
    raise StaleWrite(f"session {request.session_id} changed at each of {BEGIN_ATTEMPTS} attempts")


def _check_busy(request: Request, active: RunKey, sessions: Sessions) -> None:
    """Raises `SessionBusy` unless the request may wait for the active run: not where that waits for its user."""
    run = sessions.run(active)
    awaiting = run is not None and run.status == "AWAITING"
    kinds = {each.kind for each in run.pending} if run is not None and awaiting else set[str]()
    asks_user = request.parent is None and bool(kinds & {"answer", "handback"})
    if request.when_busy == "reject" or asks_user:
        raise SessionBusy(active.run_id, awaiting=awaiting, asks_user=asks_user)


def _idempotency(request: Request) -> tuple[str, str] | None:
    return (request.idempotency_key, request.digest) if request.idempotency_key else None


def already_begun(request: Request, sessions: Sessions, *, now: int) -> Run | None:
    """The run that a request with this idempotency key has begun, or has gone on with. Raises as `run_under`."""
    return run_under(request.tenant, _idempotency(request), sessions, now=now)


def _next_turn(
    request: Request, before: Session | None, live: Session | None, using: BeginCollaborators
) -> tuple[Session, Run, Summary | None]:
    now = using.now()
    pinned = using.pin(request, live)
    memory_id = _memory_id(request, live, pinned.agent)
    queued = live is not None and live.active_turn is not None
    turn = live.next_turn if live else 1
    limits = pinned.agent.limits
    attributes = {**(live.session_attributes if live else {}), **request.session_attributes}
    session = Session(
        tenant=request.tenant,
        session_id=request.session_id,
        conversation=live.conversation if live else using.new_conversation(),
        agent=request.agent,
        agent_version=pinned.version,
        agent_digest=pinned.digest,
        alias=pinned.alias,
        next_turn=turn + 1,
        active_turn=live.active_turn if live and queued else turn,
        rev=before.rev + 1 if before else 0,
        created_at=live.created_at if live else now,
        # A session outlives the run it waits for, so that the run's end still finds it.
        # Or for as long as the run is parked that this one waits for.
        expires_at=max(
            live.expires_at if live and queued else 0,
            now // 1000 + pinned.agent.idle_session_ttl_seconds + limits.timeout_seconds,
        ),
        session_attributes=live.session_attributes if live and queued else attributes,
        memory_id=memory_id,
        principals=_principals(request, live),
        earlier=_earlier(before, live),
        escalation=live.escalation if live else None,
        carried=live.carried if live else {},
    )
    summary = _empty_summary(session, pinned.agent, now=now) if live is None else None
    return session, _run(request, session, pinned.agent, turn, now=now), summary


def _principals(request: Request, live: Session | None) -> tuple[str, ...]:
    known = live.principals if live else ()
    name = request.principal.name
    return known if name in known else (*known, name)[:MOST_NAMED]


def _earlier(before: Session | None, live: Session | None) -> tuple[str, ...]:
    """Those whose place the session's conversation took, as long as it was not erased: newest first."""
    if live is not None:
        return live.earlier
    return (before.conversation, *before.earlier)[:MOST_NAMED] if before is not None else ()


def _memory_id(request: Request, live: Session | None, agent: Agent) -> str | None:
    """That of the session, which keeps the one that it began with."""
    if live is not None and request.memory_id not in (None, live.memory_id):
        began = f"with memoryId {live.memory_id}" if live.memory_id else "without a memoryId"
        raise Conflict(f"session {live.session_id} began {began}, and keeps to that")
    if request.memory_id is not None and agent.memory is None:
        raise Invalid(f"cannot be used: agent {agent.name} has no memoryConfiguration", path="memoryId")
    return live.memory_id if live is not None else request.memory_id


def _empty_summary(session: Session, agent: Agent, *, now: int) -> Summary | None:
    """The place that the session's notes will have; without it, nothing of the session is remembered."""
    if session.memory_id is None or agent.memory is None:
        return None
    return Summary(
        tenant=session.tenant,
        agent=session.agent,
        memory_id=session.memory_id,
        session_id=session.session_id,
        conversation=session.conversation,
        agent_version=session.agent_version,
        started_at=now,
        updated_at=now,
        expires_at=max(session.expires_at, now // 1000 + agent.memory.storage_days * 86_400),
    )


def _run(request: Request, session: Session, agent: Agent, turn: int, *, now: int) -> Run:
    """A queued run keeps what its request gave; the session's attributes join it when its turn comes."""
    queued, timeout = session.active_turn != turn, agent.limits.timeout_seconds
    timeout = timeout if request.most_seconds is None else min(timeout, request.most_seconds)
    return Run(
        tenant=request.tenant,
        conversation=session.conversation,
        turn=turn,
        session_id=request.session_id,
        agent=request.agent,
        agent_version=session.agent_version,
        agent_digest=session.agent_digest,
        alias=session.alias,
        mode=agent.mode,
        status="QUEUED" if queued else "RUNNING",
        principal=request.principal,
        trigger=request.trigger,
        input=request.input,
        created_at=now,
        timeout_seconds=timeout,
        session_attributes=request.session_attributes if queued else session.session_attributes,
        prompt_session_attributes=request.prompt_session_attributes,
        deadline_at=None if queued else now + timeout * 1000,
        images=request.images,
        memory_id=session.memory_id,
        parent=request.parent,
        reply_to=request.reply_to,
        request_id=request.request_id,
        hops=request.hops,
    )


def start_run(run: Run, sessions: Sessions, executions: Executions, *, now: int) -> Run:
    """Give the run its first execution. A repeat starts the same one again, which is harmless."""
    run = _given_execution(run, 1, sessions, now=now)
    if run.status == "RUNNING" and run.execution == 1:
        executions.start(run)
    return run


def continue_run(
    key: RunKey, execution: int, sessions: Sessions, executions: Executions, *, now: int
) -> None:
    """Hand the run from execution n to n+1. A repeat starts n+1 again, which is harmless."""
    run = sessions.run(key)
    if run is None:
        return
    run = _given_execution(run, execution + 1, sessions, now=now)
    if run.status == "RUNNING" and run.execution == execution + 1:
        executions.start(run)


def _given_execution(run: Run, number: int, sessions: Sessions, *, now: int) -> Run:
    """The run with execution `number`, whoever gave it; as it is where it has ended or is elsewhere."""
    for _ in range(START_ATTEMPTS):
        if run.status != "RUNNING" or run.execution != number - 1:
            return run
        try:
            return sessions.start(run, now=now)
        except StaleWrite:
            # It may be no start that was quicker but a cancel, and a cancelled run needs an execution to end.
            run = sessions.run(run.key) or run
    raise StaleWrite(f"run {run.key.run_id} changed at each of {START_ATTEMPTS} attempts to start it")


def activated(run: Run, *, session_attributes: dict[str, str], now: int) -> Run:
    """A QUEUED run whose turn has come. Its deadline counts from here."""
    return replace(
        run,
        status="RUNNING",
        rev=run.rev + 1,
        deadline_at=now + run.timeout_seconds * 1000,
        session_attributes={**session_attributes, **run.session_attributes},
    )
