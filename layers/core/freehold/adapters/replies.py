"""Answers to whoever asked by a message: to a queue of SQS or an event bus."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ..errors import StoreUnavailable
from .event_bus import EventBus
from .notices import FIFO

ANSWERED = "Agent Run Answered"


class AwsReplies:
    """`Replies`. Few runs have an answer to send, so that clients are made with the first one."""

    def __init__(self, sqs: Callable[[], Any], events: Callable[[], Any]) -> None:
        self._sqs, self._events = sqs, events

    def send(self, target: str, reply: Mapping[str, Any], *, group: str, reply_id: str) -> None:
        if target.split(":")[2] == "events":
            EventBus(self._events(), target).publish(ANSWERED, reply)
            return
        *_, account, name = target.split(":")
        ordered = {"MessageGroupId": group, "MessageDeduplicationId": reply_id} if name.endswith(FIFO) else {}
        sqs = self._sqs()
        try:
            url = sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"]
            # In ASCII, since queues refuse some characters.
            sqs.send_message(QueueUrl=url, MessageBody=json.dumps(reply), **ordered)
        except (ClientError, BotoCoreError) as error:
            raise StoreUnavailable(f"could not answer to {target}: {error}") from error
