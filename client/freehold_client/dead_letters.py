"""Dead letters: messages of queues and events that began no run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

from .connection import Connection, segment
from .items import Wire
from .reading import mappings, text, text_or_none, texts, whole

# The longest that one request looks and puts back.
WORK_SECONDS = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A message with the reason that it could not be taken for. `source` is its queue, `sender` who SQS says sent it.

    Lists leave `body` out.
    """

    letter_id: str
    at: str = ""
    source: str = ""
    sender: str | None = None
    error: str | None = None
    reason: str | None = None
    group: str | None = None
    deduplication_id: str | None = None
    bytes: int = 0
    body: str | None = field(default=None, repr=False)
    wire: Wire = field(default_factory=Wire, repr=False, compare=False)

    @classmethod
    def read(cls, wire: Mapping[str, Any]) -> DeadLetter:
        return cls(
            letter_id=text(wire, "id"),
            at=text(wire, "at"),
            source=text(wire, "source"),
            sender=text_or_none(wire, "sender"),
            error=text_or_none(wire, "error"),
            reason=text_or_none(wire, "reason"),
            group=text_or_none(wire, "group"),
            deduplication_id=text_or_none(wire, "deduplicationId"),
            bytes=whole(wire, "bytes"),
            body=text_or_none(wire, "body"),
            wire=dict(wire),
        )


@dataclass(frozen=True, slots=True)
class DeadLetterList:
    """Oldest first. `complete` is False where there may be more: a queue has no pages."""

    letters: tuple[DeadLetter, ...]
    complete: bool
    wire: Wire = field(default_factory=Wire, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Redriven:
    """Ids of what was put back, was not found, and could not or may not be put back.

    `complete` is False where the same again may do more.
    """

    redriven: tuple[str, ...]
    missing: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    complete: bool = True
    wire: Wire = field(default_factory=Wire, repr=False, compare=False)


class DeadLetters:
    """Needs a key with scope `admin`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self, *, limit: int = 100) -> DeadLetterList:
        _, wire = self._connection.request(
            "GET", "/dead-letters", query={"limit": limit}, extra_seconds=WORK_SECONDS
        )
        letters = tuple(DeadLetter.read(each) for each in mappings(wire, "deadLetters"))
        return DeadLetterList(letters, wire.get("complete") is not False, dict(wire))

    def get(self, letter_id: str) -> DeadLetter:
        """With its body."""
        path = f"/dead-letters/{segment(letter_id)}"
        return DeadLetter.read(self._connection.request("GET", path, extra_seconds=WORK_SECONDS)[1])

    def redrive(
        self,
        ids: Sequence[str] | None = None,
        *,
        before: datetime | None = None,
        idempotency_key: str | None = None,
    ) -> Redriven:
        """Put these back where they came from, or a hundred of all: of those alone that were put aside `before`.

        Without it a letter whose message is refused again would be put back for ever:

        began = datetime.now(UTC)
        while stack.dead_letters.redrive(before=began).redriven: ...
        """
        body: dict[str, Any] = {"all": True} if ids is None else {"ids": [*ids]}
        if before is not None:
            body["before"] = before.astimezone().isoformat()
        _, wire = self._connection.request(
            "POST",
            "/dead-letters/redrive",
            body,
            idempotency_key=idempotency_key or str(uuid4()),
            extra_seconds=WORK_SECONDS,
        )
        told = (texts(wire, name) for name in ("redriven", "missing", "failed"))
        return Redriven(*told, complete=wire.get("complete") is not False, wire=dict(wire))
