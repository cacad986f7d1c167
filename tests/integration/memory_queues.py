"""SQS in memory, as far as dead letters need it: what is received stays hidden until it is shown or time passes.

What is too long is refused, and what was received too often is moved with all that its sender gave it.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

HERE = "us-east-1:123456789012"
MOST_BYTES = 1_048_576


def url_of(name: str) -> str:
    return f"https://sqs.us-east-1.amazonaws.com/123456789012/{name}"


def arn_of(name: str) -> str:
    return f"arn:aws:sqs:{HERE}:{name}"


@dataclass
class Kept:
    message: dict[str, Any]
    hidden_until: float = 0


@dataclass
class MemoryQueues:
    """A client of `sender`. Time passes by `clock`, which tests turn; messages are sent from `began` on."""

    clock: float = 0
    sender: str = "AROAAPIROLE:freehold-api"
    began: int = 1_700_000_000_000
    queues: dict[str, list[Kept]] = field(default_factory=dict[str, list[Kept]])
    ids: Any = field(default_factory=lambda: itertools.count(1))
    each_receive_takes: float = 0

    def now(self) -> float:
        return self.clock

    def bodies(self, name: str) -> list[str]:
        return [kept.message["Body"] for kept in self.queues.get(url_of(name), [])]

    def get_queue_url(self, *, QueueName: str, **_: Any) -> dict[str, str]:  # noqa: N803
        return {"QueueUrl": url_of(QueueName)}

    def send_message(self, *, QueueUrl: str, MessageBody: str, **given: Any) -> dict[str, str]:  # noqa: N803
        attributes = given.get("MessageAttributes", {})
        size = len(MessageBody.encode()) + sum(
            len(name) + len(each["DataType"]) + len(each["StringValue"].encode())
            for name, each in attributes.items()
        )
        if size > MOST_BYTES:
            told = {"Code": "InvalidParameterValue", "Message": "message must be shorter than 1048576 bytes"}
            raise ClientError({"Error": told}, "SendMessage")
        number = next(self.ids)
        about = {"SentTimestamp": str(self.began + number), "ApproximateReceiveCount": "0"}
        about |= {"SenderId": self.sender}
        about |= {name: given[name] for name in ("MessageGroupId", "MessageDeduplicationId") if name in given}
        message = {"MessageId": f"id-{number}", "Body": MessageBody, "Attributes": about}
        message |= {"MessageAttributes": attributes}
        self.queues.setdefault(QueueUrl, []).append(Kept(message))
        return {"MessageId": message["MessageId"]}

    def move(self, name: str, to: str) -> None:
        """What SQS does by itself with messages that were received too often."""
        for kept in self.queues.pop(url_of(name)):
            kept.message["Attributes"]["DeadLetterQueueSourceArn"] = arn_of(name)
            self.queues.setdefault(url_of(to), []).append(Kept(kept.message))

    def records(self, name: str) -> list[dict[str, Any]]:
        """What lies in a queue, as Lambda hands it over."""
        return [
            {
                "messageId": kept.message["MessageId"],
                "body": kept.message["Body"],
                "eventSourceARN": arn_of(name),
                "attributes": kept.message["Attributes"] | {"ApproximateReceiveCount": "1"},
                "messageAttributes": {
                    each: {"stringValue": value["StringValue"], "dataType": value["DataType"]}
                    for each, value in kept.message["MessageAttributes"].items()
                },
            }
            for kept in self.queues.get(url_of(name), [])
        ]

    def receive_message(self, *, QueueUrl: str, VisibilityTimeout: int, **_: Any) -> dict[str, Any]:  # noqa: N803
        self.clock += self.each_receive_takes
        kept = self.queues.get(QueueUrl, [])
        busy = {self._group(each) for each in kept if each.hidden_until > self.clock} - {None}
        free = [each for each in kept if each.hidden_until <= self.clock and self._group(each) not in busy]
        for each in free[:10]:
            each.hidden_until = self.clock + VisibilityTimeout
        return {
            "Messages": [{**each.message, "ReceiptHandle": each.message["MessageId"]} for each in free[:10]]
        }

    def change_message_visibility_batch(self, *, QueueUrl: str, Entries: list[Any]) -> None:  # noqa: N803
        assert 1 <= len(Entries) <= 10
        shown = {each["ReceiptHandle"] for each in Entries}
        for kept in self.queues[QueueUrl]:
            if kept.message["MessageId"] in shown:
                kept.hidden_until = 0

    def delete_message(self, *, QueueUrl: str, ReceiptHandle: str) -> None:  # noqa: N803
        kept = self.queues[QueueUrl]
        self.queues[QueueUrl] = [each for each in kept if each.message["MessageId"] != ReceiptHandle]

    def _group(self, kept: Kept) -> str | None:
        return kept.message["Attributes"].get("MessageGroupId")
