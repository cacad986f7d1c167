"""Dead letters as SQS carries them: what is believed of them, and what they are told when they are written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..value import Value
from ..values.arrival import Arrival, first_id, sent_first

# Of a message, its attributes included.
MOST_BYTES = 1_048_576
# What XML has no place for.
UNSENDABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
TEXT = "String"


class Letter(Value):
    """A dead letter. `source` is the ARN of the queue that it lay in.

    One that SQS moved by itself (`moved`) has the attributes that its sender gave it: nothing is believed but where SQS
    says that it came from. The others were written by AWS or by Ingest, which says all that it knows.
    """

    id: str
    at: int
    body: str
    queue_url: str
    handle: str
    moved: bool = False
    source: str | None = None
    reason: str | None = None
    error: str | None = None
    tenant: str | None = None
    group: str | None = None
    deduplication: str | None = None
    sender: str | None = None


def read(url: str, found: Mapping[str, Any], *, believed: bool, api_role: str | None) -> Letter:
    """`believed`: nobody but Ingest and AWS may send to the queue. `api_role`: see `sent_first`."""
    given = {name: value.get("StringValue") for name, value in found.get("MessageAttributes", {}).items()}
    about = found.get("Attributes", {})
    moved_from = about.get("DeadLetterQueueSourceArn")
    told = given if believed and moved_from is None else {}
    sender = about.get("SenderId", "")
    return Letter(
        id=found["MessageId"],
        at=int(about.get("SentTimestamp", 0)),
        body=found["Body"],
        queue_url=url,
        handle=found["ReceiptHandle"],
        moved=moved_from is not None,
        source=moved_from or told.get("source"),
        reason=told.get("reason"),
        error=told.get("error"),
        tenant=told.get("tenant"),
        group=told.get("group") or about.get("MessageGroupId"),
        deduplication=first_id(given) or about.get("MessageDeduplicationId"),
        sender=told.get("sender") or sent_first(sender, given, api_role=api_role),
    )


def attributes_of(message: Arrival, *, reason: str, error: str, tenant: str | None) -> dict[str, Any]:
    """Of a letter that Ingest writes. The reason has what room there is beside the message."""
    told = {
        "error": error,
        "source": message.queue,
        "tenant": tenant,
        "group": message.group,
        "deduplication": message.deduplication,
        "sender": message.sender,
    }
    room = MOST_BYTES - len(message.body.encode()) - _size(attributes(told)) - len("reason" + TEXT)
    fitting = UNSENDABLE.sub("\ufffd", reason).encode()[: max(0, room)].decode(errors="ignore")
    return attributes({"reason": fitting} | told)


def attributes(told: Mapping[str, str | None]) -> dict[str, Any]:
    """SQS has no empty ones."""
    return {name: {"DataType": TEXT, "StringValue": value} for name, value in told.items() if value}


def _size(given: Mapping[str, Any]) -> int:
    """As SQS counts: names, types and values."""
    return sum(
        len(name) + len(value["DataType"]) + len(value["StringValue"].encode())
        for name, value in given.items()
    )
