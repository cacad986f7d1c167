"""Ask once more, of another model: the same input, the same past, and tools that answer by the record."""

from __future__ import annotations

from collections.abc import Callable

from .errors import Conflict, NotFound, StaleWrite
from .ports import Agents, Sessions
from .repeated import run_under
from .value import Value
from .values.agent import Agent
from .values.run import Principal, Run, RunKey, Session

TRIGGER = "replay"
ATTEMPTS = 5


class ReplayCollaborators(Value):
    """`pin` stores a snapshot of the run's agent with the other model, and gives its digest."""

    sessions: Sessions
    agents: Agents
    pin: Callable[[Run], str]
    now: Callable[[], int]
    new_conversation: Callable[[], str]
    new_session_id: Callable[[], str]


def begin_replay(
    key: RunKey,
    principal: Principal,
    using: ReplayCollaborators,
    *,
    idempotency: tuple[str, str] | None = None,
) -> Run:
    """Begin a replay of a run that has ended, in a session of its own that takes no other message.

    It bears the turn of the run that it replays, so that calls have the same names. It changes no memory.
    The same `idempotency` key and request digest again get the replay that the first ones began.
    Raises `NotFound`, and `Conflict` where the run has not ended or is a replay itself.
    """
    begun = run_under(key.tenant, idempotency, using.sessions, now=using.now())
    if begun is not None:
        return begun
    original = _replayable(key, using.sessions)
    digest, now = using.pin(original), using.now()
    agent = using.agents.snapshot(original.tenant, original.agent, digest)
    run = _replay(original, principal, digest, agent, now=now, using=using)
    session = Session(
        tenant=run.tenant,
        session_id=run.session_id,
        conversation=run.conversation,
        agent=run.agent,
        agent_version=run.agent_version,
        agent_digest=digest,
        alias=run.alias,
        next_turn=run.turn + 1,
        rev=0,
        created_at=now,
        expires_at=now // 1000 + agent.idle_session_ttl_seconds + run.timeout_seconds,
        active_turn=run.turn,
        session_attributes=run.session_attributes,
        ended_at=now,
        principals=(principal.name,),
    )
    return _begun(session, run, key, idempotency, using)


def _replayable(key: RunKey, sessions: Sessions) -> Run:
    original = sessions.run(key)
    if original is None:
        raise NotFound(f"no run {key.run_id}")
    if not original.ended:
        raise Conflict(f"run {key.run_id} has not ended; only a whole run can be replayed")
    if original.replays is not None:
        raise Conflict(f"run {key.run_id} is a replay of {original.replays}; replay that one")
    return original


def _begun(
    session: Session,
    run: Run,
    original: RunKey,
    idempotency: tuple[str, str] | None,
    using: ReplayCollaborators,
) -> Run:
    """The write rests on the original, which may have been erased or, by the delivery of its end, changed."""
    for _ in range(ATTEMPTS):
        try:
            return using.sessions.begin(session, None, run, summary=None, idempotency=idempotency)
        except StaleWrite:
            begun = run_under(run.tenant, idempotency, using.sessions, now=using.now())
            if begun is not None:
                return begun
            if using.sessions.run(original) is None:
                raise NotFound(f"no run {original.run_id}") from None
    raise Conflict(f"run {original.run_id} changed at each of {ATTEMPTS} attempts to replay it")


def _replay(
    original: Run, principal: Principal, digest: str, agent: Agent, *, now: int, using: ReplayCollaborators
) -> Run:
    timeout = agent.limits.timeout_seconds
    return Run(
        tenant=original.tenant,
        conversation=using.new_conversation(),
        turn=original.turn,
        session_id=using.new_session_id(),
        agent=original.agent,
        agent_version=original.agent_version,
        agent_digest=digest,
        alias=original.alias,
        mode=agent.mode,
        status="RUNNING",
        principal=principal,
        trigger=TRIGGER,
        input=original.input,
        created_at=now,
        timeout_seconds=timeout,
        session_attributes=original.session_attributes,
        prompt_session_attributes=original.prompt_session_attributes,
        deadline_at=now + timeout * 1000,
        images=original.images,
        replays=original.key.run_id,
    )
