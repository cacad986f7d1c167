"""Answers to those who asked by a message: each is sent once its run has ended, and holds nothing else up."""

from __future__ import annotations

import json
from typing import Any

import pytest

from driven import QuickWorld, go_on, named, settle
from freehold.adapters.replies import AwsReplies
from freehold.answering import MOST_OUTPUT, reply_of
from freehold.ending import Ending
from freehold.errors import StoreUnavailable
from freehold.sweeping import GIVEN_UP_MS
from freehold.values.agent import Memory
from freehold.values.run import Run
from memory_queues import MemoryQueues

ANSWERS = "arn:aws:sqs:us-east-1:123456789012:answers.fifo"
DAY = 86_400


@pytest.fixture
def world() -> QuickWorld:
    world = QuickWorld()
    world.apply(named("helper"))
    return world


def asked(world: QuickWorld, text: str = "hi", **more: Any) -> Run:
    return world.ask(text, **({"reply_to": ANSWERS, "request_id": "d1", "when_busy": "enqueue"} | more))


def gone(world: QuickWorld) -> None:
    world.replies.error = StoreUnavailable("the queue is not there")


def sweep(world: QuickWorld, minutes: int) -> None:
    for _ in range(minutes):
        world.pass_time(60)
        world.sweep()


def ends(world: QuickWorld) -> list[str]:
    return [detail["runId"] for _, detail in world.events.published]


def test_the_answer_says_what_came_of_the_run_and_which_request_it_answers(world: QuickWorld):
    run = go_on(world, asked(world))

    ((target, reply, group, reply_id),) = world.replies.sent
    assert (target, group, reply_id) == (ANSWERS, "s1", run.key.run_id)
    assert reply | {"usage": None} == {
        "tenant": "acme",
        "runId": run.key.run_id,
        "sessionId": "s1",
        "agent": "helper",
        "requestId": "d1",
        "status": "COMPLETED",
        "stopReason": None,
        "output": "So: hi",
        "usage": None,
        "costUsd": None,
    }
    assert not world.run(run).undelivered


@pytest.mark.parametrize(
    ("target", "named"),
    [
        (ANSWERS, {"MessageGroupId": "s1", "MessageDeduplicationId": "r1"}),
        # SQS takes no deduplication id where nothing is in order.
        (ANSWERS.removesuffix(".fifo"), {}),
    ],
)
def test_answers_are_in_the_order_of_their_session_where_the_queue_keeps_one(
    target: str, named: dict[str, str]
):
    queues = MemoryQueues()

    AwsReplies(lambda: queues, lambda: None).send(target, {"output": "Hi."}, group="s1", reply_id="r1")

    (sent,) = queues.records(target.rpartition(":")[2])
    assert json.loads(sent["body"]) == {"output": "Hi."}
    assert {name: told for name, told in sent["attributes"].items() if name.startswith("Message")} == named


def test_the_answer_of_a_run_that_failed_says_why(world: QuickWorld):
    failed = Ending.of({"error": {"type": "ModelRejected", "cause": "no"}})

    world.finish(asked(world), failed)

    ((_, reply, *_),) = world.replies.sent
    assert (reply["status"], reply["output"]) == ("FAILED", None)
    assert reply["error"] == {"type": "ModelRejected", "message": "no"}


def test_a_queued_run_that_is_cancelled_is_answered_too(world: QuickWorld):
    asked(world)
    queued = asked(world, request_id="d2")

    world.cancel(queued)

    ((_, reply, *_),) = world.replies.sent
    assert (reply["requestId"], reply["status"]) == ("d2", "CANCELLED")


def test_a_run_that_nobody_wants_an_answer_of_sends_none(world: QuickWorld):
    go_on(world, world.ask())

    assert world.replies.sent == []


@pytest.mark.parametrize("text", ["a", "é", "\U0001f600", '"'])
def test_an_output_that_is_too_long_is_cut_and_the_answer_says_how_long_it_is(text: str, world: QuickWorld):
    run, long = go_on(world, asked(world)), text * 250_000

    reply = reply_of(run, long)

    assert long.startswith(str(reply["output"]))
    assert MOST_OUTPUT - 20 <= len(json.dumps(reply["output"])) <= MOST_OUTPUT
    assert reply["outputLength"] == 250_000


def test_a_target_that_is_gone_holds_up_neither_the_next_turn_nor_the_event(world: QuickWorld):
    gone(world)
    first, second = asked(world), asked(world, reply_to=None)

    go_on(world, first)

    assert ends(world) == [first.key.run_id]
    assert world.run(second).status == "RUNNING"
    assert world.run(first).undelivered


def test_what_was_told_is_not_told_again_with_each_attempt_at_the_answer(world: QuickWorld):
    gone(world)
    run = go_on(world, asked(world))

    sweep(world, 30)

    assert ends(world) == [run.key.run_id]
    assert {str(error) for _, error in world.reported} == {f"the answer could not be sent to {ANSWERS}"}


def test_an_answer_is_sent_once_its_target_is_there(world: QuickWorld):
    gone(world)
    run = go_on(world, asked(world))
    sweep(world, 3)
    world.replies.error = None

    sweep(world, 2)

    assert [reply["runId"] for _, reply, *_ in world.replies.sent] == [run.key.run_id]
    assert not world.run(run).undelivered


def test_an_answer_that_cannot_be_sent_is_tried_ever_more_rarely_and_given_up_after_three_days(
    world: QuickWorld,
):
    gone(world)
    run = go_on(world, asked(world))
    sweep(world, 10)
    at_first = len(world.reported)

    sweep(world, 60)
    in_an_hour = len(world.reported) - at_first
    world.pass_time(GIVEN_UP_MS / 1000)
    sweep(world, 20)

    assert (at_first, in_an_hour) == (9, 8)
    assert str(world.reported[-1][1]).endswith("and is given up")
    assert not world.run(run).undelivered


def test_an_answer_that_cannot_be_sent_keeps_no_summary(world: QuickWorld):
    gone(world)
    world.apply(named("helper", memory=Memory()))
    run = go_on(world, asked(world, memory_id="m1"))
    world.executions.summaries.clear()

    sweep(world, 60)

    assert world.run(run).summary_due
    assert f"{run.key.run_id}-s2" in world.executions.summaries


def test_an_ending_that_dies_before_the_answer_is_delivered_by_the_sweeper(world: QuickWorld):
    class Died(BaseException):
        pass

    def die(operation: str, request: Any) -> Any:
        if operation == "publish":
            raise Died
        return request()

    run = asked(world)
    with world.helm.held(die), pytest.raises(Died):
        go_on(world, run)

    settle(world)

    assert ends(world) == [run.key.run_id]
    assert len(world.replies.sent) == 1
