"""Whoever follows a run gets every event once: in any order of writes and reads, and however often they leave."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from freehold.values.run import Lap

from .followed import Client, Record


class Life:
    """A run's record, written step after step as `draw` has it, by every rule of the run protocol."""

    def __init__(self, draw: Any) -> None:
        self.record, self._draw, self._attempts = Record(), draw, 0

    def steps(self) -> Iterator[None]:
        yield
        self.record.start()
        yield
        for last in range(self._draw(st.integers(0, 3)), -1, -1):
            yield from self._lap(self._draw(st.integers(1, 3)) if last else 0)
            if self._draw(st.integers(0, 9)) == 0:
                break
        # At times a lap is written that the end no longer counts.
        written = len(self.record.laps)
        late = self._draw(st.booleans()) and written > 0 and not self.record.laps[-1].calls
        status = "COMPLETED" if not late else "CANCELLED"
        self.record.end(status, last_lap=written - 1 if late else written)
        yield

    def _lap(self, calls: int) -> Iterator[None]:
        texts: dict[str, str] = {}
        for _ in range(self._draw(st.integers(1, 3))):
            self._attempts += 1
            attempt = f"a{self._attempts}"
            texts[attempt] = ""
            for _ in range(self._draw(st.integers(0, 3))):
                # An attempt that was given up may write on.
                writer = self._draw(st.sampled_from(list(texts)))
                piece = self._draw(st.text("ab", min_size=1, max_size=3))
                self.record.tell(writer, piece, began_at=int(writer[1:]))
                texts[writer] += piece
                yield
        winner = self._draw(st.sampled_from(list(texts)))
        text = texts[winner] + self._draw(st.sampled_from(["", "z"]))
        names = [self._draw(st.sampled_from(["look", "pay", "ask"])) for _ in range(calls)]
        lap = self.record.write(winner, text, *names)
        if self._draw(st.booleans()):
            self.record.pieces.clear()
        yield
        yield from self._calls(lap, names)

    def _calls(self, lap: Lap, names: list[str]) -> Iterator[None]:
        waits: dict[int, list[Any]] = {}
        for i in self._draw(st.permutations(range(len(names)))):
            kinds = {"pay": ["confirmation", "approval"], "ask": ["result"]}.get(names[i], [])
            if kinds:
                waits[i] = kinds
                continue
            outcome = self._draw(st.sampled_from(["success", "error", "unknown"]))
            self.record.answer(i, outcome)
            if outcome == "unknown":
                waits[i] = ["outcome"]
            yield
        while waits:
            self.record.park(*((i, kinds[0]) for i, kinds in waits.items()))
            yield
            i = self._draw(st.sampled_from(list(waits)))
            yield from self._decided(i, waits[i].pop(0), names[i])
            if not waits[i] or ((lap.lap, i) in self.record.results and names[i] != "look"):
                del waits[i]
            if not waits:
                self.record.go_on()
                yield

    def _decided(self, i: int, kind: Any, name: str) -> Iterator[None]:
        deny = kind in ("confirmation", "approval") and self._draw(st.booleans())
        self.record.decide(i, kind, "deny" if deny else "approve" if name == "pay" else "result")
        if deny:
            self.record.answer(i, "denied", by="key:b")
        elif kind in ("result", "outcome", "approval"):
            self.record.answer(i, "success", by="key:b")
        yield


@settings(max_examples=150, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(st.data())
def test_every_client_gets_every_event_once_whenever_it_reads_and_leaves(data: st.DataObject):
    life, clients = Life(data.draw), [Client() for _ in range(3)]
    for _ in life.steps():
        for client in clients:
            if data.draw(st.booleans()):
                client.read(life.record, data.draw(st.integers(0, 4)), data.draw(st.integers(2, 5)))
        if data.draw(st.integers(0, 9)) == 0:
            life.record.pieces.clear()
    late = Client()

    for client in (*clients, late):
        while client.read(life.record, data.draw(st.integers(1, 9)), data.draw(st.integers(2, 5))):
            pass

    record = life.record
    counted = {lap.lap: lap.text for lap in record.laps if lap.lap <= (record.run.last_lap or 0) and lap.text}
    uncounted = ("lap.started", str((record.run.last_lap or 0) + 1))
    for client in (*clients, late):
        assert [event.cursor.seq for event in client.events] == list(range(1, len(client.events) + 1))
        assert client.texts == counted
        assert client.told[-1][0] == "run.finished"
        assert Counter(told for told in client.told if told != uncounted) == Counter(late.told)
        assert in_order(client.told)


def in_order(told: list[tuple[str, ...]]) -> bool:
    """Laps one after the other, and of each call first what is asked, then its start, then its end."""
    laps = [int(each[1]) for each in told if each[0] not in ("run.started", "run.finished")]
    finished = [each[1:3] for each in told if each[0] == "tool.finished"]
    last = {each[1:3]: i for i, each in enumerate(told) if each[0] != "lap.started"}
    ends = all(told[last[call]][0] == "tool.finished" for call in finished)
    return laps == sorted(laps) and ends
