"""The run protocol's items: sessions, runs and what is written under them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ..values.content import Image
    from ..values.conversation import Compaction, Place
    from ..values.decision import Decision, Message, Refusal
    from ..values.history import Glance, History
    from ..values.memory import Summary
    from ..values.run import Discarded, Lap, LateResult, Marker, Principal, Result, Run, RunKey, Session


class Sessions(Protocol):
    """The run protocol's items. Every read is strongly consistent, every write conditional."""

    def session(self, tenant: str, session_id: str) -> Session | None: ...

    def run(self, key: RunKey) -> Run | None: ...

    def lap(self, key: RunKey, number: int) -> Lap | None: ...

    def compaction(self, key: RunKey) -> Compaction | None:
        """The newest one that was made in this turn or before it."""
        ...

    def history(self, key: RunKey, compaction: Compaction | None = None) -> History | None:
        """The run with everything under it, but for the laps that `compaction` stands for.

        Laps after `last_lap` are left out.
        """
        ...

    def laps_from(self, key: RunKey, lap: int, *, most: int, longest: int) -> tuple[History | None, bool]:
        """The run with that lap and those after it, `most` of them, with sums of nothing; and whether there are more.

        Their results are `Excerpt`s, of `longest` characters at most.
        """
        ...

    def glance(self, key: RunKey, lap: int, calls: Sequence[int]) -> Glance:
        """How far the run is: whether that lap is written, and which of these calls of the one before have results."""
        ...

    def past(self, key: RunKey, begins: Place = ...) -> Sequence[History]:
        """The turns of the conversation before this one, oldest first, from that place on."""
        ...

    def call(self, key: RunKey, lap: int, call: int) -> tuple[Run | None, Lap | None, Marker | Result | None]:
        """What RunTool needs, in one read."""
        ...

    def decisions(self, key: RunKey, lap: int) -> Sequence[Decision]:
        """All that was decided about the calls of a lap."""
        ...

    def decisions_before(self, key: RunKey, lap: int | None) -> Iterable[Decision]:
        """What was decided about the calls of the run's laps before that one, or of every lap, without comments."""
        ...

    def is_linked(self, key: RunKey, principal: Principal) -> bool:
        """Whether the principal wrote to the run's conversation."""
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

    def idempotent_run(self, tenant: str, key: str, *, now: int) -> tuple[str, str] | None:
        """The run id and the request digest that this idempotency key was used for, until it expires."""
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

    def request_cancel(self, run: Run, *, now: int, by: str | None) -> Run:
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

    def announced(self, run: Run) -> Run:
        """Set `announced` of a run that has ended: its answer alone is undelivered still."""
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


class Waits(Protocol):
    """What is written while a run waits. Every write is one transaction on the run's `rev`."""

    def park(self, run: Run, *, before: Run, session: Session | None, session_before: Session | None) -> None:
        """Put an AWAITING run, and list it by when it waits no longer. Raises `StaleWrite`."""
        ...

    def decide(
        self,
        decision: Decision,
        run: Run,
        *,
        before: Run,
        result: Result | None,
        session: Session | None,
        session_before: Session | None,
        writer: Principal | None,
        joins: bool,
        idempotency: tuple[str, str] | None,
        taken: Run | None = None,
        taken_before: Run | None = None,
    ) -> None:
        """Put a decision with the run that it changes, and the result that comes of it.

        A result takes the place of nothing, or of one that is `unknown`. A run that awaits nothing any more is no
        longer listed. `writer`, whose words are in it, is linked to the conversation. Raises `StaleWrite`, also where
        the call has been decided.
        """
        ...

    def repeat(self, run: Run, idempotency: tuple[str, str], *, now: int) -> None:
        """What makes a repeat find the run, for a request that changed nothing; not where it is there already."""
        ...

    def refuse(self, key: RunKey, refusal: Refusal) -> None:
        """Write down a decision that was not taken, once."""
        ...

    def put(self, run: Run, *, before: Run) -> None:
        """The run as it goes on waiting. Raises `StaleWrite`."""
        ...

    def leave_message(
        self,
        message: Message,
        run: Run,
        *,
        before: Run,
        session: Session | None,
        session_before: Session,
        writer: Principal,
        idempotency: tuple[str, str] | None,
    ) -> None:
        """Put a message for the person who has the conversation, and link its writer. Raises `StaleWrite`."""
        ...

    def join(self, session: Session, writer: Principal, *, before: Session, now: int) -> None:
        """Put the session, which names the writer now, and what leads from there to it. Raises `StaleWrite`."""
        ...

    def messages(self, key: RunKey) -> Iterable[Message]:
        """Those that came while a person had the conversation, newest first; read as they are taken."""
        ...

    def writers(self, key: RunKey) -> Iterable[tuple[int, str]]:
        """Who wrote each of them, with the lap whose call had a person take over."""
        ...

    def unsent(self, key: RunKey) -> Sequence[Message]:
        """Those that are yet to be sent, oldest first."""
        ...

    def sent(self, key: RunKey, message: Message) -> None:
        """Mark a message as sent."""
        ...

    def listed(self) -> Sequence[tuple[RunKey, int]]:
        """Parked runs with the time (epoch ms) at which they wait no longer, by an index: the first 1,000 at most."""
        ...
