"""What the core needs from outside. Adapters fulfil these; `wiring` chooses which."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from .values.agent import Agent, ModelChoice
    from .values.content import Image
    from .values.conversation import Compaction, Erased, Lease, Link, Named, Place
    from .values.history import History
    from .values.memory import Summary
    from .values.model import ModelEntry, ModelReply, ModelRequest
    from .values.run import Discarded, Lap, LateResult, Marker, Principal, Result, Run, RunKey, Session

# Of the index of open runs, and of leases.
SHARDS = 16


class Model(Protocol):
    """One attempt at one model call."""

    def reply(self, request: ModelRequest) -> ModelReply:
        """Raises `ModelThrottled` or `ModelUnavailable` (try again), `ModelRejected` (never will work)."""
        ...


class Models(Protocol):
    """The models that this deployment can reach."""

    def choose(self, choice: ModelChoice) -> tuple[Model, ModelEntry]:
        """The model to call and the catalog row that prices it. Raises `ModelRejected` for an unknown one."""
        ...


class Agents(Protocol):
    """Compiled agents, immutable by digest."""

    def snapshot(self, tenant: str, name: str, digest: str) -> Agent:
        """Raises `NotFound`."""
        ...


class Executions(Protocol):
    """The agent loop's executions."""

    def start(self, run: Run) -> None:
        """Start execution `run.execution` of `run`; one that was started already is success."""
        ...

    def summarize(self, run: Run) -> None:
        """Start attempt `run.summary_attempts` at summing up a run that has ended; one that was started is success."""
        ...

    def state(self, run: Run) -> Literal["alive", "aborted", "dead", "unknown"]:
        """What became of `run.execution`. `aborted`: an operator stopped it. Express answers `unknown`."""
        ...


class Tools(Protocol):
    """The functions that tools run on."""

    def invoke(self, arn: str, event: Mapping[str, Any], *, timeout_seconds: int) -> Any:
        """One attempt; the function's own JSON answer.

        Raises `ToolThrottled` where it surely did not run, `ToolUnavailable` where it could not be reached,
        `OutcomeUnknown` where it may have run, `ToolFailed` where it ran and raised.
        """
        ...


class Events(Protocol):
    """The stack's event bus."""

    def publish(self, detail_type: str, detail: Mapping[str, Any]) -> None: ...


class Sessions(Protocol):
    """The run protocol's items. Every read is strongly consistent, every write conditional."""

    def session(self, tenant: str, session_id: str) -> Session | None: ...

    def run(self, key: RunKey) -> Run | None: ...

    def compaction(self, key: RunKey) -> Compaction | None:
        """The newest one that was made in this turn or before it."""
        ...

    def history(self, key: RunKey, compaction: Compaction | None = None) -> History | None:
        """The run with everything under it, but for the laps that `compaction` stands for.

        Laps after `last_lap` are left out.
        """
        ...

    def past(self, key: RunKey, begins: Place = ...) -> Sequence[History]:
        """The turns of the conversation before this one, oldest first, from that place on."""
        ...

    def call(self, key: RunKey, lap: int, call: int) -> tuple[Run | None, Lap | None, Marker | Result | None]:
        """What RunTool needs, in one read."""
        ...

    def image(self, image: Image) -> Image:
        """A stored image with its bytes."""
        ...

    def next_run(self, key: RunKey) -> Run | None:
        """The lowest later turn that has not ended."""
        ...

    def has_open_turn_before(self, key: RunKey) -> bool:
        """Whether an earlier turn of the conversation has not ended."""
        ...

    def idempotent_run(self, tenant: str, key: str) -> tuple[str, str] | None:
        """The run id and the request digest that this idempotency key was used for."""
        ...

    def begin(
        self,
        session: Session,
        before: Session | None,
        run: Run,
        *,
        summary: Summary | None,
        idempotency: tuple[str, str] | None,
    ) -> Run:
        """Write all in one transaction, images apart; the run as it is stored.

        So are lease and links; `summary` is the empty one of a session that is to be remembered.
        Raises `StaleWrite` if the session is no longer as `before`, or the run that this one replays is gone.
        """
        ...

    def change(self, session: Session, *, before: Session) -> None:
        """Put it and a lease until it expires, in one transaction. Raises `StaleWrite`."""
        ...

    def start(self, run: Run, *, now: int, lost_starts: int = 0, lost_after: str = "") -> Run:
        """Raise the run's `execution` by one. Raises `StaleWrite` if it moved or is not RUNNING."""
        ...

    def add_lap(self, key: RunKey, lap: Lap) -> Lap:
        """Write `lap`, or return the one that an earlier attempt wrote."""
        ...

    def add_compaction(self, compaction: Compaction | None, run: Run, *, before: Run) -> None:
        """Write it with the run that counts it, or the run alone. Raises `StaleWrite`, also where one is there."""
        ...

    def add_discarded(self, reply: Discarded, run: Run, *, before: Run) -> None:
        """Write it with the run that counts it, in one transaction. Raises `StaleWrite`."""
        ...

    def add_result(self, key: RunKey, result: Result) -> None:
        """Write the result of a call, or nothing if it bears a marker or a result already."""
        ...

    def mark(self, key: RunKey, marker: Marker) -> bool:
        """False if the call bears a marker or a result already."""
        ...

    def unmark(self, key: RunKey, marker: Marker) -> None:
        """Take back a marker of a call that surely was not made; nothing if it is no longer there."""
        ...

    def replace_marker(self, key: RunKey, marker: Marker, result: Result) -> bool:
        """False if that marker is no longer there."""
        ...

    def add_late_result(self, key: RunKey, late: LateResult) -> None: ...

    def keep_words(self, run: Run, words: str) -> None:
        """Put down what the provider said of a failure. Raises `StaleWrite`."""
        ...

    def request_cancel(self, run: Run, *, now: int) -> Run:
        """Raises `StaleWrite`."""
        ...

    def finish(
        self,
        run: Run,
        *,
        before: Run,
        results: Sequence[Result],
        markers: Mapping[tuple[int, int], Marker],
        session: Session | None,
        session_before: Session | None,
        activated: Run | None,
        activated_before: Run | None,
    ) -> None:
        """End `run` in one transaction with all that hangs on it. Raises `StaleWrite`."""
        ...

    def activate(
        self, run: Run, *, before: Run, session: Session | None, session_before: Session | None
    ) -> None:
        """Make a QUEUED run the active one. Raises `StaleWrite`."""
        ...

    def end_queued(self, run: Run, *, before: Run) -> None:
        """End a run that never became active. Raises `StaleWrite`."""
        ...

    def delivered(self, run: Run) -> None:
        """Clear `undelivered`."""
        ...

    def summarized(self, run: Run) -> None:
        """Clear `summary_due`."""
        ...

    def try_summary(self, run: Run, *, now: int) -> Run:
        """Count another attempt at the run's summary. Raises `StaleWrite`."""
        ...

    def open_runs(self, shard: int) -> Sequence[RunKey]:
        """Runs that have not ended, are undelivered or due to be summed up, by an index: read each before acting."""
        ...

    def newest_item(self, key: RunKey) -> tuple[str, int]:
        """Sort key and time (epoch ms) of the newest item under a run, the run itself included."""
        ...


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
