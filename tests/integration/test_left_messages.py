"""Messages to whoever has a conversation in hand: none is lost, kept twice or held up by another one."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from driven import ESCALATE, QuickWorld, escalating, go_on, laps, named, parked, results
from freehold.adapters.notices import AwsNotices
from freehold.errors import StaleWrite, StoreUnavailable
from freehold.values.run import Run
from freehold.wording import CUT, LEFT_OUT
from steering import Died, Requests, Steer, died_after

QUEUE = "arn:aws:sqs:us-east-1:123456789012:people"
TOPIC = "arn:aws:sns:us-east-1:123456789012:people"
Request = Callable[[], Any]


@pytest.fixture
def world() -> QuickWorld:
    world = QuickWorld()
    world.apply(named("helper", escalating(), escalation_target=QUEUE))
    return world


def escalated(world: QuickWorld) -> Run:
    return parked(world, laps([ESCALATE]))


def sent(world: QuickWorld) -> list[str]:
    """Texts of what was sent to the person, and the reason of the escalation."""
    return [notice.get("text") or notice["reason"] for _, notice, _, _ in world.notices.sent]


def sweep(world: QuickWorld, minutes: int) -> None:
    for _ in range(minutes):
        world.pass_time(60)
        world.sweep()


def refusing(word: str, world: QuickWorld) -> Steer:
    """A queue that takes nothing in which there is this word."""

    def steer(operation: str, request: Request) -> Any:
        answer = request()
        if operation == "send" and word in sent(world):
            world.notices.sent.pop()
            raise StoreUnavailable("it is refused")
        return answer

    return steer


def test_a_message_that_is_refused_holds_up_no_other_and_what_was_told_is_told_once(world: QuickWorld):
    run = escalated(world)
    world.helm.steer = refusing("poison", world)
    world.write("poison")
    world.write("please hurry")

    sweep(world, 30)

    assert sent(world) == ["a dispute", "please hurry"]
    assert [message.text for message in world.waits.unsent(run.key)] == ["poison"]
    assert world.run(run).undelivered
    assert [name for name, _ in world.events.published] == ["Agent Run Awaiting Decision", "Agent Escalated"]


def test_what_was_told_is_told_no_more_though_a_message_came_ahead_of_that_and_is_refused(world: QuickWorld):
    run = world.ask(laps([ESCALATE]))
    refuse, came = refusing("poison", world), list[Run]()

    def poison_comes(operation: str, request: Request) -> Any:
        if operation == "send" and not came:
            came.append(run)
            world.write("poison")
        return refuse(operation, request)

    world.helm.steer = poison_comes
    with suppress(StoreUnavailable):
        go_on(world, run)
    before = (list(world.events.published), sent(world))
    sweep(world, 30)

    assert (list(world.events.published), sent(world)) == before


def test_a_message_whose_sender_dies_while_another_is_sent_is_sent_by_the_sweeper(world: QuickWorld):
    run = escalated(world)

    def another_comes(request: Request) -> Any:
        answer = request()
        with world.helm.held(Requests(1, died_after, ("transact_write_items",))), suppress(Died):
            world.write("two")
        return answer

    with world.helm.held(Requests(1, another_comes, ("send",))):
        world.write("one")
    sweep(world, 2)

    assert sent(world) == ["a dispute", "one", "two"]
    assert not world.run(run).undelivered


def test_a_message_is_left_once_though_its_run_is_crowded_then(world: QuickWorld):
    run = escalated(world)
    puts = list[str]()

    def crowded(operation: str, request: Request) -> Any:
        if operation == "put_item":
            puts.append(operation)
        if len(puts) > 1:
            # The first one says that the message was sent.
            raise StaleWrite("somebody was quicker")
        return request()

    with world.helm.held(crowded):
        assert world.write("hello?").key == run.key

    assert [message.text for message in world.waits.messages(run.key)] == ["hello?"]


def test_the_agent_reads_the_newest_of_what_was_written_meanwhile(world: QuickWorld):
    run = escalated(world)
    for letter in "abcd":
        world.pass_time(1)
        world.write(letter * 9_000)

    world.decide(run, "result", content="settled")

    (result,) = results(world, run)
    assert json.loads(result.content) == {
        "handedBackWith": "settled",
        "userWroteMeanwhile": [LEFT_OUT, "b" * 2_000 + CUT, "c" * 9_000, "d" * 9_000],
    }


# -- what queues and topics take


class Desk:
    """A queue and a topic, which keep what they are sent."""

    def __init__(self) -> None:
        self.bodies = list[str]()

    def get_queue_url(self, **_: Any) -> Any:
        return {"QueueUrl": "https://queue"}

    def send_message(self, **request: Any) -> None:
        self.bodies.append(request["MessageBody"])

    def publish(self, **request: Any) -> None:
        self.bodies.append(request["Message"])


@pytest.mark.parametrize("target", [QUEUE, TOPIC])
@pytest.mark.parametrize("letter", ["x", "ü", "\N{PUSHPIN}", '"', "\uffff", "\ud800"])
def test_the_longest_notice_fits_a_queue_and_says_where_the_whole_is(target: str, letter: str):
    desk = Desk()
    notice = {"sessionId": "s1", "reason": letter * 200_000, "summary": letter * 200_000}

    AwsNotices(desk, desk).send(target, notice, group="s1", notice_id="n1")

    (body,) = desk.bodies
    told = json.loads(body)
    assert body.isascii()
    assert len(body) <= 256 * 1024
    for name in ("reason", "summary"):
        assert told[name].startswith(letter * 9_000)
        assert told[name].endswith("[cut: the items of session s1 have the whole]")


def test_a_notice_that_fits_is_sent_whole():
    desk = Desk()
    notice = {"sessionId": "s1", "text": "é" * 19_000, "waitsUntil": 5}

    AwsNotices(desk, desk).send(QUEUE, notice, group="s1", notice_id="n1")

    assert json.loads(desk.bodies[0]) == {"id": "n1", **notice}
