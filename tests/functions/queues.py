"""The stack's queues, and messages as Lambda takes them from there."""

from __future__ import annotations

import itertools
import json
from typing import Any

from freehold import wiring
from freehold.values.access import AccessEntry, EntryKind

from .aws import MOVED_FROM, aws
from .caller import TENANT
from .lambdas import ENVIRONMENT, invoke

HERE = "us-east-1:123456789012"
REQUESTS = f"arn:aws:sqs:{HERE}:freehold-requests.fifo"
INCOMING = ENVIRONMENT["INCOMING_EVENTS_ARN"]
RULE = f"arn:aws:events:{HERE}:rule/freehold/freehold-RunRequested"
ANSWERS, NOWHERE = f"arn:aws:sqs:{HERE}:answers", f"arn:aws:sqs:{HERE}:nowhere"
BUS = f"arn:aws:events:{HERE}:event-bus/freehold"
# What the stack's parameter lists.
REPLY_TARGETS = (ANSWERS, NOWHERE, BUS)
DEAD_LETTERS, PUT_ASIDE = ENVIRONMENT["DEAD_LETTERS"], ENVIRONMENT["REQUESTS_DEAD_LETTERS"]
FIFO = {"FifoQueue": "true"}
NUMBERS = itertools.count(1)


def make() -> None:
    sqs = aws("sqs")
    for name in (DEAD_LETTERS, INCOMING, ANSWERS):
        sqs.create_queue(QueueName=name.replace("/", ":").rpartition(":")[2])
    for name in (PUT_ASIDE, REQUESTS):
        sqs.create_queue(QueueName=name.replace("/", ":").rpartition(":")[2], Attributes=FIFO)


def grant(kind: EntryKind = "queue", name: str = REQUESTS, tenant: str = TENANT) -> None:
    wiring.access().grant(AccessEntry(kind, name, tenant, 0))


def record(body: Any, *, queue: str = REQUESTS, group: str = "s1", received: int = 1) -> dict[str, Any]:
    """One of the records of an invocation; `body` is text, or JSON."""
    number = next(NUMBERS)
    about = {"SenderId": "AROA1:ann", "ApproximateReceiveCount": str(received)}
    if queue.endswith(".fifo"):
        about |= {"MessageGroupId": group, "MessageDeduplicationId": f"d{number}"}
    text = body if isinstance(body, str) else json.dumps(body)
    return {
        "messageId": f"m{number}",
        "eventSource": "aws:sqs",
        "eventSourceARN": queue,
        "body": text,
        "attributes": about,
        "messageAttributes": {},
    }


def deliver(*records: dict[str, Any]) -> list[str]:
    """The ids of the messages that have to come again."""
    told = invoke("ingest", {"Records": list(records)})
    return [each["itemIdentifier"] for each in told["batchItemFailures"]]


def move(body: Any, moved_from: str = REQUESTS, *, to: str = PUT_ASIDE, **told: str) -> None:
    """What SQS does by itself with a message that was received too often; `told` is what its sender gave."""
    given: dict[str, Any] = {"QueueUrl": to, "MessageBody": json.dumps(body)}
    if to.endswith(".fifo"):
        given |= {"MessageGroupId": "s1", "MessageDeduplicationId": f"d{next(NUMBERS)}"}
    named = {MOVED_FROM: moved_from} | told
    attributes = {name: {"DataType": "String", "StringValue": value} for name, value in named.items()}
    aws("sqs").send_message(**given, MessageAttributes=attributes)


def refused() -> str:
    """The id of a dead letter of the tenant, as it is shown."""
    grant()
    deliver(record({"agent": "nobody", "input": "hi"}))
    return waiting(DEAD_LETTERS)[0]["MessageId"]


def waiting(url: str) -> list[dict[str, Any]]:
    """What lies in a queue, and stays there."""
    found = aws("sqs").receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=10,
        VisibilityTimeout=0,
        MessageAttributeNames=["All"],
        MessageSystemAttributeNames=["All"],
    )
    return found.get("Messages", [])


def url_of(arn: str) -> str:
    return aws("sqs").get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"]


def redelivered(url: str, queue: str) -> list[dict[str, Any]]:
    """The messages that lie in a queue, as records of it."""
    return [
        {
            "messageId": each["MessageId"],
            "eventSource": "aws:sqs",
            "eventSourceARN": queue,
            "body": each["Body"],
            "attributes": each["Attributes"] | {"ApproximateReceiveCount": "1"},
            "messageAttributes": {
                name: {"stringValue": value["StringValue"], "dataType": "String"}
                for name, value in each.get("MessageAttributes", {}).items()
            },
        }
        for each in waiting(url)
    ]
