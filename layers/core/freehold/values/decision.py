"""What runs wait for, and what is decided about it."""

from __future__ import annotations

from typing import Literal

from ..value import Value
from .agent import Wait

Verdict = Literal["approve", "deny", "result"]
# Nobody decided in time: `Decision.by` of what the sweeper decides then.
EXPIRED = "freehold:expired"


class Pending(Value):
    """What a parked run waits for. `digest` names run, call, tool and arguments: a decision repeats it."""

    lap: int
    call: int
    kind: Wait
    digest: str


class ParentCall(Value):
    """The call of another agent's run that a run answers. `agents` are those above it, the first one first."""

    run_id: str
    lap: int
    call: int
    agents: tuple[str, ...]


class Escalation(Value):
    """A session is in the hands of a person since `at` (epoch ms), by call `call` of lap `lap` of turn `turn`."""

    turn: int
    lap: int
    call: int
    at: int
    reason: str
    summary: str


class Decision(Value):
    """What was decided of one call, once. `request` is the digest of all that was sent: it tells a repeat.

    `by` is `type:id` of the principal, or a run's id where another agent answered. `digest` is what the call and its
    arguments were named by. The result that comes of it is the call's own item.
    """

    lap: int
    call: int
    wait: Wait
    verdict: Verdict
    by: str
    at: int
    digest: str
    request: str
    comment: str = ""


class Refusal(Value):
    """A decision that was not taken, and why. `call` is as it was sent."""

    id: str
    call: str
    verdict: str
    by: str
    at: int
    reason: str


class Parked(Value):
    """Lists a parked run: by `due_at` (epoch ms), the time at which it waits no longer."""

    tenant: str
    conversation: str
    turn: int
    agent: str
    session_id: str
    due_at: int
    kinds: tuple[Wait, ...]


class Message(Value):
    """What a user wrote while a person had the conversation, since `lap`. `sent`: the person's queue has it."""

    id: str
    text: str
    by: str
    at: int
    lap: int = 0
    sent: bool = False
