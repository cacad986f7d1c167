"""What the core needs from outside. Adapters fulfil these; `wiring` chooses which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from .values.agent import Agent, ModelChoice
    from .values.content import Image
    from .values.model import ModelEntry, ModelReply, ModelRequest
    from .values.run import (
        Discarded,
        History,
        Lap,
        LateResult,
        Marker,
        Result,
        Run,
        RunKey,
        Session,
    )

# Of the index of open runs.
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

    def history(self, key: RunKey) -> History | None:
        """The run with everything under it; laps after `last_lap` are left out."""
        ...

    def past(self, key: RunKey) -> Sequence[History]:
        """The turns of the conversation before this one, oldest first."""
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
        self, session: Session, before: Session | None, run: Run, *, idempotency: tuple[str, str] | None
    ) -> Run:
        """Write both in one transaction, images apart; the run as it is stored.

        Raises `StaleWrite` if the session is no longer as `before`.
        """
        ...

    def start(self, run: Run, *, now: int, lost_starts: int = 0, lost_after: str = "") -> Run:
        """Raise the run's `execution` by one. Raises `StaleWrite` if it moved or is not RUNNING."""
        ...

    def add_lap(self, key: RunKey, lap: Lap) -> Lap:
        """Write `lap`, or return the one that an earlier attempt wrote."""
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

    def open_runs(self, shard: int) -> Sequence[RunKey]:
        """Runs that have not ended or are undelivered, by an index: read each before acting on it."""
        ...

    def newest_item(self, key: RunKey) -> tuple[str, int]:
        """Sort key and time (epoch ms) of the newest item under a run, the run itself included."""
        ...
