"""Messages of queues: each begins one run, in the order of its session, however often and however it comes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from arrivals import ANSWERS, QUEUE, RULE, Door, event, incoming, message, refusals, trigger
from driven import ASK_USER, QuickWorld, all_runs, asking, laps, named, parked
from freehold.arriving import MOST_RECEIVES, arrive
from freehold.erasing import erase_session
from freehold.errors import StaleWrite, StoreUnavailable
from freehold.value import replace
from world import TENANT


@pytest.fixture
def door() -> Door:
    world = QuickWorld()
    world.apply(named("helper"))
    return Door(world)


# -- by a queue


def test_a_message_begins_and_starts_a_run_of_the_tenant_that_its_queue_leads_to(door: Door):
    run = door.run_of(message())

    assert (run.tenant, run.session_id, run.input, run.trigger) == (TENANT, "s1", "hi", "sqs")
    assert (run.principal.name, run.request_id) == ("sqs:AROA1:ann", "d1")
    assert door.world.executions.started == [f"{run.key.run_id}-1"]


def test_a_message_says_all_that_a_request_over_http_may_say(door: Door):
    told = {"sessionId": "s2", "sessionAttributes": {"a": "b"}, "promptSessionAttributes": {"c": "d"}}

    run = door.run_of(message(told | {"alias": "DRAFT", "replyTo": ANSWERS}))

    assert (run.session_id, run.alias, run.reply_to) == ("s2", "DRAFT", ANSWERS)
    assert (run.session_attributes, run.prompt_session_attributes) == ({"a": "b"}, {"c": "d"})


def test_messages_of_a_session_wait_their_turn_in_the_order_in_which_they_came(door: Door):
    runs = [door.run_of(message({"input": text}, deduplication=text)) for text in ("one", "two", "three")]

    assert [run.status for run in runs] == ["RUNNING", "QUEUED", "QUEUED"]
    assert [run.key.turn for run in runs] == [1, 2, 3]


def test_a_message_that_comes_again_finds_its_run(door: Door):
    first = door.run_of(message())
    door.world.finish(first)

    again = door.run_of(message(received=2))

    assert again.key == first.key
    assert len(all_runs(door.world)) == 1


@pytest.mark.parametrize("other", [{"input": "something else"}, {"replyTo": ANSWERS}])
def test_another_message_under_the_same_deduplication_id_is_refused(other: dict[str, str], door: Door):
    door.take(message())

    outcome = door.take(message(other))

    assert outcome.kind == "refused"
    assert [error for error, *_ in refusals(door)] == ["IdempotencyKeyReused"]


def test_a_repeat_of_a_message_whose_run_was_erased_leaves_nothing_of_what_it_says(door: Door):
    door.world.finish(door.run_of(message()))
    erase_session(TENANT, "s1", door.world.erasing())

    outcome = door.take(message(received=2))

    assert (outcome.kind, outcome.tenant, door.dead.letters) == ("dropped", TENANT, [])
    assert all_runs(door.world) == []


def test_messages_of_two_groups_or_two_queues_may_have_the_same_deduplication_id(door: Door):
    elsewhere = "arn:aws:sqs:us-east-1:999999999999:orders.fifo"
    door.access.entries["queue", elsewhere] = TENANT

    for group, queue in (("s1", QUEUE), ("s2", QUEUE), ("s1", elsewhere)):
        assert door.take(message(group=group, queue=queue)).kind == "taken"

    assert len(all_runs(door.world)) == 3


def test_a_message_is_known_for_longer_than_it_lies_among_the_dead_letters(door: Door):
    door.take(message())

    (kept,) = [item for item in door.world.everything() if item["kind"]["S"] == "idempotency"]
    assert int(kept["expires_at"]["N"]) - door.world.clock // 1000 > 14 * 86_400


def test_what_the_invocation_has_no_time_for_comes_again_however_often_it_came(door: Door):
    using = replace(door.using(), has_time=lambda: False)

    with pytest.raises(TimeoutError):
        arrive(message(received=MOST_RECEIVES), using)

    assert door.dead.letters == []
    assert all_runs(door.world) == []


def test_one_that_was_begun_and_not_started_is_started_when_it_comes_again(door: Door):
    def refused(operation: str, request: Any) -> Any:
        if operation == "start":
            raise StoreUnavailable("out of order")
        return request()

    with door.world.helm.held(refused), pytest.raises(StoreUnavailable):
        door.take(message())
    assert door.world.executions.started == []

    run = door.run_of(message(received=2))

    assert door.world.executions.started == [f"{run.key.run_id}-1"]


def test_one_that_was_begun_is_no_dead_letter_although_it_could_not_be_started(door: Door):
    def refused(operation: str, request: Any) -> Any:
        if operation == "start":
            raise StoreUnavailable("out of order")
        return request()

    with door.world.helm.held(refused):
        outcome = door.take(message(received=MOST_RECEIVES))
    door.world.pass_time(600)
    door.world.sweep()

    assert (outcome.kind, door.dead.letters) == ("taken", [])
    assert outcome.run is not None
    assert door.world.executions.started[0].startswith(outcome.run.key.run_id)


def test_an_answer_to_a_question_goes_on_with_the_run_that_asked(door: Door):
    door.world.apply(named("helper", asking()))
    asked = parked(door.world, laps([ASK_USER]))

    run = door.run_of(message({"input": "1042"}))

    assert (run.key, run.status) == (asked.key, "RUNNING")


def test_a_message_whose_session_may_not_be_busy_is_refused_where_it_is(door: Door):
    door.take(message())

    door.take(message({"whenBusy": "reject"}, deduplication="d2"))

    assert [error for error, *_ in refusals(door)] == ["SessionBusy"]


def test_what_a_trigger_says_is_no_answer_to_a_question(door: Door):
    door.world.apply(named("helper", asking()))
    asked = parked(door.world, laps([ASK_USER]))
    door.triggers.triggers.append(trigger(session_id=asked.session_id, input="yes"))
    at = {"trigger": {"tenant": TENANT, "id": "t1"}, "scheduledTime": "2026-01-01T00:00:00Z"}
    told = {"trigger": {"tenant": TENANT, "id": "t1"}, "event": event()}

    for body in (at, told):
        with pytest.raises(StaleWrite):
            door.take(incoming(body))
        assert door.take(incoming(body, received=MOST_RECEIVES)).kind == "refused"

    assert door.world.run(asked).status == "AWAITING"
    assert len(all_runs(door.world)) == 1
    assert all("waits for its user's word" in reason for _, reason, _ in refusals(door))


def test_an_event_that_asks_for_a_run_by_itself_is_an_answer_like_any_message(door: Door):
    door.world.apply(named("helper", asking()))
    asked = parked(door.world, laps([ASK_USER]))
    detail = {"agent": "helper", "input": "1042", "sessionId": asked.session_id}

    run = door.run_of(incoming({"rule": RULE, "event": event(detail=detail)}))

    assert (run.key, run.status) == (asked.key, "RUNNING")


# -- what cannot be taken


@pytest.mark.parametrize(
    ("body", "error", "told"),
    [
        ("{", "Invalid", "is no JSON"),
        ("[]", "Invalid", "must be a JSON object"),
        ("[" * 100_000, "Invalid", "nested too deeply"),
        ('{"agent": "helper", "input": "hi", "input": "ho"}', "Invalid", "'input' more than once"),
        ('"hi"', "Invalid", "must be a JSON object"),
        ({"agent": "nobody"}, "NotFound", "nobody"),
        ({"input": "", "tenant": "globex"}, "Invalid", "tenant: is not a field"),
        ({"waitSeconds": 3}, "Invalid", "waitSeconds: is not for messages"),
        ({"memoryId": "m1"}, "Invalid", "memoryId"),
        ({"images": [{"data": "aGk="}]}, "Invalid", "images[0].data"),
        ({"replyTo": "somewhere"}, "Invalid", "is not the ARN of a queue"),
        ({"replyTo": f"{ANSWERS}-of-others"}, "Invalid", "ReplyTargets"),
        ({"sessionId": "a/b"}, "Invalid", "sessionId"),
    ],
)
def test_what_can_never_be_taken_is_a_dead_letter_at_once_and_says_why(
    body: Any, error: str, told: str, door: Door
):
    sent = message(body)

    assert door.take(sent).kind == "refused"

    ((kept, reason, name, tenant),) = door.dead.letters
    assert (kept, name, tenant) == (sent, error, TENANT)
    assert told in reason
    assert all_runs(door.world) == []


def test_an_answer_to_another_region_is_refused_although_the_stack_lists_it(door: Door):
    afar = ANSWERS.replace("us-east-1", "eu-west-1")

    arrive(message({"replyTo": afar}), replace(door.using(), reply_targets=frozenset((afar,))))

    ((error, reason, _),) = refusals(door)
    assert error == "Invalid"
    assert "in another Region" in reason


def test_every_problem_of_a_message_is_named(door: Door):
    door.take(message({"input": 1, "colour": "red", "alias": "?"}))

    ((_, reason, _),) = refusals(door)
    assert all(place in reason for place in ("input:", "colour:", "alias:"))


def test_a_queue_that_leads_to_nobody_begins_nothing_and_its_letter_is_nobodys(door: Door):
    body = {"agent": "helper", "input": "hi", "tenant": TENANT}

    door.take(message(json.dumps(body), queue=f"{QUEUE}-of-others"))

    ((error, reason, tenant),) = refusals(door)
    assert (error, tenant) == ("Denied", None)
    assert "no access entry" in reason
    assert all_runs(door.world) == []


def test_a_group_that_can_name_no_session_needs_a_session_id(door: Door):
    door.take(message(group="a b/c!"))
    taken = door.take(message({"sessionId": "s2"}, group="a b/c!", deduplication="d2"))

    ((error, reason, _),) = refusals(door)
    assert (error, taken.kind) == ("Invalid", "taken")
    assert "'a b/c!'" in reason


def test_what_fails_for_a_while_comes_again_and_at_last_is_a_dead_letter(door: Door):
    def refused(operation: str, request: Any) -> Any:
        if operation == "transact_write_items":
            raise StoreUnavailable("could not write: no access to arn:aws:dynamodb:us-east-1:1:table/t")
        return request()

    with door.world.helm.held(refused):
        for received in range(1, MOST_RECEIVES):
            with pytest.raises(StoreUnavailable):
                door.take(message(received=received))
        door.take(message(received=MOST_RECEIVES))

    ((error, reason, tenant),) = refusals(door)
    assert (error, tenant) == ("StoreUnavailable", TENANT)
    assert "a table, bucket or queue did not answer" in reason
    assert f"{MOST_RECEIVES} times, also where it only waited" in reason
    # What AWS said is for the log.
    assert "arn:aws" not in reason


def test_a_message_whose_letter_cannot_be_written_comes_again(door: Door):
    door.dead.error = StoreUnavailable("out of order")

    with pytest.raises(StoreUnavailable):
        door.take(message("{"))


def test_a_defect_of_ours_tells_nothing_of_what_was_said(door: Door):
    def broken(operation: str, request: Any) -> Any:
        raise KeyError("the secret of ann")

    with door.world.helm.held(broken):
        door.take(message(received=MOST_RECEIVES))

    ((error, reason, _),) = refusals(door)
    assert error == "KeyError"
    assert "secret" not in reason
