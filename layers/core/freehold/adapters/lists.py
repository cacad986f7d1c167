"""Lists of runs and of a conversation's items, in pages with opaque tokens."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from ..errors import Invalid
from ..values.run import Run, RunKey
from . import keys
from .records import Record, Records
from .table import Item, Table

INDEX_PAGES = 10
# Lambda answers with 6 MB at most, and what an API answers is JSON text inside JSON.
PAGE_BYTES = 5_500_000
MARK_LENGTH = 16
LONGEST_PLACE = 200


def sent_bytes(value: object) -> int:
    """How much of Lambda's answer the value takes as part of an API's body."""
    return len(msgspec.json.encode(msgspec.json.encode(value).decode()))


@dataclass(frozen=True, slots=True)
class Page:
    """Records, each with its turn. `token` is None on the last page."""

    records: tuple[tuple[int, Record], ...]
    token: str | None


class Lists:
    """What people page through. Nothing on the loop's path reads here.

    A page ends early where it would grow too large to be sent, but it has one record at least.
    """

    def __init__(self, table: Table, records: Records) -> None:
        self._table, self._records = table, records

    def runs(
        self, tenant: str, *, wanted: Mapping[str, str], limit: int, token: str | None
    ) -> tuple[list[Run], str | None]:
        """The tenant's runs, newest first, with the `wanted` values. A page may be short while more follow."""
        listing = keys.runs_of(tenant)
        place = _place(listing, token)
        found: list[Run] = []
        room = PAGE_BYTES
        for _ in range(INDEX_PAGES):
            listed, more = self._table.newest_of_index(
                "RunsByTenant",
                "runs_of",
                listing,
                limit=limit - len(found),
                after=_index_key(tenant, place) if place else None,
            )
            for item in self._whole(listed):
                if all(item[name] == value for name, value in wanted.items()):
                    run = self._records.decode(item, Run)
                    room -= sent_bytes(run)
                    if found and room < 0:
                        return found, _token(listing, place)
                    found.append(run)
                place = item["listed_at"]
            if more is None:
                return found, None
            place = more["listed_at"]
            if len(found) >= limit:
                break
        return found, _token(listing, place)

    def _whole(self, listed: list[Item]) -> list[Item]:
        """The table's items behind those of the index; what is gone by now is left out."""
        if not listed:
            return []
        found = self._table.get_all([{"pk": item["pk"], "sk": item["sk"]} for item in listed])
        return [item for item in found if item]

    def items(self, key: RunKey, *, one_run: bool, limit: int, token: str | None) -> Page:
        """Records in key order: of one run, or of its whole conversation."""
        partition, prefix = keys.conversation(key), keys.turn(key.turn) if one_run else "RUN#"
        listing = f"{partition} {prefix}"
        after = _place(listing, token)
        if after is not None and not after.startswith(prefix):
            raise _no_token()
        found, last = self._table.page(partition, prefix=prefix, limit=limit, after=after)
        records: list[tuple[int, Record]] = []
        room = PAGE_BYTES
        for item in found:
            record = self._records.read(item)
            room -= sent_bytes(record)
            if records and room < 0:
                return Page(tuple(records), _token(listing, after))
            records.append((keys.turn_of(item["sk"]), record))
            after = item["sk"]
        return Page(tuple(records), _token(listing, last))


def _index_key(tenant: str, place: str) -> Item:
    """The index's key at `place`: creation time and run id."""
    created, _, run_id = place.partition("#")
    key = RunKey.parse(tenant, run_id)
    if key is None or not (created.isascii() and created.isdigit()):
        raise _no_token()
    return {"runs_of": keys.runs_of(tenant), "listed_at": place, **keys.run(key)}


def _token(listing: str, place: str | None) -> str | None:
    """A place in a list, marked with the list, so that it opens no other list and no other tenant's."""
    if place is None:
        return None
    return base64.urlsafe_b64encode(f"{_mark(listing, place)}{place}".encode()).decode().rstrip("=")


def _place(listing: str, token: str | None) -> str | None:
    if token is None:
        return None
    try:
        text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
    except ValueError as error:
        raise _no_token() from error
    mark, place = text[:MARK_LENGTH], text[MARK_LENGTH:]
    if not 0 < len(place) <= LONGEST_PLACE or mark != _mark(listing, place):
        raise _no_token()
    return place


def _mark(listing: str, place: str) -> str:
    return hashlib.sha256(f"{listing}\n{place}".encode()).hexdigest()[:MARK_LENGTH]


def _no_token() -> Invalid:
    return Invalid("is no token that this list returned", path="nextToken")
