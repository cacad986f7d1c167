"""What is read of a conversation for a run's next step: no more than what no compaction stands for."""

from __future__ import annotations

from collections.abc import Sequence

from .ports import Sessions
from .value import Value, replace
from .values.conversation import Compaction, Place
from .values.history import History
from .values.run import Run, RunKey


class Reading(Value):
    """A run as it is written, and the compaction that stands for what came before."""

    current: History
    compaction: Compaction | None

    @property
    def run(self) -> Run:
        return self.current.run


def read(key: RunKey, sessions: Sessions) -> Reading | None:
    """None where the run is not there."""
    compaction = sessions.compaction(key)
    current = sessions.history(key, compaction)
    if current is None:
        return None
    replayed = _replayed(current.run)
    if compaction is None and replayed and replayed.turn > 1:
        # A replay has the past of the run that it replays, and with it what stood for the oldest part of that.
        compaction = sessions.compaction(replace(replayed, turn=replayed.turn - 1))
    return Reading(current, compaction)


def past(reading: Reading, sessions: Sessions) -> Sequence[History]:
    """The turns before the run's own, but for what the compaction stands for."""
    key = _replayed(reading.run) or reading.run.key
    begins = reading.compaction.begins if reading.compaction else Place()
    return sessions.past(key, begins) if key.turn > 1 else ()


def _replayed(run: Run) -> RunKey | None:
    return RunKey.parse(run.tenant, run.replays) if run.replays else None
