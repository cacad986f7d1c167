"""Whole conversations, and what is remembered of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ..values.conversation import Erased, Lease, Link, Named
    from ..values.memory import Summary
    from ..values.run import Principal, Run, Session


class Memories(Protocol):
    """What agents remember: one summary for each session of a memory id."""

    def summary(self, run: Run) -> Summary | None:
        """That of the run's session; None where it is not, or no longer, to be remembered."""
        ...

    def recent(self, run: Run, *, most: int, now: int) -> Sequence[Summary]:
        """Those of other sessions in the run's memory that hold something, the newest `most`, oldest first.

        `now` is epoch ms: what has expired is left out.
        """
        ...

    def fold(self, summary: Summary, *, before: Summary) -> None:
        """Put `summary` in the place of `before`. Raises `StaleWrite` where that is not there any more."""
        ...

    def all(self, tenant: str, agent: str, memory_id: str) -> Iterator[Summary]:
        """Every summary of a memory as they are taken, oldest session first, empty ones included."""
        ...

    def forget(self, named: Named) -> Erased:
        """Delete what is remembered of a conversation, and what leads there. Where that is gone, nothing is erased."""
        ...


class Conversations(Protocol):
    """Whole conversations, and how they end."""

    def lease(self, tenant: str, conversation: str) -> Lease | None: ...

    def due(self, shard: int, *, now: int) -> Sequence[Lease]:
        """Leases whose time has come, by an index: read each before acting on it."""
        ...

    def extend(self, lease: Lease, *, due_at: int, erased_at: int | None = None) -> None:
        """Put it, there or not. Raises `StaleWrite` where it was erased by now, unless this one is `on_request`."""
        ...

    def runs(self, lease: Lease) -> Sequence[Run]:
        """Without what was said in them."""
        ...

    def anything_left(self, lease: Lease) -> bool: ...

    def replays(self, lease: Lease) -> Sequence[Lease]:
        """Leases of what replays runs of this conversation, by an index."""
        ...

    def remembered(self, tenant: str, agent: str, memory_id: str) -> Iterator[Sequence[Lease]]:
        """Leases of the conversations that a memory remembers, or did, page by page of an index."""
        ...

    def links(self, tenant: str, principal: Principal) -> Iterator[Sequence[Link]]:
        """All that a principal wrote to, page by page of an index."""
        ...

    def close(self, lease: Lease, session: Session | None) -> Erased:
        """Put the lease and delete the session item, in one transaction. Raises `StaleWrite`.

        On request what is remembered of the conversation goes with them: how much that was.
        """
        ...

    def erase(self, lease: Lease) -> Erased:
        """Delete every item and object of the conversation but its lease. Safe to repeat."""
        ...

    def end(self, lease: Lease) -> None:
        """Delete the lease itself."""
        ...
