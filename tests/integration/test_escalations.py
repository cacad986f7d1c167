"""Conversations that a person takes over: what is told, what the user writes meanwhile, and how they come back."""

from __future__ import annotations

from typing import Any

import pytest

from driven import (
    ESCALATE,
    PAY,
    QuickWorld,
    complete,
    escalating,
    go_on,
    laps,
    named,
    parked,
    pay,
    results,
    settle,
    sound,
)
from freehold.closing import end_session
from freehold.erasing import erase_session
from freehold.errors import Denied, NotFound, StoreUnavailable
from freehold.value import replace
from freehold.values.agent import Approvals
from freehold.values.run import Run
from steering import Died, Requests, died_after, race
from world import TENANT

QUEUE = "arn:aws:sqs:us-east-1:123456789012:people.fifo"
AGAIN = ("escalate_to_human", {"reason": "once more", "summary": "the same refund"})


@pytest.fixture
def world() -> QuickWorld:
    return new_world()


def new_world() -> QuickWorld:
    world = QuickWorld()
    world.apply(named("helper", escalating(), pay("approval"), escalation_target=QUEUE))
    return world


def escalated(world: QuickWorld, *more: Any, **asked: Any) -> Run:
    return parked(world, laps([ESCALATE], *more), **asked)


def notices(world: QuickWorld, kind: str) -> list[tuple[str, str]]:
    """Ids and texts of what was sent to people."""
    sent = [(name, notice) for _, notice, _, name in world.notices.sent if notice["kind"] == kind]
    return [(name, notice.get("text") or notice["reason"]) for name, notice in sent]


def told(world: QuickWorld, name: str) -> list[dict[str, Any]]:
    return [detail for kind, detail in world.events.published if kind == name]


# -- what people are told


def test_an_escalation_is_told_once_and_each_message_after_it_once(world: QuickWorld):
    run = escalated(world)
    for text in ("one", "two", "three"):
        world.pass_time(600)
        world.write(text)

    assert notices(world, "escalation") == [(f"{run.key.run_id}-1-0", "a dispute")]
    assert [text for _, text in notices(world, "message")] == ["one", "two", "three"]
    assert len(told(world, "Agent Escalated")) == len(told(world, "Agent Run Awaiting Decision")) == 1


def test_notices_of_one_session_are_one_group_and_each_has_an_id_of_its_own(world: QuickWorld):
    escalated(world)
    world.write("one")
    world.write("one")

    assert {group for _, _, group, _ in world.notices.sent} == {"s1"}
    assert len({name for *_, name in world.notices.sent}) == 3


def test_messages_of_several_at_once_are_all_sent_and_all_handed_back():
    for seed in range(15):
        world = new_world()
        run = escalated(world)
        texts = [f"message {number}" for number in range(3)]

        came_to = race(
            world.helm,
            seed,
            *(lambda world=world, text=text: world.write(text, idempotency_key=text) for text in texts),
        )

        assert [each.key for each in came_to] == [run.key] * 3, seed
        assert sorted({text for _, text in notices(world, "message")}) == texts
        assert sorted(message.text for message in world.waits.messages(run.key)) == texts
        sound(world, complete(world, run))


def test_a_message_that_is_sent_again_is_left_once(world: QuickWorld):
    run = escalated(world)

    for _ in range(2):
        assert world.write("hello?", idempotency_key="m1").key == run.key

    assert [message.text for message in world.waits.messages(run.key)] == ["hello?"]


@pytest.mark.parametrize("told_before", [True, False])
def test_what_could_not_be_sent_is_sent_by_the_sweeper_in_the_order_in_which_it_came(
    world: QuickWorld, told_before: bool
):
    """Whether the escalation itself could be told or not."""
    run = world.ask(laps([ESCALATE]))
    if told_before:
        go_on(world, run)
    world.helm.steer = _no_notice
    if not told_before:
        with pytest.raises(StoreUnavailable):
            go_on(world, run)
    for text in ("one", "two"):
        assert world.write(text).key == run.key
    world.helm.steer = lambda operation, request: request()
    world.pass_time(60)

    world.sweep()

    assert notices(world, "escalation")
    assert [text for _, text in notices(world, "message")] == ["one", "two"]
    assert not world.run(run).undelivered


def _no_notice(operation: str, request: Any) -> Any:
    if operation == "send":
        raise StoreUnavailable("no queue")
    return request()


def test_a_notice_that_is_sent_twice_bears_the_same_id(world: QuickWorld):
    escalated(world)
    with world.helm.held(Requests(1, died_after, ("send",))), pytest.raises(Died):
        world.write("hello?")
    world.pass_time(60)

    world.sweep()

    sent = notices(world, "message")
    assert len(sent) == 2
    assert len(set(sent)) == 1


# -- how it comes back


def test_only_an_approver_hands_a_conversation_back(world: QuickWorld):
    run = escalated(world)

    with pytest.raises(Denied):
        world.decide(run, "result", by="k1", scopes=("run", "read"), content="never mind")

    assert world.run(run) == run
    assert session(world).escalation


def session(world: QuickWorld) -> Any:
    found = world.sessions.session(TENANT, "s1")
    assert found
    return found


def test_a_conversation_that_nobody_hands_back_goes_on_in_the_end(world: QuickWorld):
    helper = named("helper", escalating(), escalation_target=QUEUE)
    world.apply(replace(helper, approvals=Approvals(expire_after_seconds=3_600)))
    run = escalated(world)
    world.write("hello?")
    world.pass_time(3_601)

    assert world.sweep().expired == 1

    sound(world, complete(world, run))
    (result,) = results(world, run)
    assert result.outcome == "error"
    assert "No person has handed the conversation back in time" in result.content
    assert session(world).escalation is None


def test_a_second_escalation_of_the_same_run_begins_anew(world: QuickWorld):
    run = escalated(world, [AGAIN])
    world.write("first")
    world.decide(run, "result", content="settled")

    run = go_on(world, run)
    assert session(world).escalation.reason == "once more"
    world.write("second")
    world.decide(run, "result", content="settled again")
    run = complete(world, run)

    sound(world, run)
    assert [text for _, text in notices(world, "escalation")] == ["a dispute", "once more"]
    assert [text for _, text in notices(world, "message")] == ["first", "second"]
    assert [each.content for each in results(world, run)] == [
        '{"handedBackWith": "settled", "userWroteMeanwhile": ["first"]}',
        '{"handedBackWith": "settled again", "userWroteMeanwhile": ["second"]}',
    ]


def test_a_second_escalation_of_the_same_session_begins_anew(world: QuickWorld):
    complete(world, escalated(world))

    run = escalated(world)

    assert run.turn == 2
    assert session(world).escalation.turn == 2
    assert len(notices(world, "escalation")) == 2


def test_two_escalations_of_one_lap_keep_the_conversation_until_both_are_handed_back(world: QuickWorld):
    run = parked(world, laps([ESCALATE, AGAIN]))

    world.decide(run, "result", 0, content="settled")

    assert session(world).escalation
    assert world.write("and now?").key == run.key
    world.decide(run, "result", 1, content="settled too")
    sound(world, complete(world, run))
    assert session(world).escalation is None


def test_an_escalation_beside_an_approval_stands_until_it_is_handed_back(world: QuickWorld):
    run = parked(world, laps([ESCALATE, PAY]))

    world.decide(run, "approve", 1)

    assert session(world).escalation
    world.decide(run, "result", 0, content="settled")
    sound(world, complete(world, run))


# -- beside other things


def test_a_message_that_queues_while_the_conversation_is_handed_over_leaves_it_with_the_person():
    for seed in range(20):
        world = new_world()
        run = world.ask(laps([ESCALATE]))

        race(
            world.helm,
            seed,
            lambda world=world, run=run: go_on(world, run),
            lambda world=world: world.write("hello?", when_busy="enqueue"),
        )

        assert session(world).escalation, seed
        assert session(world).expires_at * 1000 >= world.run(run).waits_until, seed
        sound(world, complete(world, run))


def test_a_session_lives_as_long_as_its_run_waits_though_messages_queue(world: QuickWorld):
    helper = named("helper", pay("approval"))
    world.apply(replace(helper, limits=replace(helper.limits, timeout_seconds=60)))
    run = parked(world, laps([PAY]))

    world.write("and one more thing", when_busy="enqueue")

    assert session(world).expires_at * 1000 >= run.waits_until


def test_a_session_that_is_ended_is_in_nobodys_hands(world: QuickWorld):
    run = escalated(world)

    ended, _ = end_session(TENANT, "s1", world.endings())

    assert (ended.escalation, world.run(run).status) == (None, "CANCELLED")


def test_a_session_that_a_person_has_is_erased_with_what_was_written_to_them(world: QuickWorld):
    escalated(world)
    world.write("hello?")

    erase_session(TENANT, "s1", world.erasing())

    assert {item["kind"]["S"] for item in world.everything()} == {"lease"}
    with pytest.raises(NotFound):
        erase_session(TENANT, "s1", world.erasing())


def test_a_conversation_that_is_cancelled_is_in_nobodys_hands(world: QuickWorld):
    run = escalated(world)

    world.cancel(run)
    settle(world)

    assert session(world).escalation is None
    assert world.write("hello again").turn == 2
