"""Looking through queues that hide what they show, and putting back what lies in them."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from freehold.adapters.dead_letters import (
    ACT_SECONDS,
    HIDDEN_SECONDS,
    LOOK_SECONDS,
    MOST_SEEN,
    SqsDeadLetters,
)
from freehold.adapters.letters import Letter
from freehold.errors import StoreUnavailable
from freehold.values.arrival import Arrival
from memory_queues import MOST_BYTES, MemoryQueues, arn_of, url_of

DEAD, ASIDE, REQUESTS = "dead-letters", "aside.fifo", "requests.fifo"
API_ROLE = "AROAAPIROLE"


@pytest.fixture
def sqs() -> MemoryQueues:
    return MemoryQueues()


@pytest.fixture
def letters(sqs: MemoryQueues) -> SqsDeadLetters:
    return SqsDeadLetters(sqs, (url_of(DEAD), url_of(ASIDE)), api_role=API_ROLE, clock=sqs.now)


def bury(letters: SqsDeadLetters, body: str, group: str | None = "s1", tenant: str | None = "acme") -> None:
    message = Arrival(arn_of(REQUESTS), "m1", body, "AROA1:ann", f"d-{body}", group)
    letters.put(message, reason="no", error="Invalid", tenant=tenant)


def put_aside(sqs: MemoryQueues, body: str, group: str = "s1") -> None:
    sqs.send_message(
        QueueUrl=url_of(ASIDE), MessageBody=body, MessageGroupId=group, MessageDeduplicationId=f"d-{body}"
    )
    sqs.queues[url_of(ASIDE)][-1].message["Attributes"]["DeadLetterQueueSourceArn"] = arn_of(REQUESTS)


def names() -> Callable[[], str]:
    numbers = itertools.count(1)
    return lambda: f"fresh-{next(numbers)}"


def anything(_: Letter) -> bool:
    return True


def test_what_was_looked_at_is_there_for_the_next_one_at_once(sqs: MemoryQueues, letters: SqsDeadLetters):
    for number in range(25):
        bury(letters, f"{number}")

    for _ in range(2):
        found, complete = letters.listed(anything, most=100)
        assert [letter.body for letter in found] == [f"{number}" for number in range(25)]
        assert complete


def test_two_who_look_at_once_share_what_there_is_and_each_sees_all_afterwards(
    sqs: MemoryQueues, letters: SqsDeadLetters
):
    for number in range(25):
        bury(letters, f"{number}")
    seen: list[int] = []

    def looks_too(letter: Letter) -> bool:
        if not seen:
            seen.append(len(letters.listed(anything, most=100)[0]))
        return True

    first, _ = letters.listed(looks_too, most=100)

    # The first ten were hidden by then.
    assert seen == [15]
    assert len(first) == 25
    assert len(letters.listed(anything, most=100)[0]) == 25


def test_of_a_queue_in_order_ten_of_a_group_are_seen_until_those_are_put_back(
    sqs: MemoryQueues, letters: SqsDeadLetters
):
    for number in range(13):
        put_aside(sqs, f"{number:02}")
    put_aside(sqs, "other", "s2")

    seen, complete = letters.listed(anything, most=100)
    assert (len(seen), complete) == (10 + 1, False)
    first = letters.redrive(anything, most=100, new_id=names())
    rest = letters.redrive(anything, most=100, new_id=names())

    assert sqs.bodies(ASIDE) == []
    assert [letter.body for letter in first.back] == [*(f"{number:02}" for number in range(10)), "other"]
    assert [letter.body for letter in rest.back] == ["10", "11", "12"]
    assert (first.complete, rest.complete) == (False, True)


def test_what_is_put_back_goes_oldest_first_under_a_new_id_and_bears_its_first_one(
    sqs: MemoryQueues, letters: SqsDeadLetters
):
    for body in ("one", "two", "three"):
        bury(letters, body)
    queue = sqs.queues[url_of(DEAD)]
    queue.reverse()

    done = letters.redrive(anything, most=100, new_id=names())

    assert done.complete
    assert sqs.bodies(DEAD) == []
    assert sqs.bodies(REQUESTS) == ["one", "two", "three"]
    sent = sqs.queues[url_of(REQUESTS)][0].message
    assert sent["Attributes"]["MessageDeduplicationId"] == "fresh-1"
    assert sent["Attributes"]["MessageGroupId"] == "s1"
    assert sent["MessageAttributes"]["deduplication"]["StringValue"] == "d-one"


def test_a_queue_that_is_not_in_order_gets_the_group_back_which_names_the_session(sqs: MemoryQueues):
    letters = SqsDeadLetters(sqs, (url_of(DEAD),), clock=sqs.now)
    for group in ("s1", None):
        letters.put(
            Arrival(arn_of("desk"), "m1", group or "", "AROA1:ann", "d1", group),
            reason="no",
            error="Invalid",
            tenant="acme",
        )

    letters.redrive(anything, most=2, new_id=names())

    assert [Arrival.of(each).group for each in sqs.records("desk")] == ["s1", None]


def test_a_letter_that_says_nothing_of_where_it_came_from_stays(sqs: MemoryQueues, letters: SqsDeadLetters):
    sqs.send_message(QueueUrl=url_of(DEAD), MessageBody="of a schedule")

    done = letters.redrive(anything, most=100, new_id=names())

    assert (done.back, done.failed) == ([], [])
    assert sqs.bodies(DEAD) == ["of a schedule"]


def test_a_look_takes_so_long_and_says_that_there_may_be_more(sqs: MemoryQueues, letters: SqsDeadLetters):
    for number in range(100):
        bury(letters, f"{number}")
    sqs.each_receive_takes = 2

    found, complete = letters.listed(anything, most=1_000)

    assert 0 < len(found) < 100
    assert not complete
    assert sqs.clock <= LOOK_SECONDS + sqs.each_receive_takes


def test_a_look_sees_so_many_and_says_that_there_may_be_more(sqs: MemoryQueues, letters: SqsDeadLetters):
    for number in range(MOST_SEEN + 20):
        bury(letters, f"{number}")

    _, complete = letters.listed(lambda _: False, most=1)

    assert not complete


def test_what_is_done_is_done_while_the_letters_are_hidden():
    assert LOOK_SECONDS + ACT_SECONDS < HIDDEN_SECONDS


def test_what_could_not_be_put_back_in_time_is_left_for_the_next_time(
    sqs: MemoryQueues, letters: SqsDeadLetters
):
    for number in range(5):
        bury(letters, f"{number}")

    def slowly() -> str:
        sqs.clock += 8
        return f"fresh-{sqs.clock}"

    done = letters.redrive(anything, most=100, new_id=slowly)

    assert len(done.back) == 3
    assert not done.complete
    assert len(sqs.bodies(DEAD)) == 2


def test_a_look_for_some_ends_with_the_last_of_them(sqs: MemoryQueues, letters: SqsDeadLetters):
    for number in range(50):
        bury(letters, f"{number}")
    sqs.each_receive_takes = 1

    some = letters.redrive(anything, most=2, new_id=names(), ids=["id-2", "id-12"])

    assert ([each.id for each in some.back], some.complete, sqs.clock) == (["id-2", "id-12"], True, 2)
    assert len(sqs.bodies(DEAD)) == 48


def test_what_was_put_back_is_told_although_the_others_could_not_be_shown(sqs: MemoryQueues):
    class Deaf(MemoryQueues):
        def change_message_visibility_batch(self, **_: Any) -> None:
            raise ClientError({"Error": {"Code": "ServiceUnavailable"}}, "ChangeMessageVisibilityBatch")

    deaf = Deaf()
    letters = SqsDeadLetters(deaf, (url_of(DEAD),), clock=deaf.now)
    for number in range(3):
        bury(letters, f"{number}")

    done = letters.redrive(anything, most=1, new_id=names())
    deaf.clock += HIDDEN_SECONDS

    assert [each.id for each in done.back] == ["id-1"]
    assert len(letters.listed(anything, most=3)[0]) == 2


def test_one_letter_is_found_by_its_id(sqs: MemoryQueues, letters: SqsDeadLetters):
    bury(letters, "mine")
    bury(letters, "theirs", tenant="globex")

    found = letters.find("id-1", lambda letter: letter.tenant == "acme")

    assert found is not None
    assert (found.body, found.source, found.error) == ("mine", arn_of(REQUESTS), "Invalid")
    assert letters.find("id-2", lambda letter: letter.tenant == "acme") is None
    assert letters.find("id-1", anything) == found


def attributes(**told: str) -> dict[str, Any]:
    return {name: {"DataType": "String", "StringValue": value} for name, value in told.items()}


def test_what_a_sender_says_of_a_message_that_sqs_moved_is_not_believed(
    sqs: MemoryQueues, letters: SqsDeadLetters
):
    told = attributes(source=arn_of("incoming-events"), tenant="globex", reason="r", error="e", group="s9")
    for name, to in (("mine", DEAD), (REQUESTS, ASIDE)):
        sqs.send_message(QueueUrl=url_of(name), MessageBody=name, MessageGroupId="s1", MessageAttributes=told)
        sqs.move(name, to)

    found, _ = letters.listed(anything, most=100)

    assert [(letter.source, letter.moved) for letter in found] == [
        (arn_of("mine"), True),
        (arn_of(REQUESTS), True),
    ]
    assert {(each.tenant, each.reason, each.error, each.group) for each in found} == {
        (None, None, None, "s1")
    }


def test_attributes_count_in_the_queue_alone_that_nobody_else_writes_to(
    sqs: MemoryQueues, letters: SqsDeadLetters
):
    told = attributes(source=arn_of(REQUESTS), tenant="acme")
    sqs.send_message(QueueUrl=url_of(ASIDE), MessageBody="x", MessageGroupId="s1", MessageAttributes=told)

    ((letter,), _) = letters.listed(anything, most=100)

    assert (letter.source, letter.tenant) == (None, None)


def test_a_letter_that_may_not_go_back_stays_and_is_named_and_keeps_no_other_from_it(
    sqs: MemoryQueues, letters: SqsDeadLetters
):
    for body in ("bad", "good"):
        bury(letters, body)

    done = letters.redrive(anything, most=1, new_id=names(), may_return=lambda letter: letter.body == "good")

    # The same again would do no more.
    assert ([each.id for each in done.failed], done.complete) == (["id-1"], True)
    assert sqs.bodies(REQUESTS) == ["good"]
    assert sqs.bodies(DEAD) == ["bad"]


def test_who_asked_first_and_who_put_it_back_are_told_where_it_goes(
    sqs: MemoryQueues, letters: SqsDeadLetters
):
    bury(letters, "one")

    letters.redrive(anything, most=1, new_id=names(), redriver="key:ann")

    (record,) = sqs.records(REQUESTS)
    back = Arrival.of(record, api_role=API_ROLE)
    assert (back.sender, back.redriven_by, back.deduplication) == ("AROA1:ann", "key:ann", "d-one")


@pytest.mark.parametrize("sender", ["AROAOTHER:ann", "AROAAPIROLEX:ann", "AIDAEVE", API_ROLE])
def test_who_asked_first_is_believed_of_nobody_else(sender: str, sqs: MemoryQueues):
    sqs.sender = sender
    told = attributes(sender="AIDABOB", redriver="key:bob")
    sqs.send_message(QueueUrl=url_of(REQUESTS), MessageBody="x", MessageAttributes=told)

    (record,) = sqs.records(REQUESTS)

    for role in (API_ROLE, "", None):
        arrival = Arrival.of(record, api_role=role)
        assert (arrival.sender, arrival.redriven_by) == (sender, None)


def test_who_asked_first_is_known_after_sqs_has_moved_what_was_put_back(
    sqs: MemoryQueues, letters: SqsDeadLetters
):
    bury(letters, "again")
    letters.redrive(anything, most=1, new_id=names())
    sqs.move(REQUESTS, ASIDE)
    sqs.sender = "AIDAEVE"
    told = attributes(sender="AIDABOB")
    sqs.send_message(
        QueueUrl=url_of(REQUESTS), MessageBody="eve", MessageGroupId="s2", MessageAttributes=told
    )
    sqs.move(REQUESTS, ASIDE)

    found, _ = letters.listed(anything, most=100)

    assert [letter.sender for letter in found] == ["AROA1:ann", "AIDAEVE"]


def test_a_reason_has_what_room_the_message_leaves(sqs: MemoryQueues, letters: SqsDeadLetters):
    def put(body: str) -> None:
        message = Arrival(arn_of(REQUESTS), "m1", body, "AROA1:ann", "d1", "s1")
        letters.put(message, reason="\u00e9" * 2_000, error="Invalid", tenant="acme")

    for size in (MOST_BYTES - 1_024, MOST_BYTES - 300):
        put("x" * size)
    with pytest.raises(StoreUnavailable):
        put("x" * MOST_BYTES)

    roomy, tight = letters.listed(anything, most=2)[0]
    assert 0 < len(roomy.reason or "") < 2_000
    assert len(tight.reason or "") < len(roomy.reason or "")
    assert letters.redrive(anything, most=2, new_id=names(), redriver="key:ann").complete


def test_the_oldest_are_chosen_from_all_that_there_are(sqs: MemoryQueues):
    chance = random.Random(1)

    class InNoOrder(MemoryQueues):
        def receive_message(self, **given: Any) -> dict[str, Any]:
            chance.shuffle(self.queues.get(given["QueueUrl"], []))
            return super().receive_message(**given)

    shuffled = InNoOrder()
    letters = SqsDeadLetters(shuffled, (url_of(DEAD),), clock=shuffled.now)
    for number in range(150):
        bury(letters, f"{number}")

    listed, complete = letters.listed(anything, most=5)
    fresh = names()
    while not letters.redrive(anything, most=40, new_id=fresh).complete:
        pass

    assert ([letter.body for letter in listed], complete) == ([f"{number}" for number in range(5)], False)
    assert shuffled.bodies(REQUESTS) == [f"{number}" for number in range(150)]
