"""Replies as they are written, for a short while: one item a piece, and one that says whether anybody watches."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from ..errors import StaleWrite
from ..values.live import Piece
from ..values.run import RunKey
from . import keys
from .table import Table

KEPT_SECONDS = 3_600


class DynamoLiveTexts:
    """`LiveTexts` in a table of its own. Nothing here is needed again: a lap that was written has the whole text."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def watch(self, key: RunKey, *, until: int) -> None:
        item = keys.watched(key) | {
            "schema": 1,
            "kind": "watch",
            "watched_until": until,
            "expires_at": _expires(until),
        }
        # Whoever watches longest counts.
        with suppress(StaleWrite):
            self._table.put(
                item,
                condition="attribute_not_exists(pk) OR watched_until < :until",
                values={":until": until},
            )

    def watched(self, key: RunKey, *, now: int) -> bool:
        item = self._table.get(keys.watched(key))
        return item is not None and item["watched_until"] > now

    def write(self, key: RunKey, piece: Piece, *, now: int) -> None:
        item = keys.piece(key, piece.lap, piece.began_at, piece.attempt, piece.offset) | {
            "schema": 1,
            "kind": "piece",
            "lap": piece.lap,
            "began_at": piece.began_at,
            "attempt": piece.attempt,
            "offset": piece.offset,
            "text": piece.text,
            "expires_at": _expires(now),
        }
        self._table.put_or_get(item)

    def pieces(
        self, key: RunKey, lap: int, began_at: int = 0, attempt: str = "", offset: int = 0
    ) -> Sequence[Piece]:
        first = keys.piece(key, lap, began_at, attempt, offset)
        end = keys.end_of(keys.pieces(key.turn, lap))
        found = self._table.query(first["pk"], after=first["sk"], before=end)
        return [
            Piece(item["lap"], item["began_at"], item["attempt"], item["offset"], item["text"])
            for item in found
        ]

    def erase(self, key: RunKey) -> None:
        """All that is there of the run's conversation, whichever its turn."""
        self._table.delete_all(self._table.keys(keys.live(key)))


def _expires(at: int) -> int:
    return at // 1000 + KEPT_SECONDS
