"""Requests under idempotency keys: one is at work on each, and what came of it is kept."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from freehold.adapters.claims import CLAIM_MS, Claim, Claims, Kept
from freehold.adapters.table import Table
from freehold.errors import IdempotencyKeyReused, RequestInProgress, StoreUnavailable
from memory_table import MemoryTable, TwiceSent

NOW = 1_800_000_000_000
LATER = NOW + CLAIM_MS
A_DAY = 86_400_000
ANSWER = Kept(201, {"version": "1"})
NUMBERS = count(1)


@pytest.fixture(name="store")
def _store() -> MemoryTable:
    return MemoryTable()


@pytest.fixture(name="claims")
def _claims(store: MemoryTable) -> Claims:
    return Claims(Table(store, "sessions"))  # pyright: ignore[reportArgumentType]


def take(claims: Claims, digest: str = "d", key: str = "k", *, tenant: str = "acme", now: int = NOW):
    return claims.take(tenant, key, digest, f"claim-{next(NUMBERS)}", now=now)


def taken(claims: Claims, *, now: int = NOW) -> Claim:
    found = take(claims, now=now)
    assert isinstance(found, Claim)
    return found


def test_a_repeat_is_given_what_the_first_one_answered(claims: Claims):
    claims.keep(taken(claims), ANSWER, now=NOW)

    assert take(claims) == take(claims, now=LATER) == ANSWER


def test_a_key_stands_for_one_request_also_while_that_is_at_work(claims: Claims):
    claim = taken(claims)

    with pytest.raises(IdempotencyKeyReused):
        take(claims, "other")
    claims.keep(claim, ANSWER, now=NOW)
    with pytest.raises(IdempotencyKeyReused):
        take(claims, "other")


def test_a_key_whose_day_is_over_is_free_though_it_is_still_there(claims: Claims):
    """DynamoDB removes what has expired when it comes to it."""
    claims.keep(taken(claims), ANSWER, now=NOW)

    assert take(claims, now=NOW + A_DAY) == ANSWER
    second = take(claims, "other", now=NOW + A_DAY + 1000)
    assert isinstance(second, Claim)
    assert not second.again
    claims.keep(second, Kept(201, {"version": "2"}), now=NOW + A_DAY + 1000)
    assert take(claims, "other", now=NOW + A_DAY + 1000) == Kept(201, {"version": "2"})


def test_tenants_do_not_share_keys(claims: Claims):
    claims.keep(taken(claims), ANSWER, now=NOW)

    assert isinstance(take(claims, "other", tenant="globex"), Claim)


def test_one_is_at_work_at_a_time(claims: Claims):
    taken(claims)

    with pytest.raises(RequestInProgress):
        take(claims, now=LATER - 1)


def test_what_was_given_back_is_anybodys_with_another_body_too(claims: Claims):
    first = taken(claims)
    claims.give_back(first)

    second = take(claims, "other")

    assert isinstance(second, Claim)
    assert (second.again, second.id != first.id) == (False, True)


def test_a_claim_whose_maker_died_is_taken_over_under_its_own_id(claims: Claims):
    first = taken(claims)

    second = taken(claims, now=LATER)

    assert (second.id, second.again, first.again) == (first.id, True, False)
    with pytest.raises(RequestInProgress):
        take(claims, now=LATER)


def test_what_was_left_half_done_can_be_taken_over_at_once(claims: Claims):
    first = taken(claims)
    claims.leave(first, now=NOW)

    second = taken(claims)

    assert (second.id, second.again) == (first.id, True)


@pytest.mark.parametrize(
    "does",
    [
        lambda claims, claim: claims.give_back(claim),
        lambda claims, claim: claims.leave(claim, now=LATER),
    ],
    ids=["give back", "leave"],
)
def test_who_was_taken_over_changes_nothing_any_more(claims: Claims, does: Callable[[Claims, Claim], None]):
    first = taken(claims)
    second = taken(claims, now=LATER)

    does(claims, first)
    with pytest.raises(RequestInProgress):
        claims.keep(first, Kept(201, {"version": "2"}), now=LATER)

    claims.keep(second, ANSWER, now=LATER)
    assert take(claims, now=LATER) == ANSWER


def test_only_one_of_two_takes_a_dead_claim_over(claims: Claims, store: MemoryTable):
    taken(claims)
    quicker: list[Claim] = []

    def meanwhile() -> None:
        store.before_write = lambda: None
        quicker.append(taken(claims, now=LATER))

    # Between the other's first write, which fails, and its second.
    store.before_write = lambda: setattr(store, "before_write", meanwhile)
    with pytest.raises(RequestInProgress):
        take(claims, now=LATER)

    assert [claim.again for claim in quicker] == [True]


def test_an_answer_that_comes_between_is_not_lost(claims: Claims, store: MemoryTable):
    """A first one that was only slow keeps its answer just as another takes its claim over."""
    first = taken(claims)

    def meanwhile() -> None:
        store.before_write = lambda: None
        claims.keep(first, ANSWER, now=LATER)

    store.before_write = lambda: setattr(store, "before_write", meanwhile)
    with pytest.raises(RequestInProgress):
        take(claims, now=LATER)

    assert take(claims, now=LATER) == ANSWER


def test_a_claim_ends_a_day_after_it_was_made(claims: Claims, store: MemoryTable):
    claims.keep(taken(claims), ANSWER, now=NOW)

    (item,) = store.scan(TableName="sessions")["Items"]

    assert int(item["expires_at"]["N"]) == NOW // 1000 + 86_400


# -- answers that are lost


@pytest.mark.parametrize("left", [False, True], ids=["dead", "left"])
def test_a_claim_that_was_sent_twice_is_taken_once(left: bool):
    claims = Claims(Table(TwiceSent(), "sessions"))  # pyright: ignore[reportArgumentType]
    first = taken(claims)
    if left:
        claims.leave(first, now=NOW)

    second = taken(claims, now=NOW if left else LATER)

    assert (second.id, second.again) == (first.id, True)
    claims.keep(second, ANSWER, now=LATER)
    assert take(claims, now=LATER) == ANSWER


class Silent(MemoryTable):
    """Does not answer one put of them all. `instead`: it does this, and does not serve that put."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.instead: Callable[[], object] | None = None
        self._number, self._numbers = number, count(1)

    def put_item(self, **given: Any) -> None:
        if next(self._numbers) != self._number:
            return super().put_item(**given)
        if self.instead is None:
            super().put_item(**given)
        else:
            self.instead()
        raise ReadTimeoutError(endpoint_url="https://dynamodb")


def test_a_first_claim_whose_answer_was_lost_can_be_taken_over_at_once():
    claims = Claims(Table(Silent(1), "sessions"))  # pyright: ignore[reportArgumentType]

    with pytest.raises(StoreUnavailable):
        take(claims)

    assert taken(claims).again


def test_a_take_over_whose_answer_was_lost_can_be_taken_over_at_once():
    claims = Claims(Table(Silent(3), "sessions"))  # pyright: ignore[reportArgumentType]
    taken(claims)

    with pytest.raises(StoreUnavailable):
        take(claims, now=LATER)

    assert taken(claims, now=LATER).again


def test_who_got_no_answer_opens_nobody_elses_claim():
    store = Silent(3)
    claims = Claims(Table(store, "sessions"))  # pyright: ignore[reportArgumentType]
    taken(claims)
    store.instead = lambda: taken(claims, now=LATER)

    with pytest.raises(StoreUnavailable):
        take(claims, now=LATER)

    with pytest.raises(RequestInProgress):
        take(claims, now=LATER)
