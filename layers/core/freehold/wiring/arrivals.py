"""For messages that arrive, those that cannot be taken, and answers."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from .clients import client, setting

if TYPE_CHECKING:
    from ..adapters.dead_letters import SqsDeadLetters
    from ..adapters.replies import AwsReplies
    from ..arriving import ArriveCollaborators
    from ..ending import EndCollaborators
    from ..ways_in import Reader


# What the longest message takes whose table does not answer, nor the dead letters: a call of `HURRIED` each.
MESSAGE_MS = 18_000


def arriving(ends: EndCollaborators, read: Reader, left_ms: Callable[[], int]) -> ArriveCollaborators:
    """For ingest. `read` checks bodies as HTTP checks them, `left_ms` is what is left of the invocation."""
    from .. import wiring
    from ..arriving import ArriveCollaborators
    from ..triggering import filled
    from ..ways_in import WayCollaborators
    from .triggers import triggers

    targets = frozenset(each.strip() for each in setting("REPLY_TARGETS").split(",") if each.strip())
    ways = WayCollaborators(wiring.access(), triggers(), read, filled, incoming_events())
    return ArriveCollaborators(
        ways, wiring.receiving(ends), dead_letters(), targets, lambda: left_ms() >= MESSAGE_MS
    )


def incoming_events() -> str:
    """The ARN of the one queue whose messages AWS alone writes."""
    return setting("INCOMING_EVENTS_ARN")


def api_role() -> str:
    """The id of the role that puts dead letters back."""
    return setting("API_ROLE_ID")


@cache
def dead_letters() -> SqsDeadLetters:
    """The queue that ingest puts them into."""
    from ..adapters.dead_letters import SqsDeadLetters

    return SqsDeadLetters(client("sqs"), (setting("DEAD_LETTERS"),))


@cache
def all_dead_letters() -> SqsDeadLetters:
    """With those that SQS itself put aside, in order."""
    from ..adapters.dead_letters import SqsDeadLetters

    queues = (setting("DEAD_LETTERS"), setting("REQUESTS_DEAD_LETTERS"))
    return SqsDeadLetters(client("sqs"), queues, api_role=api_role())


@cache
def replies() -> AwsReplies:
    from ..adapters.replies import AwsReplies

    return AwsReplies(lambda: client("sqs"), lambda: client("events"))
