"""Pages of lists. A token opens the list that it came from and no other, and no other tenant's."""

from __future__ import annotations

import base64
import hashlib

from ..errors import Invalid
from .table import Item, Table

MARK_LENGTH = 16
LONGEST_PLACE = 200


def page(
    table: Table, partition: str, *, prefix: str = "", limit: int, token: str | None
) -> tuple[list[Item], str | None]:
    """Items of a partition in order of their keys, and the token of the next page."""
    listing = f"{partition} {prefix}"
    after = place(listing, token)
    if after is not None and not after.startswith(prefix):
        raise no_token()
    found, last = table.page(partition, prefix=prefix, limit=limit, after=after)
    return found, token_of(listing, last)


def token_of(listing: str, at: str | None) -> str | None:
    """A place in a list, marked with the list."""
    if at is None:
        return None
    return base64.urlsafe_b64encode(f"{mark(listing, at)}{at}".encode()).decode().rstrip("=")


def place(listing: str, token: str | None) -> str | None:
    """Raises `Invalid`."""
    if token is None:
        return None
    try:
        text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
    except ValueError as error:
        raise no_token() from error
    marked, at = text[:MARK_LENGTH], text[MARK_LENGTH:]
    if not 0 < len(at) <= LONGEST_PLACE or marked != mark(listing, at):
        raise no_token()
    return at


def mark(listing: str, at: str) -> str:
    return hashlib.sha256(f"{listing}\n{at}".encode()).hexdigest()[:MARK_LENGTH]


def no_token() -> Invalid:
    return Invalid("is no token that this list returned", path="nextToken")
