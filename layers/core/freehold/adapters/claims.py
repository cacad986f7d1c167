"""Requests under idempotency keys: who is at work on one, and what came of it."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from ..errors import IdempotencyKeyReused, RequestInProgress, StaleWrite, StoreUnavailable
from ..value import Value, replace
from . import keys
from .items import IDEMPOTENCY_SECONDS, new_or_expired
from .table import Item, Table, Values

# Longer than a function of the API may run, so that nobody is at work on a claim that is taken over.
CLAIM_MS = 60_000
HELD = "attempt = :attempt"


class Claim(Value):
    """The right to do what a request asks. `id` is the same for each attempt at it, and for no other request.

    `attempt` names this one. `again`: an attempt before it may have got some way.
    """

    id: str
    tenant: str = ""
    key: str = ""
    digest: str = ""
    attempt: str = ""
    again: bool = False


class Kept(Value):
    """What an earlier attempt has answered."""

    status: int
    body: dict[str, Any]


class Claims:
    """Items of the sessions table, in one key space with those that runs keep."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def take(self, tenant: str, key: str, digest: str, attempt: str, *, now: int) -> Claim | Kept:
        """Raises `IdempotencyKeyReused`, and `RequestInProgress` while another attempt is at work.

        `attempt` is an id of the caller's own.
        """
        claim = Claim(attempt, tenant, key, digest, attempt)
        there = self._put(claim, *new_or_expired(now), now=now)
        if there["request_digest"] != digest:
            raise IdempotencyKeyReused("this Idempotency-Key was used for another request")
        if "answer" in there:
            return Kept(there["status"], json.loads(there["answer"]))
        if there["attempt"] == attempt:
            return claim
        return self._take_over(replace(claim, id=there["claim"], again=True), there, now=now)

    def _take_over(self, claim: Claim, before: Item, *, now: int) -> Claim:
        if before["claimed_until"] > now:
            raise _in_progress()
        try:
            there = self._put(
                claim, f"{HELD} AND attribute_not_exists(answer)", _held(before["attempt"]), now=now
            )
        except StaleWrite as error:
            raise _in_progress() from error
        if there.get("attempt") != claim.attempt:
            raise _in_progress()
        return claim

    def _put(self, claim: Claim, condition: str, values: Values, *, now: int) -> Item:
        """What is there then. A write that was not answered may have been made, so it is left."""
        try:
            return self._table.put_or_get(_item(claim, now=now), condition=condition, values=values)
        except StoreUnavailable:
            self.leave(claim, now=now)
            raise

    def keep(self, claim: Claim, answer: Kept, *, now: int) -> None:
        """For a day. Raises `RequestInProgress` where somebody has taken it over."""
        told = {"status": answer.status, "answer": json.dumps(answer.body, ensure_ascii=False)}
        try:
            self._table.put(_item(claim, now=now) | told, condition=HELD, values=_held(claim.attempt))
        except StaleWrite as error:
            raise _in_progress() from error

    def give_back(self, claim: Claim) -> None:
        """Nothing was done: the next request with the key is the first. What cannot be given back ends with time."""
        where = keys.idempotency(claim.tenant, claim.key)
        with suppress(StaleWrite, StoreUnavailable):
            self._table.delete(where, condition=HELD, values=_held(claim.attempt))

    def leave(self, claim: Claim, *, now: int) -> None:
        """Something may have been done: the same request may take it over at once."""
        item = _item(claim, now=now) | {"claimed_until": now}
        with suppress(StaleWrite, StoreUnavailable):
            self._table.put(item, condition=HELD, values=_held(claim.attempt))


def _in_progress() -> RequestInProgress:
    return RequestInProgress("the first request with this Idempotency-Key is still at work")


def _held(attempt: str) -> Values:
    return {":attempt": attempt}


def _item(claim: Claim, *, now: int) -> Item:
    return {
        **keys.idempotency(claim.tenant, claim.key),
        "schema": 1,
        "kind": "idempotency",
        # Of no run. Release 0.1.0 reads it, and refuses the key for one.
        "run_id": "",
        "request_digest": claim.digest,
        "claim": claim.id,
        "attempt": claim.attempt,
        "claimed_until": now + CLAIM_MS,
        "expires_at": now // 1000 + IDEMPOTENCY_SECONDS,
    }
