"""What becomes of a conversation as it grows, and when it ends."""

from __future__ import annotations

from decimal import Decimal

from ..value import Value, astuple
from .content import Usage
from .memory import Summary
from .run import Principal, RunKey, Session, Totals


class Place(Value, order=True):
    """Where in a conversation something begins: in turn `turn`, after its first `laps` laps."""

    turn: int = 1
    laps: int = 0


class Compaction(Value):
    """Stands in the place of all that came before `begins`. What it stands for stays readable.

    It was made in turn `turn`, after its lap `lap`. `covered` sums up the laps of turn `begins.turn` that it
    stands for. `text` is the model's.
    """

    turn: int
    lap: int
    id: str
    at: int
    begins: Place
    text: str
    model: str
    usage: Usage
    duration_ms: int
    cost_usd: Decimal | None = None
    attempt: int = 0
    covered: Totals = Totals()


class Lease(Value):
    """How long a conversation is kept: until `due_at` (epoch ms), and longer as long as its session points to it.

    `erased_at` is set once it was erased: the lease then waits for what a late step may still write; `on_request` where
    somebody asked for that, so that what is remembered goes as well. `replays` is the conversation that this
    one is a copy of, in part. `agent` remembers it under `memory_id`, where that is set.
    """

    tenant: str
    conversation: str
    session_id: str
    due_at: int
    erased_at: int | None = None
    replays: str | None = None
    agent: str = ""
    memory_id: str | None = None
    on_request: bool = False

    @property
    def key(self) -> RunKey:
        """Of no turn; it names the conversation."""
        return RunKey(self.tenant, self.conversation, 0)


class Link(Value):
    """Leads from a principal to a conversation that it wrote to or, with a `memory_id`, to what is remembered of it.

    `expires_at` is epoch seconds; None where it goes with the conversation. `decided`: they have decided about a call
    there with words of their own, which makes nobody a user of the session.
    """

    tenant: str
    conversation: str
    session_id: str
    principal: Principal
    at: int
    agent: str = ""
    memory_id: str | None = None
    expires_at: int | None = None
    decided: bool = False


# Each names a conversation, its session, and the memory that it is remembered in, if any.
Named = Session | Lease | Link | Summary


class Erased(Value):
    """How much was erased."""

    sessions: int = 0
    runs: int = 0
    items: int = 0
    objects: int = 0
    summaries: int = 0

    def __add__(self, other: Erased) -> Erased:
        return Erased(*map(sum, zip(astuple(self), astuple(other), strict=True)))
