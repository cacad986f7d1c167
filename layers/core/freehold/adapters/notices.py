"""Queues and topics of people who take conversations over: SQS and SNS."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from ..errors import StoreUnavailable

FIFO = ".fifo"


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
        text = json.dumps({"id": notice_id, **notice}, ensure_ascii=False)
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
