"""Queues and topics of people who take conversations over: SQS and SNS."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Mapping
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from ..errors import StoreUnavailable

FIFO = ".fifo"
# Bytes of one text of a notice, which has two long ones at most. SNS takes 256 KiB, and so do queues of old.
MOST_TEXT = 120_000
CUT = " [cut: the items of session {session} have the whole]"


class Queues(Protocol):
    """What is used of boto3's client of SQS."""

    def send_message(self, **request: Any) -> Any: ...

    def get_queue_url(self, **request: Any) -> Any: ...


class Topics(Protocol):
    """What is used of boto3's client of SNS."""

    def publish(self, **request: Any) -> Any: ...


class AwsNotices:
    """`Notices`. Queues and topics in order know a repeat by its id; others may get it twice."""

    def __init__(self, sqs: Queues, sns: Topics) -> None:
        self._sqs, self._sns = sqs, sns

    def send(self, target: str, notice: Mapping[str, Any], *, group: str, notice_id: str) -> None:
        text = _body({"id": notice_id, **notice})
        ordered = (
            {"MessageGroupId": group, "MessageDeduplicationId": notice_id} if target.endswith(FIFO) else {}
        )
        try:
            if target.split(":")[2] == "sqs":
                self._sqs.send_message(QueueUrl=self._queue_url(target), MessageBody=text, **ordered)
            else:
                self._sns.publish(TopicArn=target, Message=text, **ordered)
        except (ClientError, BotoCoreError) as error:
            raise StoreUnavailable(f"could not send to {target}: {error}") from error

    def _queue_url(self, arn: str) -> str:
        *_, account, name = arn.split(":")
        found = self._sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)
        return found["QueueUrl"]


def _body(notice: Mapping[str, Any]) -> str:
    """JSON in ASCII, since queues refuse some characters, with texts that are cut to what fits."""
    session = notice.get("sessionId", "")
    return json.dumps({name: _fitting(value, session) for name, value in notice.items()})


def _fitting(value: Any, session: str) -> Any:
    if not isinstance(value, str) or _size(value) <= MOST_TEXT:
        return value
    kept = bisect_right(range(len(value)), MOST_TEXT, key=lambda length: _size(value[:length])) - 1
    return value[:kept] + CUT.format(session=session)


def _size(text: str) -> int:
    """Bytes that it takes in a notice."""
    return len(json.dumps(text))
