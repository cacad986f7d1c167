"""Sessions: what was said and done in them."""

from __future__ import annotations

from collections.abc import Iterator

from .connection import Connection, pages, segment
from .items import Item, read_item


class Sessions:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def items(self, session_id: str, *, run_id: str | None = None) -> Iterator[Item]:
        """Everything in the session, or in one run of it, in order; pages are read as they are needed."""
        path = f"/sessions/{segment(session_id)}/items"
        return (read_item(wire) for wire in pages(self._connection, path, "items", {"runId": run_id}))
