"""Requests under idempotency keys: who is at work on one, and what came of it."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ..errors import IdempotencyKeyReused, RequestInProgress, StaleWrite, StoreUnavailable
from . import keys
from .items import IDEMPOTENCY_SECONDS, new_or_expired
from .table import Item, Table

# Longer than a function of the API may run, so that nobody is at work on a claim that is taken over.
CLAIM_MS = 60_000


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to do what a request asks. `id` is the same for each attempt at it, and for no other request.

    `again`: an attempt before this one may have got some way.
    """

    id: str
    tenant: str = ""
    key: str = ""
    attempt: int = 1

    @property
    def again(self) -> bool:
        return self.attempt > 1


@dataclass(frozen=True, slots=True)
class Kept:
    """What an earlier attempt has answered."""

    status: int
    body: dict[str, Any]


class Claims:
    """Items of the sessions table, in one key space with those that runs keep."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def take(self, tenant: str, key: str, digest: str, claim_id: str, *, now: int) -> Claim | Kept:
        """Raises `IdempotencyKeyReused`, and `RequestInProgress` while another attempt is at work."""
        claim = Claim(claim_id, tenant, key)
        condition, values = new_or_expired(now)
        there = self._table.put_or_get(_item(claim, digest, now=now), condition=condition, values=values)
        if there["request_digest"] != digest:
            raise IdempotencyKeyReused("this Idempotency-Key was used for another request")
        if "answer" in there:
            return Kept(there["status"], json.loads(there["answer"]))
        found = Claim(there["claim"], tenant, key, there["attempt"])
        return claim if found == claim else self._take_over(found, there, now=now)

    def _take_over(self, found: Claim, there: Item, *, now: int) -> Claim:
        if there["claimed_until"] > now:
            raise _in_progress()
        taken = Claim(found.id, found.tenant, found.key, found.attempt + 1)
        condition, values = _held(found)
        unanswered = f"{condition} AND attribute_not_exists(answer)"
        try:
            self._table.put(
                _item(taken, there["request_digest"], now=now), condition=unanswered, values=values
            )
        except StaleWrite as error:
            raise _in_progress() from error
        return taken

    def keep(self, claim: Claim, digest: str, answer: Kept, *, now: int) -> None:
        """For a day. Raises `RequestInProgress` where somebody has taken it over."""
        told = {"status": answer.status, "answer": json.dumps(answer.body, ensure_ascii=False)}
        condition, values = _held(claim)
        try:
            self._table.put(_item(claim, digest, now=now) | told, condition=condition, values=values)
        except StaleWrite as error:
            raise _in_progress() from error

    def give_back(self, claim: Claim) -> None:
        """Nothing was done: the next request with the key is the first. What cannot be given back ends with time."""
        condition, values = _held(claim)
        with suppress(StaleWrite, StoreUnavailable):
            self._table.delete(keys.idempotency(claim.tenant, claim.key), condition=condition, values=values)

    def leave(self, claim: Claim, digest: str, *, now: int) -> None:
        """Something may have been done: the same request may take it over at once."""
        condition, values = _held(claim)
        with suppress(StaleWrite, StoreUnavailable):
            item = _item(claim, digest, now=now) | {"claimed_until": now}
            self._table.put(item, condition=condition, values=values)


def _in_progress() -> RequestInProgress:
    return RequestInProgress("the first request with this Idempotency-Key is still at work")


def _held(claim: Claim) -> tuple[str, dict[str, Any]]:
    return "claim = :claim AND attempt = :attempt", {":claim": claim.id, ":attempt": claim.attempt}


def _item(claim: Claim, digest: str, *, now: int) -> Item:
    return {
        **keys.idempotency(claim.tenant, claim.key),
        "schema": 1,
        "kind": "idempotency",
        # Of no run. Release 0.1.0 reads it, and refuses the key for one.
        "run_id": "",
        "request_digest": digest,
        "claim": claim.id,
        "attempt": claim.attempt,
        "claimed_until": now + CLAIM_MS,
        "expires_at": now // 1000 + IDEMPOTENCY_SECONDS,
    }
