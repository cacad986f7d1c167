"""Lists of runs and of a conversation's items, in pages with opaque tokens."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..errors import Invalid
from ..values.run import Run, RunKey
from . import keys
from .records import Record, Records
from .table import Table

INDEX_PAGES = 10


@dataclass(frozen=True, slots=True)
class Page:
    """`token` is None on the last page."""

    records: tuple[tuple[int, Record], ...]
    token: str | None


class Lists:
    """What people page through. Nothing on the loop's path reads here."""

    def __init__(self, table: Table, records: Records) -> None:
        self._table, self._records = table, records

    def runs(
        self, tenant: str, *, matches: Callable[[Run], bool], limit: int, token: str | None
    ) -> tuple[list[Run], str | None]:
        """The tenant's runs, newest first. A page may be short of `limit` while a token says that there is more."""
        found: list[Run] = []
        after = _read_token(token)
        for _ in range(INDEX_PAGES):
            listed, after = self._table.newest_of_index(
                "RunsByTenant", "runs_of", keys.runs_of(tenant), limit=limit - len(found), after=after
            )
            if listed:
                items = self._table.get_all([{"pk": item["pk"], "sk": item["sk"]} for item in listed])
                runs = (self._records.decode(item, Run) for item in items if item)
                found.extend(run for run in runs if matches(run))
            if after is None or len(found) >= limit:
                break
        return found, _token(after)

    def items(self, key: RunKey, *, one_run: bool, limit: int, token: str | None) -> Page:
        """Records in key order, each with its turn: of one run, or of its whole conversation."""
        prefix = keys.turn(key.turn) if one_run else "RUN#"
        after = _read_token(token)
        found, last = self._table.page(
            keys.conversation(key), prefix=prefix, limit=limit, after=after["sk"] if after else None
        )
        records = tuple((keys.turn_of(item["sk"]), self._records.read(item)) for item in found)
        return Page(records, _token({"sk": last} if last else None))


def _token(after: dict[str, Any] | None) -> str | None:
    return base64.urlsafe_b64encode(json.dumps(after).encode()).decode() if after else None


def _read_token(token: str | None) -> dict[str, Any] | None:
    if token is None:
        return None
    try:
        after = json.loads(base64.urlsafe_b64decode(token))
    except ValueError as error:
        raise Invalid("is no token that a list returned", path="nextToken") from error
    if not isinstance(after, dict) or not all(isinstance(value, str) for value in after.values()):  # pyright: ignore
        raise Invalid("is no token that a list returned", path="nextToken")
    return after  # pyright: ignore
