"""Runs that wait for people, clients and other agents, whole: through the real state machine, decided over HTTP."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from chaos import Machinery, Plays, at_once, kill
from freehold.adapters import keys
from freehold.values.run import RunKey
from model_server import ask, say
from people import Json, Person, person
from product_stack import PEOPLE, TENANT, Product, eventually, function

pytestmark = pytest.mark.stack

CONFIRMED = function("pay", requireConfirmation="ENABLED")
APPROVED = function("pay", requireApproval=True)
PAY = ("pay", {"note": "7"})
NOT_IN_TIME = "Error: Nobody approved this call in time, so it was not made."


@pytest.fixture(scope="module")
def plays(product: Product) -> Plays:
    return Plays(product.model)


@pytest.fixture(scope="module")
def machinery(product: Product) -> Machinery:
    return Machinery(product)


@pytest.fixture(scope="module")
def user(product: Product) -> Iterator[Person]:
    """Who asks."""
    made = person(product, "run", "read")
    with made.http:
        yield made


@pytest.fixture(scope="module")
def boss(product: Product) -> Iterator[Person]:
    """Who approves, and hands back."""
    made = person(product, "approve")
    with made.http:
        yield made


@pytest.fixture
def queue(product: Product) -> Iterator[str]:
    """The URL of the queue of those who take conversations over."""
    sqs = product.aws("sqs")
    url = sqs.create_queue(QueueName=PEOPLE, Attributes={"FifoQueue": "true"})["QueueUrl"]
    yield url
    sqs.delete_queue(QueueUrl=url)


def told(plays: Plays, text: str, lap: int = 2) -> list[str]:
    """What the model was told of the calls before that lap; what failed or was denied begins with `Error`."""
    messages = plays.requests[text][lap - 1]["messages"]
    last = max(i for i, message in enumerate(messages) if message["role"] == "assistant")
    return [message["content"] for message in messages[last + 1 :]]


def made(product: Product, run: Json) -> list[str]:
    """The calls that have reached the tools."""
    return [effect["function"] for effect in product.effects_of(run["runId"])]


def ran(machinery: Machinery, run: Json, *, number: int, mode: str = "durable") -> list[str]:
    """The states that an execution went through, once it has ended."""
    execution = machinery.execution(run["runId"], number, mode)
    eventually(lambda: machinery.status(execution) == "SUCCEEDED")
    return [name for name, _ in machinery.states(execution)]


def at_work(machinery: Machinery, run: Json) -> list[str]:
    """The run's executions that are running."""
    pages = machinery.product.aws("stepfunctions").get_paginator("list_executions")
    found = pages.paginate(stateMachineArn=machinery.machine("durable"), statusFilter="RUNNING")
    names = [each["name"] for page in found for each in page["executions"]]
    return [name for name in names if name.startswith(f"{run['runId']}-")]


# -- confirmations and approvals


@pytest.mark.parametrize("mode", ["durable", "fast"])
def test_a_call_is_made_once_the_user_has_confirmed_it_and_nothing_runs_until_then(
    product: Product, plays: Plays, machinery: Machinery, user: Person, boss: Person, mode: str
):
    text = plays.new(ask(PAY), say("paid"))
    run = user.begins(product.agent(CONFIRMED, executionMode=mode), text)
    parked = user.sees_parked(run["runId"], "confirmation")

    states = ran(machinery, run, number=1, mode=mode)
    assert states == ["InvokeModel", "WhatNext", "ParkRun", "WhatNext", "Parked"]
    assert at_work(machinery, run) == []
    assert (made(product, run), len(plays.requests[text])) == ([], 1)
    assert boss.decides(parked, "approve").status_code == 403
    assert user.decides(parked, "approve").status_code == 200

    assert user.sees_ended(run["runId"])["output"] == "paid"
    assert made(product, run) == ["pay"]
    assert ran(machinery, run, number=2, mode=mode)[-1] == "FinishRun"
    assert [item["reason"] for item in user.sees_items(run, "refusal")] == [
        "only the user who asked for this run may confirm its calls"
    ]


def test_a_call_that_the_user_does_not_confirm_is_not_made_and_the_model_reads_why(
    product: Product, plays: Plays, user: Person
):
    text = plays.new(ask(PAY), say("as you like"))
    run = user.begins(product.agent(CONFIRMED), text)

    parked = user.sees_parked(run["runId"], "confirmation")
    assert user.decides(parked, "deny", comment="too much").status_code == 200

    assert user.sees_ended(run["runId"])["output"] == "as you like"
    assert made(product, run) == []
    assert told(plays, text) == [
        "Error: The user did not confirm this call, so it was not made. Comment: too much"
    ]


def test_somebody_else_approves_and_not_the_requester(
    product: Product, plays: Plays, user: Person, boss: Person
):
    agent = product.agent(APPROVED, approvals={"approvers": ["scope:approve", "scope:run"]})
    run = user.begins(agent, plays.new(ask(PAY), say("paid")))
    parked = user.sees_parked(run["runId"], "approval")

    def listed() -> list[str]:
        found = boss.http.get("/approvals", params={"agent": agent}).json()["approvals"]
        return [each["runId"] for each in found]

    assert listed() == [run["runId"]]
    assert user.decides(parked, "approve").status_code == 403
    altered = {**parked, "awaiting": [{**parked["awaiting"][0], "argumentsDigest": "0" * 64}]}
    assert boss.decides(altered, "approve").status_code == 409
    assert made(product, run) == []
    assert boss.decides(parked, "approve").status_code == 200

    assert user.sees_ended(run["runId"])["output"] == "paid"
    assert (made(product, run), listed()) == (["pay"], [])
    assert [item["by"] for item in user.sees_items(run, "decision")] == [boss.name]


def test_calls_of_one_lap_are_decided_one_by_one_and_one_that_needs_nobody_runs_meanwhile(
    product: Product, plays: Plays, machinery: Machinery, user: Person, boss: Person
):
    agent = product.agent(APPROVED, function("echo", idempotent=True))
    text = plays.new(ask(PAY, ("echo", {"note": "meanwhile"}), ("pay", {"note": "8"})), say("half of it"))
    run = user.begins(agent, text)
    parked = user.sees_parked(run["runId"], "approval", "approval")
    assert made(product, run) == ["echo"]

    assert boss.decides(parked, "deny", of=(0,)).json()["status"] == "AWAITING"
    assert at_work(machinery, run) == []
    assert boss.decides(parked, "approve", of=(1,)).json()["status"] == "RUNNING"

    assert user.sees_ended(run["runId"])["output"] == "half of it"
    assert sorted(effect["note"] for effect in product.effects_of(run["runId"])) == ["8", "meanwhile"]
    assert told(plays, text) == ["Error: This call was not approved, so it was not made.", "meanwhile", "8"]


def test_what_nobody_decides_in_time_the_sweeper_denies(
    product: Product, plays: Plays, machinery: Machinery, user: Person, boss: Person
):
    agent = product.agent(APPROVED, approvals={"expireAfterSeconds": 60})
    text = plays.new(ask(PAY), say("a pity"))
    run = user.begins(agent, text)
    parked = user.sees_parked(run["runId"], "approval")

    overdue(product, run["runId"])
    assert boss.decides(parked, "approve").status_code == 409
    machinery.sweep()

    assert user.sees_ended(run["runId"])["output"] == "a pity"
    assert (made(product, run), told(plays, text)) == ([], [NOT_IN_TIME])


def overdue(product: Product, run_id: str) -> None:
    """The time until which the run waits has passed."""
    key, past = RunKey.parse(TENANT, run_id), 1_000
    assert key is not None
    pk = {"S": f"CONV#{TENANT}#{key.conversation}"}
    # `rev` as every writer does: ParkRun may be about to write that people were told, of the run as it was before.
    changes: tuple[tuple[str, str, dict[str, Any]], ...] = (
        (
            f"RUN#{key.turn:06d}",
            "SET waits_until = :past, rev = rev + :one",
            {":past": {"N": str(past)}, ":one": {"N": "1"}},
        ),
        (
            keys.parked(key)["sk"],
            "SET due_at = :past, listed_at = :listed",
            {":past": {"N": str(past)}, ":listed": {"S": keys.listed_at(past, run_id)}},
        ),
    )
    for sk, change, values in changes:
        product.aws("dynamodb").update_item(
            TableName=product.outputs["SessionsTable"],
            Key={"pk": pk, "sk": {"S": sk}},
            UpdateExpression=change,
            ConditionExpression="attribute_exists(sk)",
            ExpressionAttributeValues=values,
        )


# -- results from elsewhere


def test_results_come_from_two_clients_at_once_and_each_is_accepted_once(
    product: Product, plays: Plays, user: Person
):
    group = {
        "actionGroupName": "screen",
        "actionGroupExecutor": {"customControl": "RETURN_CONTROL"},
        "functionSchema": {"functions": [function("draw"), function("measure")]},
    }
    text = plays.new(ask(("draw", {"note": "a"}), ("measure", {"note": "b"})), say("drawn"))
    run = user.begins(product.agent(actionGroups=[group]), text)
    parked = user.sees_parked(run["runId"], "result", "result")

    draw = partial(user.decides, parked, "result", of=(0,), result={"body": {"width": 3}})
    measure = partial(
        user.decides, parked, "result", of=(1,), result={"body": "no ruler", "state": "failure"}
    )
    answers = at_once(draw, draw, measure, measure)

    assert [answer.status_code for answer in answers] == [200] * 4
    late = user.decides(parked, "result", of=(0,), result={"body": "another"})
    assert late.status_code == 409
    assert user.sees_ended(run["runId"])["output"] == "drawn"
    assert told(plays, text) == ['{"width": 3}', "Error: no ruler"]
    assert len(plays.requests[text]) == 2


def test_the_next_message_of_the_session_answers_a_question(product: Product, plays: Plays, user: Person):
    asking = {"actionGroupName": "asking", "parentActionGroupSignature": "AMAZON.UserInput"}
    agent = product.agent(actionGroups=[asking])
    text = plays.new(ask(("ask_user", {"question": "Which order?"})), say("found"))
    run = user.begins(agent, text)
    (question,) = user.sees_parked(run["runId"], "answer")["awaiting"]
    assert question["question"] == "Which order?"

    answered = user.begins(agent, "ORD-7", sessionId=run["sessionId"])

    assert answered["runId"] == run["runId"]
    assert user.sees_ended(run["runId"])["output"] == "found"
    assert told(plays, text) == ["ORD-7"]


# -- a person


def received(product: Product, queue: str, run: Json, count: int = 1) -> list[Json]:
    """The next messages about the run, in their order."""
    found: list[Json] = []

    def enough() -> bool:
        sqs = product.aws("sqs")
        for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
            found.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return sum(each["runId"] == run["runId"] for each in found) >= count

    eventually(enough)
    return [each for each in found if each["runId"] == run["runId"]]


def escalating(product: Product) -> str:
    target = f"arn:aws:sqs:us-east-1:000000000000:{PEOPLE}"
    return product.agent(escalation={"enabled": True, "when": "there is a dispute", "target": target})


DISPUTE = ("escalate_to_human", {"reason": "a dispute", "summary": "refund of 900"})


def test_a_person_takes_the_conversation_over_and_hands_it_back(
    product: Product, plays: Plays, user: Person, boss: Person, queue: str
):
    agent = escalating(product)
    text = plays.new(ask(DISPUTE), say("my colleague has refunded it"))
    run = user.begins(agent, text)
    user.sees_parked(run["runId"], "handback")

    meanwhile = [user.begins(agent, word, sessionId=run["sessionId"]) for word in ("hello?", "anybody?")]
    session = user.http.get(f"/sessions/{run['sessionId']}").json()
    notices = received(product, queue, run, 3)

    assert {each["runId"] for each in meanwhile} == {run["runId"]}
    assert (session["escalation"]["reason"], session["escalation"]["summary"]) == (
        "a dispute",
        "refund of 900",
    )
    assert [(each["kind"], each.get("text")) for each in notices] == [
        ("escalation", None),
        ("message", "hello?"),
        ("message", "anybody?"),
    ]
    assert (notices[0]["summary"], notices[0]["principal"]) == ("refund of 900", user.name)

    hand_back = f"/sessions/{run['sessionId']}/hand-back"
    assert user.http.post(hand_back, json={"note": "never mind"}).status_code == 403
    assert boss.http.post(hand_back, json={"note": "refunded"}).status_code == 200

    assert user.sees_ended(run["runId"])["output"] == "my colleague has refunded it"
    assert [json.loads(each) for each in told(plays, text)] == [
        {"handedBackWith": "refunded", "userWroteMeanwhile": ["hello?", "anybody?"]}
    ]
    again = user.begins(agent, plays.new(say("hello again")), sessionId=run["sessionId"])
    assert user.sees_ended(again["runId"])["output"] == "hello again"


def test_a_worker_that_dies_while_it_parks_a_run_leaves_one_that_waits_and_is_told(
    product: Product, plays: Plays, machinery: Machinery, user: Person, boss: Person, queue: str
):
    agent = escalating(product)

    def died(run: Json) -> bool:
        """Whether the worker that parks the run was killed after the run was written and before that was told."""
        key = RunKey.parse(TENANT, run["runId"])
        assert key is not None
        workers, until = machinery.workers("FinishRun"), time.monotonic() + 30
        # The moment is short.
        while not (found := machinery.sessions.run(key)) or found.status != "AWAITING":
            assert time.monotonic() < until
        for pid in workers:
            kill(pid)
        ran(machinery, run, number=1)
        errors = machinery.errors(machinery.execution(run["runId"]))
        return found.undelivered and any("Runtime.ExitError" in told for told in errors)

    for _ in range(20):
        run = user.begins(agent, plays.new(ask(DISPUTE), say("settled")))
        killed = died(run)
        assert received(product, queue, run)[0]["kind"] == "escalation"
        assert machinery.run(run["runId"]).run.undelivered is False
        assert (
            boss.http.post(f"/sessions/{run['sessionId']}/hand-back", json={"note": "x"}).status_code == 200
        )
        assert user.sees_ended(run["runId"])["output"] == "settled"
        if killed:
            return
    raise AssertionError("no kill has hit the moment")


# -- other agents


def child_of(user: Person, run_id: str) -> str:
    """The id of the run that the run waits for."""
    user.sees_parked(run_id, "agent")
    (child,) = eventually(lambda: user.sees(run_id).get("children"))
    return child


def chain(product: Product, plays: Plays, *texts: Any) -> tuple[str, str]:
    """The first of so many agents that ask one another, and the text that makes it do so.

    The last one gives the last of `texts`, and each one above passes on what it hears.
    """
    agent, text = product.agent(), plays.new(*texts)
    for level in range(2):
        collaborator = {"agent": agent, "collaborationInstruction": "Knows.", "collaboratorName": "expert"}
        agent = product.agent(agentCollaborators=[collaborator])
        text = plays.new(ask(("expert", {"message": text})), say(f"heard at {level}"))
    return agent, text


def test_agents_ask_one_another_three_deep(
    product: Product, plays: Plays, machinery: Machinery, user: Person
):
    agent, text = chain(product, plays, say("it is 42"))
    run = user.begins(agent, text)

    ended = user.sees_ended(run["runId"])

    assert ended["output"] == "heard at 1"
    assert told(plays, text) == ["heard at 0"]
    (middle,) = ended["children"]
    (last,) = user.sees(middle)["children"]
    deepest = user.sees(last)
    assert (deepest["output"], deepest["parent"]["runId"]) == ("it is 42", middle)
    assert deepest["principal"] == ended["principal"]
    assert ran(machinery, run, number=1)[-1] == "Parked"


def test_a_run_that_is_cancelled_takes_those_along_that_it_waits_for(
    product: Product, plays: Plays, user: Person, boss: Person
):
    collaborator = {
        "agent": product.agent(APPROVED),
        "collaborationInstruction": "Pays.",
        "collaboratorName": "payer",
    }
    agent = product.agent(agentCollaborators=[collaborator])
    run = user.begins(
        agent, plays.new(ask(("payer", {"message": plays.new(ask(PAY), say("paid"))})), say("x"))
    )
    child = child_of(user, run["runId"])
    waiting = user.sees_parked(child, "approval")

    user.cancels(run["runId"])

    assert user.sees_ended(run["runId"])["status"] == "CANCELLED"
    assert user.sees_ended(child)["status"] == "CANCELLED"
    assert boss.decides(waiting, "approve").status_code == 409
    assert product.effects_of(child) == []


def test_an_approver_lets_another_agents_run_go_on_and_with_it_the_one_that_asked(
    product: Product, plays: Plays, user: Person, boss: Person
):
    collaborator = {
        "agent": product.agent(APPROVED, executionMode="fast"),
        "collaborationInstruction": "Pays.",
        "collaboratorName": "payer",
    }
    agent = product.agent(agentCollaborators=[collaborator])
    text = plays.new(ask(("payer", {"message": plays.new(ask(PAY), say("paid 7"))})), say("done"))
    run = user.begins(agent, text)
    child = child_of(user, run["runId"])

    assert boss.decides(user.sees_parked(child, "approval"), "approve").status_code == 200

    assert user.sees_ended(run["runId"])["output"] == "done"
    assert told(plays, text) == ["paid 7"]
    assert [effect["function"] for effect in product.effects_of(child)] == ["pay"]
