"""Sessions, runs, laps and calls: the items of the run protocol (docs/protocol.md)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

from ..value import Value, field
from .content import Fallback, Image, Usage
from .decision import Escalation, ParentCall, Pending

Status = Literal["QUEUED", "RUNNING", "AWAITING", "COMPLETED", "FAILED", "CANCELLED", "STOPPED"]
CallOutcome = Literal["success", "error", "unknown", "cancelled", "denied"]

# What the model is told of a call whose outcome is `unknown`.
UNKNOWN = (
    "The outcome of this call is unknown: it may or may not have taken effect, and it was not repeated. "
    "Check before asking for it again, and tell the user."
)
ENDED: frozenset[Status] = frozenset(("COMPLETED", "FAILED", "CANCELLED", "STOPPED"))


class RunKey(Value):
    """Names a run. Its id is made of conversation and turn, so reading a run by id needs no index."""

    tenant: str
    conversation: str
    turn: int

    @property
    def run_id(self) -> str:
        return f"{self.conversation}-{self.turn}"

    @classmethod
    def parse(cls, tenant: str, run_id: str) -> RunKey | None:
        """None where the text is no run id at all."""
        conversation, _, turn = run_id.rpartition("-")
        plain = turn.isascii() and turn.isdigit() and 0 < len(turn) < 7 and not turn.startswith("0")
        if not plain or not (conversation.isascii() and conversation.isalnum()):
            return None
        return cls(tenant, conversation, int(turn))


class Principal(Value):
    """Who asked: `type` is `key`, `iam`, `oidc`, …; `id` is unique within it."""

    type: str
    id: str

    @property
    def name(self) -> str:
        return f"{self.type}:{self.id}"

    @classmethod
    def named(cls, name: str | None) -> Principal | None:
        """None where what an earlier release wrote does not say who."""
        kind, _, who = (name or "").partition(":")
        return cls(kind, who) if name else None


class Session(Value):
    """Points to its present conversation. Judged expired by `expires_at` (epoch seconds) alone.

    `ended_at` is set where somebody closed it: its id then begins a new conversation as an expired one's does.
    `principals` are the first who wrote to its conversation, as `type:id`. `earlier` are conversations that it pointed
    to before, newest first.
    `carried` are fields that a newer release wrote: while two are deployed, what one puts back keeps the other's.
    """

    tenant: str
    session_id: str
    conversation: str
    agent: str
    agent_version: str
    agent_digest: str
    alias: str
    next_turn: int
    rev: int
    created_at: int
    expires_at: int
    active_turn: int | None = None
    session_attributes: dict[str, str] = field(default_factory=dict[str, str])
    memory_id: str | None = None
    ended_at: int | None = None
    escalation: Escalation | None = None
    principals: tuple[str, ...] = ()
    earlier: tuple[str, ...] = ()
    carried: dict[str, Any] = field(default_factory=dict[str, Any])

    def is_live(self, now: int) -> bool:
        """Whether its next message goes on with its conversation; `now` is epoch ms."""
        return self.ended_at is None and self.expires_at > now // 1000


class Spent(Value):
    """What model calls took beside the laps. `cost_usd` is None where a price is not known."""

    usage: Usage = Usage()
    cost_usd: Decimal | None = Decimal(0)

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.usage + other.usage, added(self.cost_usd, other.cost_usd))


def added(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    """The sum of two costs, unknown where one is."""
    return None if one is None or other is None else one + other


class Totals(Value):
    """Sums over a run, with discarded replies and compactions. `cost_usd` is None where any part has no known price."""

    laps: int = 0
    calls: int = 0
    usage: Usage = Usage()
    cost_usd: Decimal | None = Decimal(0)


class RunError(Value):
    type: str
    message: str


class Run(Value):
    """One turn of a conversation. Times are epoch milliseconds.

    `execution` counts the executions that were started for it; a step of an older one writes nothing. `rev` rises
    with every write to the item. `deadline_at` is set when the run becomes RUNNING. `model_words` are what the
    provider said when the model last failed: the run's error quotes them. `carried`: see `Session`.

    `summary_due`: its session's memory lacks it yet; `summary_attempts` executions were begun for that, the last one at
    `summary_tried_at`.
    `replays` is the id of the run whose records answer this one's tools. `compacting` is what its compactions took.

    An AWAITING run was parked at `parked_at`, for `pending`, until `waits_until` at most. `undelivered` is then set
    until all is told, and `announced` once messages to a person are all that is left of it. It went on at
    `resumed_at`, and `deadline_at` was put off by as much: not before execution `resumed_from` has one after it.
    `children` are ids of the runs that its calls to other agents began; `parent` is the call that it answers itself.
    `cancelled_by` is `type:id` of whoever asked for its end; it may have come to another one first.
    `reply_to` is the ARN of the queue or event bus that its answer goes to, where `request_id` names what it answers;
    once that is all that is undelivered of a run that has ended, it is `announced`.
    `hops` is how many runs led to it one by another's event, or by the event of one that asked this agent.
    """

    tenant: str
    conversation: str
    turn: int
    session_id: str
    agent: str
    agent_version: str
    agent_digest: str
    alias: str
    mode: Literal["durable", "fast"]
    status: Status
    principal: Principal
    trigger: str
    input: str
    created_at: int
    timeout_seconds: int
    execution: int = 0
    rev: int = 0
    session_attributes: dict[str, str] = field(default_factory=dict[str, str])
    prompt_session_attributes: dict[str, str] = field(default_factory=dict[str, str])
    started_at: int | None = None
    deadline_at: int | None = None
    cancel_requested_at: int | None = None
    cancelled_by: str | None = None
    finished_at: int | None = None
    last_lap: int | None = None
    stop_reason: str | None = None
    error: RunError | None = None
    totals: Totals | None = None
    undelivered: bool = False
    lost_starts: int = 0
    lost_after: str = ""
    images: tuple[Image, ...] = ()
    model_words: str = ""
    memory_id: str | None = None
    summary_due: bool = False
    summary_attempts: int = 0
    summary_tried_at: int = 0
    replays: str | None = None
    compacting: Spent = Spent()
    pending: tuple[Pending, ...] = ()
    parked_at: int | None = None
    waits_until: int = 0
    announced: bool = False
    resumed_at: int = 0
    resumed_from: int = 0
    children: tuple[str, ...] = ()
    parent: ParentCall | None = None
    reply_to: str | None = None
    request_id: str | None = None
    hops: int = 0
    carried: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def key(self) -> RunKey:
        return RunKey(self.tenant, self.conversation, self.turn)

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    @property
    def has_gone_on(self) -> bool:
        """Whether it waits no longer, and has no execution yet that takes it further."""
        return self.status == "RUNNING" and 0 < self.execution == self.resumed_from


class Call(Value):
    """A tool call that a lap asks for. `refused` says why it never reaches a tool; the model is told that."""

    name: str
    arguments: str
    refused: str | None = None


class Lap(Value):
    """One reply of the model. `id` names the invocation that wrote it; the attributes are as of this lap.

    `reasoning_by` is the `ModelEntry.maker` that can read `reasoning`. `estimate` is how many tokens its request
    was taken for: beside what the provider counted, it tells how this model counts.
    """

    lap: int
    id: str
    at: int
    model: str
    text: str
    calls: tuple[Call, ...]
    usage: Usage
    duration_ms: int
    stop: str
    cost_usd: Decimal | None = None
    attempt: int = 0
    reasoning: str | None = None
    session_attributes: dict[str, str] = field(default_factory=dict[str, str])
    prompt_session_attributes: dict[str, str] = field(default_factory=dict[str, str])
    reasoning_by: str | None = None
    fallback: Fallback | None = None
    estimate: int = 0

    @property
    def open_calls(self) -> tuple[int, ...]:
        """Indices of the calls that need a result from a tool."""
        return tuple(i for i, call in enumerate(self.calls) if call.refused is None)


class Discarded(Value):
    """A reply that lost the race for its lap. Its tokens were billed, so they count."""

    lap: int
    id: str
    at: int
    model: str
    usage: Usage
    cost_usd: Decimal | None = None


class Marker(Value):
    """A call that may not be repeated is being made by invocation `marked_by`, until `until` (epoch ms) at most."""

    lap: int
    call: int
    tool: str
    marked_by: str
    until: int
    at: int


class Result(Value):
    """What a call came to. `content` is what the model is told. `decided_by`: who said so, where no tool did."""

    lap: int
    call: int
    tool: str
    outcome: CallOutcome
    content: str
    at: int
    duration_ms: int = 0
    attempt: int = 0
    session_attributes: dict[str, str] | None = None
    prompt_session_attributes: dict[str, str] | None = None
    decided_by: str | None = None


class LateResult(Value):
    """A true result that came after its call was written down as `unknown`. Kept, never used by the loop."""

    lap: int
    call: int
    content: str
    at: int
