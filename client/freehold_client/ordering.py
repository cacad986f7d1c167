"""Items in the order in which things happened."""

from __future__ import annotations

from collections.abc import Iterable

from .items import CallItem, CompactionItem, DiscardedItem, Item, LapItem, LateItem, OtherItem, UserItem
from .reading import whole
from .waits import DecisionItem, MessageItem, RefusalItem


def in_order(items: Iterable[Item]) -> list[Item]:
    """As things happened: the API tells of compactions, and of what was decided, after all else."""
    found = list(items)
    laps = [item for item in found if isinstance(item, LapItem)]
    return sorted(found, key=lambda item: (item.turn, *_place(item, laps)))


def _place(item: Item, laps: list[LapItem]) -> tuple[int, int]:
    """The lap that it belongs to, and its place there: the reply, what was decided, what came of it."""
    match item:
        case UserItem():
            return 0, 0
        case LapItem() | DiscardedItem():
            return item.lap, 0
        case DecisionItem() | RefusalItem():
            return item.lap, 1
        case MessageItem():
            before = (each.lap for each in laps if each.turn == item.turn and each.at <= item.at)
            return max(before, default=0), 1
        case CallItem() | LateItem():
            return item.lap, 2
        case OtherItem():
            return whole(item.wire, "lap"), 2
        case CompactionItem():
            return item.lap, 3
