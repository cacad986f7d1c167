"""A lap's text for those who watch, while a model still writes it."""

from __future__ import annotations

from collections.abc import Callable

from .errors import FreeholdError
from .ports import LiveTexts
from .values.live import Piece
from .values.run import RunKey
from .values.text import well_formed

WRITE_EVERY_MS = 250
LOOK_EVERY_MS = 500
# An item holds 400 KB, and a character takes up to four bytes.
LONGEST_PIECE = 90_000


class Audience:
    """Those who may watch a lap of a run. Each attempt at it is told to them by itself, under a name of its own."""

    def __init__(
        self, key: RunKey, lap: int, live: LiveTexts, now: Callable[[], int], new_id: Callable[[], str]
    ) -> None:
        self.key, self.lap, self.live, self.now = key, lap, live, now
        self._new_id, self._began_at = new_id, 0

    def attempt(self) -> Telling:
        """One that begins now, and later than the one before."""
        self._began_at = max(self.now(), self._began_at + 1)
        return Telling(self, self._new_id(), self._began_at)


class Telling:
    """Gathers the text of one attempt, and writes it for whoever watches: all of it from its beginning, or nothing.

    Whether anybody does is asked now and then until somebody does. Where that or a write fails, no more is told: no run
    may suffer for those who watch it.
    """

    def __init__(self, audience: Audience, name: str, began_at: int) -> None:
        self.name, self.began_at = name, began_at
        self._audience = audience
        self._waiting, self._offset = "", 0
        self._watched, self._broken = False, False
        self._looked_at, self._wrote_at = 0, 0
        self._look()

    def tell(self, text: str) -> None:
        """What the model has just written, which is nothing where it thinks or asks for calls."""
        if self._broken:
            return
        self._waiting += text
        now = self._audience.now()
        if not self._watched and now - self._looked_at >= LOOK_EVERY_MS:
            self._look()
        if self._watched and self._waiting and now - self._wrote_at >= WRITE_EVERY_MS:
            self._write()

    def end(self) -> None:
        """The model has written it all: nothing of it stays behind."""
        if self._watched:
            self._write()

    def _look(self) -> None:
        audience, self._looked_at = self._audience, self._audience.now()
        try:
            self._watched = audience.live.watched(audience.key, now=self._looked_at)
        except FreeholdError:
            self._broken = True

    def _write(self) -> None:
        audience, self._wrote_at = self._audience, self._audience.now()
        try:
            while self._waiting and not self._broken:
                text = self._waiting[:LONGEST_PIECE]
                piece = Piece(audience.lap, self.began_at, self.name, self._offset, well_formed(text))
                audience.live.write(audience.key, piece, now=self._wrote_at)
                self._offset += len(text)
                self._waiting = self._waiting[len(text) :]
        except FreeholdError:
            self._broken = True
