"""Watching a run by reading it again and again."""

from __future__ import annotations

from collections.abc import Iterator

from .connection import Connection, segment
from .items import (
    CallItem,
    CompactionItem,
    DiscardedItem,
    Item,
    LapItem,
    LateItem,
    OtherItem,
    UserItem,
    read_item,
)
from .ordering import in_order
from .reading import mappings, text
from .waits import DecisionItem, MessageItem, RefusalItem

Place = tuple[object, ...]


class Follower:
    """Reads the items of one run and tells what is new since it last looked.

    Items come in key order and a lap begins only when all calls of the one before have results. So only the
    pages from the newest lap on are read again, until the run has ended: then everything, for what came late.
    """

    def __init__(self, connection: Connection, session_id: str, run_id: str) -> None:
        self._connection = connection
        self._path = f"/sessions/{segment(session_id)}/items"
        self._run_id = run_id
        self._seen: dict[Place, bool] = {}
        self._newest_lap = 0
        self._newest_page: str | None = None

    def news(self, *, everything: bool = False) -> list[Item]:
        """Each item that is new, or that was `started` and now has its result, in the order of the laps."""
        return in_order(self._unseen(everything=everything))

    def _unseen(self, *, everything: bool) -> Iterator[Item]:
        token = None if everything else self._newest_page
        while True:
            query = {"runId": self._run_id, "nextToken": token}
            _, page = self._connection.request("GET", self._path, query=query)
            for wire in mappings(page, "items"):
                item = read_item(wire)
                if isinstance(item, LapItem) and item.lap > self._newest_lap:
                    self._newest_lap, self._newest_page = item.lap, token
                if self._is_new(item):
                    yield item
            following = text(page, "nextToken") or None
            if following is None or following == token:
                return
            token = following

    def _is_new(self, item: Item) -> bool:
        place, settled = _place(item), not (isinstance(item, CallItem) and item.outcome == "started")
        known = self._seen.get(place)
        self._seen[place] = settled or bool(known)
        return known is None or (settled and not known)


def _place(item: Item) -> Place:
    """What stays the same when the item is read again."""
    match item:
        case UserItem():
            return ("user", item.turn)
        case LapItem():
            return ("lap", item.turn, item.lap)
        case CallItem():
            return ("call", item.turn, item.lap, item.call)
        case DiscardedItem():
            return ("discarded", item.turn, item.lap, item.at, item.usage)
        case LateItem():
            return ("late", item.turn, item.lap, item.call)
        case CompactionItem():
            return ("compaction", item.turn, item.lap)
        case DecisionItem():
            return ("decision", item.turn, item.lap, item.call, item.waited_for)
        case RefusalItem():
            return ("refusal", item.turn, item.at, item.by, item.call_id)
        case MessageItem():
            return ("message", item.turn, item.at, item.text)
        case OtherItem():
            return (item.kind, item.turn, item.at, str(item.wire.get("lap")), str(item.wire.get("call")))
