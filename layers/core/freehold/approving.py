"""Who may decide what about a call, and whether they decide about the call that they were shown."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Iterator

from .errors import Conflict, Denied
from .ports import Sessions, Waits
from .value import Value
from .values.agent import Agent, Wait
from .values.decision import Pending, Verdict
from .values.run import Principal, Run, RunKey

ALLOWED: dict[Wait, tuple[Verdict, ...]] = {
    "confirmation": ("approve", "deny"),
    "approval": ("approve", "deny"),
    "result": ("result", "deny"),
    "answer": ("result", "deny"),
    "handback": ("result",),
    # By the run of that agent alone.
    "agent": (),
    "outcome": ("result", "deny"),
}


class Decider(Value):
    """Who decides. Freehold itself, for time that has passed or another agent's run, has no `principal`.

    `admitted`: that they may decide was settled before.
    """

    name: str
    principal: Principal | None = None
    scopes: frozenset[str] = frozenset()
    admitted: bool = False

    @property
    def is_checked(self) -> bool:
        return self.principal is not None and not self.admitted


class Asked(Value):
    """A decision as it was sent. `digest` is what the call was shown with; `content` the result, where there is one.

    `kind`: only as long as the call waits for that. `idempotency` is written with the decision. `takes` is a queued run
    whose message it is, and which ends with that.
    """

    lap: int
    call: int
    verdict: Verdict
    digest: str
    comment: str = ""
    content: str = ""
    ok: bool = True
    session_attributes: dict[str, str] | None = None
    prompt_session_attributes: dict[str, str] | None = None
    kind: Wait | None = None
    idempotency: tuple[str, str] | None = None
    takes: Run | None = None

    @property
    def request(self) -> str:
        """Tells a repeat from another decision."""
        attributes = [self.session_attributes, self.prompt_session_attributes]
        told = [self.verdict, self.digest, self.comment, self.content, self.ok, *attributes]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def check(
    name: str,
    wanted: Pending,
    verdict: Verdict,
    digest: str,
    by: Decider,
    *,
    run: Run,
    agent: Agent,
    wrote: Callable[[], bool],
    heard: Callable[[], Iterable[str]],
) -> None:
    """Raises `Denied` or `Conflict` where the decision is not to be taken.

    `wrote`: are they a user of the session. `heard`: `heard_before` this call's lap.
    """
    if not hmac.compare_digest(digest.encode(), wanted.digest.encode()):
        raise Conflict(
            f"argumentsDigest does not name call {name} as it stands: read the run again and decide about what it shows"
        )
    _check_person(wanted.kind, by, run=run, agent=agent, wrote=wrote, heard=heard)
    if verdict not in ALLOWED[wanted.kind]:
        allowed = " or ".join(ALLOWED[wanted.kind]) or "nothing: another agent answers it"
        raise Conflict(f"call {name} waits for {wanted.kind}; allowed is {allowed}, not {verdict}")


def _check_person(
    kind: Wait,
    by: Decider,
    *,
    run: Run,
    agent: Agent,
    wrote: Callable[[], bool],
    heard: Callable[[], Iterable[str]],
) -> None:
    own, approves = by.principal == run.principal, is_approver(agent, by)
    if kind == "confirmation" and not own:
        raise Denied("only the user who asked for this run may confirm its calls")
    if kind == "approval" and own and agent.approvals.not_requester:
        raise Denied("whoever asked for this run may not approve its calls")
    if kind in ("approval", "handback") and not approves:
        raise Denied(f"approvers of agent {agent.name} are: {', '.join(agent.approvals.approvers)}")
    if kind == "approval" and agent.approvals.not_requester and by.name in heard():
        raise Denied("whoever told this run something before it asked for this call may not approve it")
    if kind in ("result", "answer", "outcome") and not (own or approves or wrote()):
        raise Denied("only a user of this session or an approver may send this")


def is_approver(agent: Agent, by: Decider) -> bool:
    """By name or by scope. `admin` has every scope, but is on no list of names."""
    named = set(agent.approvals.approvers)
    any_scope = "admin" in by.scopes and any(name.startswith("scope:") for name in named)
    return any_scope or bool(named & {by.name, *(f"scope:{scope}" for scope in by.scopes)})


def heard_before(run: Run, lap: int, sessions: Sessions, waits: Waits) -> Iterator[str]:
    """Who told the run something before that lap, by an answer, a result, a note or a message: `type:id` of each.

    So does whoever told it to an agent that this one had asked, or to one that this one answers.
    """
    yield from _heard(run.key, lap, sessions, waits)
    above = RunKey.parse(run.tenant, run.parent.run_id) if run.parent else None
    parent = sessions.run(above) if above else None
    if parent and run.parent:
        yield from heard_before(parent, run.parent.lap, sessions, waits)


def _heard(key: RunKey, lap: int | None, sessions: Sessions, waits: Waits) -> Iterator[str]:
    for each in sessions.decisions_before(key, lap):
        if each.verdict == "result":
            yield each.by
            below = RunKey.parse(key.tenant, each.by) if each.wait == "agent" else None
            if below:
                yield from _heard(below, None, sessions, waits)
    for at, writer in waits.writers(key):
        if lap is None or at < lap:
            yield writer
