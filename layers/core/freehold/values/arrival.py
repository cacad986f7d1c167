"""What comes from a queue."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Self

from ..value import Value

# As SQS has them.
DEDUPLICATION = re.compile(r"[!-~]{1,128}")
SENDER = re.compile(r"[!-~]{1,256}")


class Arrival(Value):
    """A message as its queue hands it over, for the `received`th time. `queue` is the queue's ARN.

    `deduplication` tells it from the others of its queue; where a queue has no such ids, it is the message's own. One
    that was put back has the `sender` and the id that it had at first, and says by whom it was (`redriven_by`).
    """

    queue: str
    id: str
    body: str
    sender: str
    deduplication: str
    group: str | None = None
    received: int = 1
    redriven_by: str | None = None

    @classmethod
    def of(cls, record: Mapping[str, Any], *, api_role: str | None = None) -> Self:
        """From a record of the event that Lambda makes of a queue's messages. `api_role`: see `sent_first`."""
        about = record["attributes"]
        given = record.get("messageAttributes", {})
        told = {name: value.get("stringValue") for name, value in given.items()}
        came_back = is_of_role(about["SenderId"], api_role)
        return cls(
            queue=record["eventSourceARN"],
            id=record["messageId"],
            body=record["body"],
            sender=sent_first(about["SenderId"], told, api_role=api_role),
            deduplication=first_id(told) or about.get("MessageDeduplicationId") or record["messageId"],
            group=about.get("MessageGroupId"),
            received=int(about["ApproximateReceiveCount"]),
            redriven_by=told.get("redriver") if came_back else None,
        )

    @property
    def queue_name(self) -> str:
        return self.queue.rpartition(":")[2]


def first_id(told: Mapping[str, str | None]) -> str | None:
    """One that was put back bears a new id, and its first one among its attributes.

    Any sender may say so: it is one of its own queue's ids, whichever way it is said.
    """
    first = told.get("deduplication") or ""
    return first if DEDUPLICATION.fullmatch(first) else None


def sent_first(sender: str, told: Mapping[str, str | None], *, api_role: str | None) -> str:
    """Who sent it first. What a message says of that is believed of the role alone that puts messages back."""
    first = told.get("sender") or ""
    return first if is_of_role(sender, api_role) and SENDER.fullmatch(first) else sender


def is_of_role(sender: str, role_id: str | None) -> bool:
    """A role's sessions are named by its id, which no other role ever has, and a name of their own."""
    return bool(role_id) and sender.startswith(f"{role_id}:")
