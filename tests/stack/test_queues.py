"""Runs that are asked for by messages: through the stack's own queues, and back to a queue that the message names."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from typing import Any
from uuid import uuid4

import pytest

from freehold.adapters.access import AccessEntries
from freehold.adapters.table import Table
from freehold.values.access import AccessEntry
from freehold_client import Run
from model_server import say
from product_stack import ANSWERS, TENANT, Product, eventually

pytestmark = pytest.mark.stack

SESSIONS, EACH = 6, 4
MODEL = {"model": "scripted", "api": "openai_compatible"}


@pytest.fixture(scope="module", autouse=True)
def granted(product: Product) -> None:
    entries = AccessEntries(Table(product.aws("dynamodb"), product.outputs["AgentsTable"]))
    for kind, name in (("queue", "RequestsArn"), ("rule", "RunRequestedRule")):
        entries.grant(AccessEntry(kind, product.outputs[name], TENANT, 0))


@pytest.fixture
def agent(product: Product) -> str:
    return product.agent()


def send(product: Product, body: Any, group: str, deduplication: str | None = None) -> str:
    """The deduplication id under which it was sent."""
    name = deduplication or uuid4().hex
    product.aws("sqs").send_message(
        QueueUrl=product.outputs["Requests"],
        MessageBody=body if isinstance(body, str) else json.dumps(body),
        MessageGroupId=group,
        MessageDeduplicationId=name,
    )
    return name


def of_agent(product: Product, agent: str) -> list[Run]:
    return list(product.api.runs.list(agent=agent))


def all_ended(product: Product, agent: str, number: int) -> list[Run] | None:
    runs = of_agent(product, agent)
    return runs if len(runs) >= number and all(run.ended for run in runs) else None


def letters(product: Product, *sent: str) -> dict[str, Any]:
    """Dead letters of those messages by their deduplication ids."""
    found = product.api.dead_letters.list().letters
    return {str(each.deduplication_id): each for each in found if each.deduplication_id in sent}


def test_messages_that_come_twice_and_badly_among_others_have_one_run_each_in_order(
    product: Product, agent: str
):
    product.model.script([say("Hello.")] * (SESSIONS * EACH))
    chance, sent, bad = random.Random(6), defaultdict[str, list[str]](list), list[str]()
    for number in range(EACH):
        for session in chance.sample([f"{agent}-{name}" for name in range(SESSIONS)], SESSIONS):
            text = f"Message {number}."
            name = send(product, {"agent": agent, "input": text}, session)
            sent[session].append(text)
            if chance.random() < 0.3:
                # As a new message it gets past SQS's own memory, and is the same one to Freehold.
                product.aws("sqs").send_message(
                    QueueUrl=product.outputs["Requests"],
                    MessageBody=json.dumps({"agent": agent, "input": text}),
                    MessageGroupId=session,
                    MessageDeduplicationId=uuid4().hex,
                    MessageAttributes={"deduplication": {"DataType": "String", "StringValue": name}},
                )
            if chance.random() < 0.2:
                bad.append(send(product, {"agent": agent, "input": ""}, session))

    runs = eventually(lambda: all_ended(product, agent, SESSIONS * EACH), seconds=90)

    asked = defaultdict[str, list[tuple[int, str]]](list)
    for run in runs:
        asked[run.session_id].append((int(run.run_id.rpartition("-")[2]), str(run.wire["input"])))
    assert {name: [text for _, text in sorted(turns)] for name, turns in asked.items()} == sent
    refused = eventually(lambda: found if len(found := letters(product, *bad)) == len(bad) else None)
    assert {each.error for each in refused.values()} == {"Invalid"}


def test_an_event_on_the_bus_asks_for_a_run(product: Product, agent: str):
    product.model.script([say("Hello.")])
    entry = {
        "EventBusName": product.outputs["Bus"],
        "Source": "shop",
        "DetailType": "Agent Run Requested",
        "Detail": json.dumps({"agent": agent, "input": "Hello.", "sessionId": f"{agent}-1"}),
    }

    product.aws("events").put_events(Entries=[entry])

    (run,) = eventually(lambda: all_ended(product, agent, 1))
    assert (run.session_id, run.wire["trigger"]) == (f"{agent}-1", "event")
    assert run.wire["principal"]["id"].startswith("shop/")


def test_an_answer_comes_to_the_queue_that_the_message_named(product: Product, agent: str):
    sqs = product.aws("sqs")
    queue = sqs.create_queue(QueueName=ANSWERS, Attributes={"FifoQueue": "true"})["QueueUrl"]
    target = f"arn:aws:sqs:us-east-1:000000000000:{ANSWERS}"
    product.model.script([say("Hello.")])

    name = send(product, {"agent": agent, "input": "Hello.", "replyTo": target}, f"{agent}-1")

    (answer,) = eventually(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"))
    told = json.loads(answer["Body"])
    (run,) = of_agent(product, agent)
    assert (told["runId"], told["requestId"], told["status"]) == (run.run_id, name, "COMPLETED")
    assert told["output"] == "Hello."


def test_a_dead_letter_is_put_back_and_begins_its_run_once_what_was_wrong_is_mended(product: Product):
    later = f"later-{uuid4().hex[:8]}"
    name = send(product, {"agent": later, "input": "Hello."}, "s1")
    letter = eventually(lambda: letters(product, name).get(name))
    assert later in str(letter.reason)
    product.model.script([say("Hello.")])
    product.api.agents.apply({"agentName": later, "foundationModel": MODEL, "instruction": "Greet."})

    assert product.api.dead_letters.redrive([letter.letter_id]).redriven == (letter.letter_id,)

    eventually(lambda: all_ended(product, later, 1))
    assert letters(product, name) == {}
