"""A run with what is written under it: what every decision is made from."""

from __future__ import annotations

from typing import Any

from ..value import Value, asdict, field
from .decision import Decision
from .run import Discarded, Lap, LateResult, Marker, Result, Run, Spent, Totals, added


class History(Value):
    """A run and what is written under it, in order: everything, or what follows its first laps.

    `before` sums up the laps that were not read, because a compaction stands in their place. `decisions` are about
    calls of the last lap, where somebody has to agree to one.
    """

    run: Run
    laps: tuple[Lap, ...] = ()
    results: dict[tuple[int, int], Result] = field(default_factory=dict[tuple[int, int], Result])
    markers: dict[tuple[int, int], Marker] = field(default_factory=dict[tuple[int, int], Marker])
    discarded: tuple[Discarded, ...] = ()
    late: dict[tuple[int, int], LateResult] = field(default_factory=dict[tuple[int, int], LateResult])
    before: Totals = Totals()
    decisions: tuple[Decision, ...] = ()

    @property
    def last(self) -> Lap | None:
        return self.laps[-1] if self.laps else None

    @property
    def unanswered(self) -> tuple[int, ...]:
        """Indices of the last lap's calls that have no result yet; a marked one counts."""
        if self.last is None:
            return ()
        return tuple(i for i in self.last.open_calls if (self.last.lap, i) not in self.results)

    @property
    def session_attributes(self) -> dict[str, str]:
        """As of now: those of the last lap, changed by its tools' answers in call order."""
        given = self.last.session_attributes if self.last else self.run.session_attributes
        return self._changed(given, [result.session_attributes for result in self._last_results])

    @property
    def prompt_session_attributes(self) -> dict[str, str]:
        """As `session_attributes`, but for this run alone."""
        given = self.last.prompt_session_attributes if self.last else self.run.prompt_session_attributes
        return self._changed(given, [result.prompt_session_attributes for result in self._last_results])

    @property
    def _last_results(self) -> list[Result]:
        if self.last is None:
            return []
        found = (self.results.get((self.last.lap, i)) for i in self.last.open_calls)
        return [result for result in found if result is not None]

    @staticmethod
    def _changed(given: dict[str, str], changes: list[dict[str, str] | None]) -> dict[str, str]:
        return dict(given) | {name: text for change in changes if change for name, text in change.items()}

    @property
    def refused_only(self) -> bool:
        """Whether the last lap asked for calls and none of them may be made."""
        return self.last is not None and bool(self.last.calls) and not self.last.open_calls

    @property
    def totals(self) -> Totals:
        """Sums over the laps so far, every discarded reply and every compaction."""
        replies = (*self.laps, *self.discarded)
        spent = sum((Spent(reply.usage, reply.cost_usd) for reply in replies), self.run.compacting)
        return Totals(
            self.before.laps + len(self.laps),
            self.before.calls + sum(len(lap.calls) for lap in self.laps),
            self.before.usage + spent.usage,
            added(self.before.cost_usd, spent.cost_usd),
        )


class Excerpt(Result):
    """A result for those who are told its beginning: of all that was said, `length` tells how much that is."""

    length: int = 0

    @classmethod
    def of(cls, result: Result, most: int) -> Excerpt:
        """No more than so many characters."""
        told: dict[str, Any] = asdict(result) | {"content": result.content[:most]}
        return cls(**told, length=len(result.content))


class Glance(Value):
    """How far a run is: the `rev` of its item (None where it is gone), its next lap, and calls with results."""

    rev: int | None
    lap: bool
    results: frozenset[int]
