"""Messages of queues: each begins one run, in the order of its session, however often and however it comes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from driven import (
    ASK_USER,
    QuickWorld,
    all_runs,
    asking,
    asking_agent,
    children,
    go_on,
    laps,
    message_to,
    named,
    parked,
)
from freehold.arriving import MOST_RECEIVES, ArriveCollaborators, Outcome, arrive
from freehold.errors import StaleWrite, StoreUnavailable
from freehold.http.messages import read
from freehold.receiving import ReceiveCollaborators
from freehold.triggering import filled
from freehold.values.access import AccessEntry, EntryKind
from freehold.values.arrival import Arrival
from freehold.values.run import Principal, Run
from freehold.values.trigger import Trigger
from freehold.ways_in import MOST_HOPS, WayCollaborators
from world import TENANT

HERE = "us-east-1:123456789012"
QUEUE = f"arn:aws:sqs:{HERE}:orders.fifo"
INCOMING = f"arn:aws:sqs:{HERE}:incoming-events"
RULE = f"arn:aws:events:{HERE}:rule/bus/run-requested"
ANSWERS = f"arn:aws:sqs:{HERE}:answers"


@dataclass
class FakeDeadLetters:
    letters: list[tuple[Arrival, str, str, str | None]] = field(default_factory=list)
    error: StoreUnavailable | None = None

    def put(self, message: Arrival, *, reason: str, error: str, tenant: str | None) -> None:
        if self.error:
            raise self.error
        self.letters.append((message, reason, error, tenant))


@dataclass
class FakeAccess:
    entries: dict[tuple[EntryKind, str], str]

    def find(self, kind: EntryKind, name: str) -> AccessEntry | None:
        tenant = self.entries.get((kind, name))
        return AccessEntry(kind, name, tenant, 0) if tenant else None

    def sources(self, tenant: str) -> list[str]:
        return [name for (of, name), whose in self.entries.items() if (of, whose) == ("source", tenant)]


@dataclass
class FakeTriggers:
    triggers: list[Trigger] = field(default_factory=list)

    def find(self, tenant: str, trigger_id: str) -> Trigger | None:
        found = (each for each in self.triggers if (each.tenant, each.trigger_id) == (tenant, trigger_id))
        return next(found, None)


class Door:
    """Where messages arrive in a world. What comes by `QUEUE` and `RULE` is of its tenant."""

    def __init__(self, world: QuickWorld) -> None:
        self.world, self.dead = world, FakeDeadLetters()
        entries: dict[tuple[EntryKind, str], str] = {("queue", QUEUE): TENANT, ("rule", RULE): TENANT}
        self.access = FakeAccess(entries | {("source", "*"): TENANT})
        self.triggers = FakeTriggers()

    def using(self) -> ArriveCollaborators:
        world = self.world
        ways = WayCollaborators(self.access, self.triggers, read, filled, INCOMING)
        receives = ReceiveCollaborators(world.parking(), world.new_id, lambda attempt: None)
        return ArriveCollaborators(ways, receives, self.dead, frozenset((ANSWERS,)))

    def take(self, message: Arrival) -> Outcome:
        return arrive(message, self.using())

    def run_of(self, message: Arrival) -> Run:
        outcome = self.take(message)
        assert outcome.run is not None, self.dead.letters
        return self.world.run(outcome.run)


@pytest.fixture
def door() -> Door:
    world = QuickWorld()
    world.apply(named("helper"))
    return Door(world)


def message(body: Any = None, **changes: Any) -> Arrival:
    given = {"agent": "helper", "input": "hi"} | body if isinstance(body, dict) else body
    text = given if isinstance(given, str) else json.dumps(given or {"agent": "helper", "input": "hi"})
    plain = {"queue": QUEUE, "id": "m1", "sender": "AROA1:ann", "deduplication": "d1", "group": "s1"}
    return Arrival(**({**plain, "body": text} | changes))


def incoming(body: Any, **changes: Any) -> Arrival:
    told = {"queue": INCOMING, "id": "m1", "sender": "AIDA", "deduplication": "m1", "body": json.dumps(body)}
    return Arrival(**(told | changes))


def event(**changes: Any) -> dict[str, Any]:
    detail = {"agent": "helper", "input": "hi"}
    return {"id": "e1", "source": "shop", "detail-type": "Agent Run Requested", "detail": detail} | changes


def trigger(**changes: Any) -> Trigger:
    given: dict[str, Any] = {
        "tenant": TENANT,
        "trigger_id": "t1",
        "agent": "helper",
        "input": "Order {{detail.orderId}} came.",
        "set_by": "agent",
        "created_by": Principal("key", "k1"),
        "created_at": 0,
    }
    return Trigger(**(given | changes))


def refusals(door: Door) -> list[tuple[str, str, str | None]]:
    return [(error, reason, tenant) for _, reason, error, tenant in door.dead.letters]


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


def test_another_message_under_the_same_deduplication_id_is_refused(door: Door):
    door.take(message())

    outcome = door.take(message({"input": "something else"}))

    assert outcome.kind == "refused"
    assert [error for error, *_ in refusals(door)] == ["IdempotencyKeyReused"]


def test_messages_of_two_groups_or_two_queues_may_have_the_same_deduplication_id(door: Door):
    elsewhere = "arn:aws:sqs:us-east-1:999999999999:orders.fifo"
    door.access.entries["queue", elsewhere] = TENANT

    for group, queue in (("s1", QUEUE), ("s2", QUEUE), ("s3", elsewhere)):
        assert door.take(message({"input": group}, group=group, queue=queue)).kind == "taken"

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


# -- by a rule


def test_an_event_of_a_rule_asks_for_a_run_with_its_detail(door: Door):
    run = door.run_of(incoming({"rule": RULE, "event": event()}))

    assert (run.tenant, run.input, run.trigger, run.request_id) == (TENANT, "hi", "event", "e1")
    assert run.principal.name == "event:shop/run-requested"


def test_an_event_that_comes_again_in_another_message_finds_its_run(door: Door):
    first = door.run_of(incoming({"rule": RULE, "event": event()}))

    again = door.run_of(incoming({"rule": RULE, "event": event()}, id="m2", deduplication="m2"))

    assert again.key == first.key


def test_a_rule_that_leads_to_nobody_begins_nothing(door: Door):
    door.take(incoming({"rule": f"{RULE}-of-others", "event": event()}))

    assert [(error, tenant) for error, _, tenant in refusals(door)] == [("Denied", None)]


def test_a_queue_of_others_is_not_believed_what_rule_or_trigger_it_names(door: Door):
    door.triggers.triggers.append(trigger())

    for told in ({"rule": RULE, "event": event()}, {"trigger": {"tenant": TENANT, "id": "t1"}}):
        door.take(message(json.dumps(told)))

    assert [error for error, *_ in refusals(door)] == ["Invalid", "Invalid"]
    assert all_runs(door.world) == []


# -- by a trigger


def test_an_event_of_a_trigger_becomes_what_its_template_makes_of_it(door: Door):
    door.triggers.triggers.append(trigger(session_id="order-{{detail.orderId}}"))
    told = {"trigger": {"tenant": TENANT, "id": "t1"}, "event": event(detail={"orderId": "7"})}

    run = door.run_of(incoming(told))

    assert (run.input, run.session_id, run.trigger) == ("Order 7 came.", "order-7", "event")
    assert run.principal.name == "event:shop/t1"


def test_a_schedule_begins_one_run_for_each_of_its_times(door: Door):
    door.triggers.triggers.append(trigger(input="Report as of {{scheduledTime}}.", schedule="rate(1 day)"))

    def at(time: str, execution: str) -> Run:
        told = {
            "trigger": {"tenant": TENANT, "id": "t1"},
            "scheduledTime": time,
            "execution": execution,
        }
        return door.run_of(incoming(told))

    first, again = at("2026-01-01T00:00:00Z", "x1"), at("2026-01-01T00:00:00Z", "x2")
    second = at("2026-01-02T00:00:00Z", "x3")

    assert first.key == again.key != second.key
    assert first.input == "Report as of 2026-01-01T00:00:00Z."
    assert (first.principal.name, first.trigger) == ("schedule:t1", "schedule")


def test_a_repeat_after_the_trigger_has_changed_begins_no_second_run(door: Door):
    told = incoming({"trigger": {"tenant": TENANT, "id": "t1"}, "event": event(detail={"orderId": "7"})})
    door.triggers.triggers.append(trigger())
    door.take(told)
    door.triggers.triggers[:] = [trigger(input="Look at order {{detail.orderId}}.")]

    assert door.take(told).kind == "dropped"
    assert len(all_runs(door.world)) == 1
    assert door.dead.letters == []


def test_a_source_that_is_granted_no_more_begins_nothing(door: Door):
    door.triggers.triggers.append(trigger())
    told = incoming({"trigger": {"tenant": TENANT, "id": "t1"}, "event": event(detail={"orderId": "7"})})

    door.access.entries = {("source", "shop.*"): TENANT, ("source", "shop"): "globex"}
    assert door.take(told).kind == "dropped"
    door.access.entries = {("source", "sho*"): TENANT}
    assert door.take(told).kind == "taken"


def test_a_trigger_that_is_gone_begins_nothing_and_leaves_nothing(door: Door):
    outcome = door.take(incoming({"trigger": {"tenant": TENANT, "id": "t1"}, "event": event()}))

    assert (outcome.kind, outcome.tenant, door.dead.letters) == ("dropped", TENANT, [])


@pytest.mark.parametrize("detail", [{"tenant": "globex", "orderId": "7"}, {"orderId": "7"}])
def test_an_event_of_another_tenants_run_is_for_nobody(detail: dict[str, str], door: Door):
    door.triggers.triggers.append(trigger())

    told = {
        "trigger": {"tenant": TENANT, "id": "t1"},
        "event": event(source="freehold", detail=detail),
    }

    assert door.take(incoming(told)).kind == "dropped"
    assert all_runs(door.world) == []


def test_an_event_of_the_tenants_own_run_may_begin_another_one(door: Door):
    door.triggers.triggers.append(trigger())
    own = event(source="freehold", detail={"tenant": TENANT, "orderId": "7"})

    run = door.run_of(incoming({"trigger": {"tenant": TENANT, "id": "t1"}, "event": own}))

    assert run.input == "Order 7 came."


def of_run(**detail: Any) -> Arrival:
    """An event of the stack's own comes to the trigger of `helper`."""
    told = event(source="freehold", detail={"tenant": TENANT, "orderId": "7"} | detail)
    return incoming({"trigger": {"tenant": TENANT, "id": "t1"}, "event": told})


def test_an_agents_own_runs_begin_none_of_its_runs(door: Door):
    door.triggers.triggers.append(trigger())

    outcome = door.take(of_run(agent="helper"))

    assert outcome.kind == "dropped"
    assert outcome.why is not None
    assert "helper" in outcome.why
    assert all_runs(door.world) == []


def test_agents_that_wait_for_one_anothers_runs_come_to_an_end(door: Door):
    door.world.apply(named("other"))
    one, other = trigger(input="Go on."), trigger(input="Go on.", trigger_id="t2", agent="other")
    door.triggers.triggers.extend((one, other))
    run, taken = door.run_of(message()), 0

    for number in range(20):
        door.world.finish(run)
        _, detail = door.world.events.published[-1]
        told = event(id=f"e{number}", source="freehold", detail=detail)
        waiting = other if run.agent == "helper" else one
        named_by = {"tenant": TENANT, "id": waiting.trigger_id}
        outcome = door.take(incoming({"trigger": named_by, "event": told}))
        if outcome.run is None:
            break
        run, taken = door.world.run(outcome.run), taken + 1

    assert (taken, run.hops) == (MOST_HOPS, MOST_HOPS)


def test_an_agent_that_another_one_asks_is_as_far_from_whoever_asked_first(door: Door):
    door.world.apply(named("specialist"))
    door.world.apply(named("helper", asking_agent("specialist")))
    door.triggers.triggers.append(trigger(input=laps([message_to("specialist", "Look at it.")])))

    run = go_on(door.world, door.run_of(of_run(agent="other", hops=2)))

    (child,) = children(door.world, run)
    assert (run.hops, child.hops) == (3, 3)


@pytest.mark.parametrize("detail", [{}, {"orderId": "x" * 200_001}])
def test_an_event_that_a_template_can_make_nothing_of_is_a_dead_letter(detail: dict[str, str], door: Door):
    door.triggers.triggers.append(trigger())

    door.take(incoming({"trigger": {"tenant": TENANT, "id": "t1"}, "event": event(detail=detail)}))

    ((error, reason, tenant),) = refusals(door)
    assert (error, tenant) == ("Invalid", TENANT)
    assert "input" in reason


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"rule": RULE},
        {"rule": 1, "event": event()},
        {"rule": RULE, "event": {"detail": {}}},
        {"trigger": "t1"},
        {"trigger": {"tenant": TENANT}},
        [],
        "hi",
    ],
)
def test_an_incoming_event_of_another_form_is_a_dead_letter(body: Any, door: Door):
    door.triggers.triggers.append(trigger())

    door.take(incoming(body))

    assert [error for error, *_ in refusals(door)] == ["Invalid"]
