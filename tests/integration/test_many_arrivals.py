"""Queues at their worst: what they deliver twice, at once, late and to functions that die has one effect, in order."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import RLock
from typing import Any

from aws_lambda_powertools.utilities.batch import SqsFifoPartialProcessor, process_partial_response

from arrivals import QUEUE, Door
from driven import QuickWorld, all_runs, named
from freehold.arriving import MOST_RECEIVES, arrive
from freehold.errors import StoreUnavailable
from freehold.value import replace
from freehold.values.arrival import Arrival
from steering import WRITES, Died, lost_after

SESSIONS, EACH, DELIVERIES = 200, 10, 10_000
BATCH, WORKERS = 10, 4


@dataclass
class Fifo:
    """A queue in order, as SQS has it: whoever has messages of a group has the group, until it takes too long."""

    groups: dict[str, list[dict[str, Any]]]
    chance: random.Random
    held: set[str] = field(default_factory=set)
    deliveries: int = 0
    lock: RLock = field(default_factory=RLock)

    def receive(self) -> list[dict[str, Any]]:
        """Up to ten messages of a few groups, each group's oldest first."""
        with self.lock:
            free = sorted(name for name, waiting in self.groups.items() if waiting and name not in self.held)
            taken: list[dict[str, Any]] = []
            for name in self.chance.sample(free, min(3, len(free))):
                taken += self.groups[name][: self.chance.randint(1, BATCH - 6)]
            return self.again(taken)

    def again(self, taken: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """The same messages, counted as received once more."""
        with self.lock:
            for each in taken:
                count = each["attributes"]["ApproximateReceiveCount"]
                each["attributes"]["ApproximateReceiveCount"] = str(int(count) + 1)
            self.held |= {group_of(each) for each in taken}
            self.deliveries += len(taken)
            return [json.loads(json.dumps(each)) for each in taken]

    def settle(self, taken: Sequence[dict[str, Any]], failed: set[str]) -> None:
        """What did not fail is gone, and the groups are free."""
        with self.lock:
            done = {each["messageId"] for each in taken} - failed
            for name in {group_of(each) for each in taken}:
                self.groups[name] = [each for each in self.groups[name] if each["messageId"] not in done]
                self.held.discard(name)


def group_of(record: dict[str, Any]) -> str:
    return record["attributes"]["MessageGroupId"]


def record(session: int, number: int, body: Any) -> dict[str, Any]:
    name = f"{session}-{number}"
    about = {
        "SenderId": "AROA1:ann",
        "MessageGroupId": f"s{session}",
        "MessageDeduplicationId": name,
        "ApproximateReceiveCount": "0",
    }
    text = body if isinstance(body, str) else json.dumps(body)
    return {"messageId": name, "eventSourceARN": QUEUE, "body": text, "attributes": about}


def sent(chance: random.Random, body: Callable[[int, int], Any]) -> Fifo:
    groups = {f"s{s}": [record(s, n, body(s, n)) for n in range(EACH)] for s in range(SESSIONS)}
    return Fifo(groups, chance)


def good(session: int, number: int) -> dict[str, Any]:
    return {"agent": "helper", "input": f"{number}"}


class Ingest:
    """The function, as often at once as there are workers."""

    def __init__(self, queue: Fifo) -> None:
        self.queue, self.door = queue, Door(QuickWorld())
        self.door.world.apply(named("helper"))

    def take(self, records: list[dict[str, Any]], *, counted: bool) -> set[str]:
        """The ids of messages that have to come again; all of them where the function dies."""

        def one(record: Any) -> None:
            message = Arrival.of(record.raw_event)
            # With so much trouble, messages would otherwise be given up.
            received = message.received if counted else 1
            arrive(replace(message, received=received), self.door.using())

        processor = SqsFifoPartialProcessor(skip_group_on_error=True)
        processor.raise_on_entire_batch_failure = False
        try:
            told = process_partial_response({"Records": records}, one, processor)
        except Died:
            return {each["messageId"] for each in records}
        return {each["itemIdentifier"] for each in told["batchItemFailures"]}

    def turns(self) -> dict[str, list[str]]:
        """What each session was asked, turn by turn."""
        found: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
        for run in all_runs(self.door.world):
            found[run.session_id].append((run.key.turn, run.input))
        return {name: [text for _, text in sorted(turns)] for name, turns in found.items()}


def troubled(chance: random.Random) -> Callable[[str, Callable[[], Any]], Any]:
    """A table that now and then refuses a write, loses its answer, or sees the function die before or after it."""
    lock = RLock()

    def steer(operation: str, request: Callable[[], Any]) -> Any:
        with lock:
            drawn = chance.random()
        if operation not in (*WRITES, "start") or drawn > 0.06:
            return request()
        if drawn < 0.02:
            raise StoreUnavailable("out of order")
        if drawn < 0.03:
            return lost_after(request) if operation != "start" else request()
        if drawn < 0.04:
            raise Died
        if drawn < 0.05:
            request()
            raise Died
        return request()

    return steer


def test_ten_thousand_deliveries_of_two_thousand_messages_begin_two_thousand_runs_in_order():
    chance = random.Random(6)
    queue = sent(chance, good)
    ingest = Ingest(queue)
    world = ingest.door.world

    def work(_: int) -> None:
        while records := queue.receive():
            twice = chance.random() < 0.35
            with ThreadPoolExecutor(2) as at_once:
                first = at_once.submit(ingest.take, records, counted=False)
                # Its time is over while it is still at work, so that another one gets the same messages.
                second = at_once.submit(ingest.take, queue.again(records), counted=False) if twice else first
                failed = first.result() & second.result()
            # The queue does not hear of it that they are done.
            queue.settle(
                records, {each["messageId"] for each in records} if chance.random() < 0.3 else failed
            )

    with world.helm.held(troubled(chance)), ThreadPoolExecutor(WORKERS) as workers:
        list(workers.map(work, range(WORKERS)))
        everything = [record(s, n, good(s, n)) for s in range(SESSIONS) for n in range(EACH)]
        while queue.deliveries < DELIVERIES:
            late = chance.sample(everything, min(BATCH, DELIVERIES - queue.deliveries))
            ingest.take(queue.again(late), counted=False)

    assert queue.deliveries == DELIVERIES
    assert ingest.door.dead.letters == []
    expected = [str(number) for number in range(EACH)]
    assert ingest.turns() == {f"s{number}": expected for number in range(SESSIONS)}
    # The first turn of each session has its one execution, and the others wait for it.
    assert {name.rpartition("-")[2] for name in world.executions.started} == {"1"}
    assert len(set(world.executions.started)) == SESSIONS


POISON = (
    '{"agent": "helper"',
    {"agent": "nobody", "input": "hi"},
    {"agent": "helper", "input": ""},
    {"agent": "helper", "input": "hi", "tenant": "globex"},
)


def test_five_percent_poison_is_all_among_the_dead_letters_with_its_reason_and_holds_up_no_other():
    chance = random.Random(6)
    poisoned = set(chance.sample([(s, n) for s in range(SESSIONS) for n in range(EACH)], 100))

    def body(session: int, number: int) -> Any:
        bad = (session, number) in poisoned
        return POISON[(session + number) % len(POISON)] if bad else good(session, number)

    queue = sent(chance, body)
    ingest = Ingest(queue)
    while records := queue.receive():
        queue.settle(records, ingest.take(records, counted=True))

    dead = ingest.door.dead.letters
    assert {tuple(map(int, message.id.split("-"))) for message, *_ in dead} == poisoned
    assert len(dead) == len(poisoned)
    # A session that has begun belongs to its agent.
    assert {error for *_, error, _ in dead} == {"Invalid", "Conflict"}
    assert all(reason for _, reason, *_ in dead)
    assert max(message.received for message, *_ in dead) == 1
    wanted = {f"s{s}": [str(n) for n in range(EACH) if (s, n) not in poisoned] for s in range(SESSIONS)}
    assert ingest.turns() == wanted


def test_a_message_that_fails_holds_back_its_own_group_until_it_is_given_up():
    queue = sent(random.Random(1), good)
    queue.groups = {name: queue.groups[name][:3] for name in ("s1", "s2")}
    ingest = Ingest(queue)

    def refuse(operation: str, request: Callable[[], Any]) -> Any:
        if operation == "transact_write_items" and ingest.turns().get("s2") == ["0", "1", "2"]:
            raise StoreUnavailable("out of order")
        return request()

    everything = [each for name in ("s2", "s1") for each in queue.groups[name]]
    with ingest.door.world.helm.held(refuse):
        for received in range(1, MOST_RECEIVES):
            failed = ingest.take(queue.again(everything), counted=True)
            assert failed == {"1-0", "1-1", "1-2"}, received
            assert ingest.turns() == {"s2": ["0", "1", "2"]}
        failed = ingest.take(queue.again(everything), counted=True)

    assert failed == set()
    assert [message.id for message, *_ in ingest.door.dead.letters] == ["1-0", "1-1", "1-2"]
