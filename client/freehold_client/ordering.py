"""Items in the order in which things happened."""

from __future__ import annotations

from collections.abc import Iterable

from .items import CallItem, CompactionItem, DiscardedItem, Item, LapItem, LateItem, OtherItem, UserItem
from .reading import whole
from .waits import DecisionItem, MessageItem, RefusalItem

Place = tuple[int, int, str, int]


def in_order(items: Iterable[Item]) -> list[Item]:
    """As things happened: the API tells of compactions, and of what was decided, after all else."""
    found = list(items)
    laps = [item for item in found if isinstance(item, LapItem)]
    return sorted(found, key=lambda item: (item.turn, *_place(item, laps)))


def _place(item: Item, laps: list[LapItem]) -> Place:
    """The lap that it belongs to, and its place there: the reply, what followed it by time, what came late.

    What was decided comes before what came of it at the same moment.
    """
    match item:
        case UserItem():
            return 0, 0, "", 0
        case LapItem() | DiscardedItem():
            return item.lap, 0, "", 0
        case DecisionItem():
            return item.lap, 1, item.at, 0
        case RefusalItem() | MessageItem():
            return _lap_at(item, laps), 1, item.at, 0
        case CallItem():
            return item.lap, 1, item.at, 1
        case LateItem():
            return item.lap, 2, "", 0
        case OtherItem():
            return whole(item.wire, "lap"), 2, "", 0
        case CompactionItem():
            return item.lap, 3, "", 0


def _lap_at(item: RefusalItem | MessageItem, laps: list[LapItem]) -> int:
    """The lap during which it was written; a refusal is never before the lap of its call."""
    named = item.lap if isinstance(item, RefusalItem) else 0
    return max((named, *(each.lap for each in laps if each.turn == item.turn and each.at <= item.at)))
