"""What messages that arrive need from outside, and where answers go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ..values.access import AccessEntry, EntryKind
    from ..values.arrival import Arrival
    from ..values.trigger import Trigger


class Access(Protocol):
    """Who may come in. Raises `StoreUnavailable`."""

    def find(self, kind: EntryKind, name: str) -> AccessEntry | None: ...

    def sources(self, tenant: str) -> Iterable[str]:
        """Of the events that its triggers may wait for; a `*` at the end of one stands for any text."""
        ...


class Triggers(Protocol):
    """What begins runs by itself. Raises `StoreUnavailable`."""

    def find(self, tenant: str, trigger_id: str) -> Trigger | None: ...


class DeadLetters(Protocol):
    """Messages that could not be taken."""

    def put(self, message: Arrival, *, reason: str, error: str, tenant: str | None) -> None:
        """`error` is the name of a class. May put a message twice. Raises `StoreUnavailable`."""
        ...


class Replies(Protocol):
    """Queues and event buses that answers go to."""

    def send(self, target: str, reply: Mapping[str, Any], *, group: str, reply_id: str) -> None:
        """`target` is an ARN. Those in order know a repeat by its id. Raises `StoreUnavailable`."""
        ...
