"""Parked runs in DynamoDB, and what is decided about them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from ..errors import StaleWrite
from ..value import replace
from ..values.decision import Decision, Message, Refusal
from ..values.run import Principal, Result, Run, RunKey, Session
from . import keys
from .items import NEW, THERE, Items, unchanged, unchanged_session, used
from .records import Records, folder
from .table import OnKey, Put, Table

# In one look of the sweeper.
MOST_LISTED = 1_000
MESSAGES_AT_ONCE = 25
UNKNOWN_OUTCOME = f"{NEW} OR outcome = :unknown"


class DynamoWaits:
    """`Waits`."""

    def __init__(self, table: Table, records: Records) -> None:
        self._table, self._records = table, records
        self._items = Items(records)

    def park(self, run: Run, *, before: Run, session: Session | None, session_before: Session | None) -> None:
        puts: list[Put] = [
            (self._items.run(run), *unchanged(before)),
            (self._items.parked(run), NEW, None),
        ]
        if session:
            puts.append((self._items.session(session), *unchanged_session(session_before)))
        self._table.transact(puts)

    def decide(
        self,
        decision: Decision,
        run: Run,
        *,
        before: Run,
        result: Result | None,
        session: Session | None,
        session_before: Session | None,
        writer: Principal | None,
        joins: bool,
        idempotency: tuple[str, str] | None,
        taken: Run | None = None,
        taken_before: Run | None = None,
    ) -> None:
        puts: list[Put] = [
            (self._items.run(run), *unchanged(before)),
            (self._items.decision(run.key, decision), NEW, None),
        ]
        if result:
            unknown = {":unknown": "unknown"}
            puts.append((self._items.call(run.key, result), UNKNOWN_OUTCOME, unknown))
        if session:
            puts.append((self._items.session(session), *unchanged_session(session_before)))
        if writer and session_before:
            puts += self._items.links(
                session_before, writer, session_before, at=decision.at, decided=not joins
            )
        if taken and taken_before:
            puts.append((self._items.run(taken), *unchanged(taken_before)))
        if idempotency:
            puts.append(used(run, idempotency, at=decision.at))
        deletes: list[OnKey] = []
        if before.status == "AWAITING" and run.status != "AWAITING":
            deletes.append((keys.parked(run.key), THERE, None))
        elif run.status == "AWAITING":
            puts.append((self._items.parked(run), THERE, None))
        self._table.transact(puts, deletes=deletes)

    def repeat(self, run: Run, idempotency: tuple[str, str], *, now: int) -> None:
        # It may be there, and the run may have been erased by now.
        with suppress(StaleWrite):
            self._table.transact([used(run, idempotency, at=now)], checks=[(keys.run(run.key), THERE, None)])

    def refuse(self, key: RunKey, refusal: Refusal) -> None:
        where = keys.refusal(key, refusal.id)
        self._table.put_or_get(self._records.encode(refusal, where, folder=folder(key), at=refusal.at))

    def put(self, run: Run, *, before: Run) -> None:
        condition, values = unchanged(before)
        self._table.put(self._items.run(run), condition=condition, values=values)

    def leave_message(
        self,
        message: Message,
        run: Run,
        *,
        before: Run,
        session: Session | None,
        session_before: Session,
        writer: Principal,
        idempotency: tuple[str, str] | None,
    ) -> None:
        puts: list[Put] = [
            (self._items.run(run), *unchanged(before)),
            (self._items.message(run.key, message), NEW, None),
            *self._items.links(session_before, writer, session_before, at=message.at),
        ]
        if session:
            puts.append((self._items.session(session), *unchanged_session(session_before)))
        if idempotency:
            puts.append(used(run, idempotency, at=message.at))
        self._table.transact(puts)

    def join(self, session: Session, writer: Principal, *, before: Session, now: int) -> None:
        puts: list[Put] = [
            (self._items.session(session), *unchanged_session(before)),
            *self._items.links(before, writer, before, at=now),
        ]
        self._table.transact(puts)

    def messages(self, key: RunKey) -> Iterator[Message]:
        found = self._table.query(
            keys.conversation(key), prefix=keys.messages(key.turn), newest_first=True, page=MESSAGES_AT_ONCE
        )
        return (self._records.decode(item, Message) for item in found)

    def writers(self, key: RunKey) -> Iterator[tuple[int, str]]:
        found = self._table.query(keys.conversation(key), prefix=keys.messages(key.turn))
        # Texts, which may lie in the bucket, are not looked at.
        outlines = (self._records.outline(item, Message) for item in found)
        return ((message.lap, message.by) for message in outlines)

    def unsent(self, key: RunKey) -> Sequence[Message]:
        found = self._table.query(keys.conversation(key), prefix=keys.messages(key.turn))
        # The text of the others, which may lie in the bucket, is not looked at.
        return [self._records.decode(item, Message) for item in found if not item.get("sent")]

    def sent(self, key: RunKey, message: Message) -> None:
        # It may have been erased by now.
        with suppress(StaleWrite):
            self._table.put(self._items.message(key, replace(message, sent=True)), condition=THERE)

    def listed(self) -> Sequence[tuple[RunKey, int]]:
        listed = self._table.first_of_index(
            "OpenRuns", "open_shard", keys.WAITS, before="~", limit=MOST_LISTED
        )
        return [(keys.run_of(item["pk"], item["sk"]), keys.time_of(item["listed_at"])) for item in listed]
