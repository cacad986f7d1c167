"""Dead letters in SQS: put there with their reason, looked through, and put back where they came from.

A queue cannot be read: it hands messages over, and hides each from everybody else until it is told to show it again.
"""

from __future__ import annotations

import heapq
import time
from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ..errors import StoreUnavailable
from ..value import Value, replace
from ..values.arrival import Arrival
from .letters import Letter, attributes, attributes_of, read

# What SQS takes in one request.
BATCH = 10
# How long what was handed over stays hidden if nobody shows it again.
HIDDEN_SECONDS = 30
# A queue answers with nothing now and then although it has something.
EMPTY_ANSWERS = 3
# Of one look, and of what is done then: together well below the time that letters are hidden.
LOOK_SECONDS, ACT_SECONDS = 8, 10
MOST_SEEN = 2_000
FIFO = ".fifo"


class Redriven(Value):
    """What was put back, and what could not or may not be. `complete` is False where the same again may do more."""

    back: Sequence[Letter]
    failed: Sequence[Letter]
    complete: bool


Wanted = Callable[[Letter], bool]


class _Look:
    """One look through the queues, letter by letter. `handles` are what was hidden by it, each with its queue."""

    def __init__(
        self, receive: Callable[[str], list[Letter]], urls: Sequence[str], clock: Callable[[], float]
    ) -> None:
        self._receive, self._urls, self._clock = receive, urls, clock
        self._until = clock() + LOOK_SECONDS
        self._seen: dict[str, tuple[str, str]] = {}
        self.matched = 0
        self.has_seen_all = False

    @property
    def handles(self) -> list[tuple[str, str]]:
        return list(self._seen.values())

    @property
    def is_late(self) -> bool:
        """What was hidden must not show again while something is done about it."""
        return self._clock() > self._until + ACT_SECONDS

    def matching(self, wanted: Wanted, ids: Collection[str] | None = None) -> Iterator[Letter]:
        """Those of `ids` alone, where these are given: it ends with the last of them, and has seen all then."""
        left = None if ids is None else set(ids)
        for letter in self:
            if (left is None or letter.id in left) and wanted(letter):
                self.matched += 1
                yield letter
            if left is not None:
                left.discard(letter.id)
                if not left:
                    self.has_seen_all = True
                    return

    def forget(self, letter: Letter) -> None:
        self._seen.pop(letter.id, None)

    def __iter__(self) -> Iterator[Letter]:
        groups = Counter[str | None]()
        for url in self._urls:
            empty = 0
            while empty < EMPTY_ANSWERS:
                if self._clock() > self._until or len(self._seen) >= MOST_SEEN:
                    return
                found = [each for each in self._receive(url) if each.id not in self._seen]
                groups.update(each.group for each in found if url.endswith(FIFO))
                empty = 0 if found else empty + 1
                self._seen |= {each.id: (url, each.handle) for each in found}
                yield from found
        # A queue in order shows no more of a group before these are shown again.
        self.has_seen_all = all(number < BATCH for number in groups.values())


def anything(_: Letter) -> bool:
    return True


class SqsDeadLetters:
    """`DeadLetters`, and what is done about them. The first of the queues is the one that they are put into.

    `api_role` is the id of the role that puts them back over HTTP.
    """

    def __init__(
        self,
        sqs: Any,
        queue_urls: Sequence[str],
        *,
        api_role: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sqs, self._urls, self._clock, self._api_role = sqs, tuple(queue_urls), clock, api_role

    def put(self, message: Arrival, *, reason: str, error: str, tenant: str | None) -> None:
        told = attributes_of(message, reason=reason, error=error, tenant=tenant)
        with _named("put a dead letter"):
            self._sqs.send_message(QueueUrl=self._urls[0], MessageBody=message.body, MessageAttributes=told)

    def listed(self, wanted: Wanted, *, most: int) -> tuple[list[Letter], bool]:
        """Oldest first, and whether these are all: those that others look at in the same half minute are not seen."""
        with self._looking() as look:
            found = heapq.nsmallest(most, look.matching(wanted), key=_time)
            return found, look.has_seen_all and look.matched <= most

    def find(self, letter_id: str, wanted: Wanted) -> Letter | None:
        with self._looking() as look:
            return next((each for each in look if each.id == letter_id and wanted(each)), None)

    def redrive(
        self,
        wanted: Wanted,
        *,
        most: int,
        new_id: Callable[[], str],
        ids: Collection[str] | None = None,
        may_return: Wanted = anything,
        redriver: str | None = None,
    ) -> Redriven:
        """Put back what is wanted, oldest first. What cannot or may not be put back keeps no other from it.

        `redriver` names who has asked for it.
        """
        stuck: list[Letter] = []

        def goes_back(letter: Letter) -> bool:
            if letter.source is None or not wanted(letter):
                return False
            if may_return(letter):
                return True
            stuck.append(replace(letter, body=""))
            return False

        with self._looking() as look:
            chosen = heapq.nsmallest(most, look.matching(goes_back, ids), key=_time)
            back: list[Letter] = []
            for letter in chosen:
                if look.is_late:
                    break
                try:
                    self._put_back(letter, new_id(), redriver)
                except StoreUnavailable:
                    stuck.append(letter)
                else:
                    look.forget(letter)
                    back.append(letter)
            complete = look.has_seen_all and len(back) == look.matched
            return Redriven(back, sorted(stuck, key=_time)[:most], complete)

    @contextmanager
    def _looking(self) -> Generator[_Look]:
        look = _Look(self._received, self._urls, self._clock)
        try:
            yield look
        finally:
            # What was done is done, and they show themselves before long.
            with suppress(StoreUnavailable):
                self._show(look.handles)

    def _show(self, handles: Sequence[tuple[str, str]]) -> None:
        """To others as well, at once and not only after half a minute."""
        for url in self._urls:
            mine = [handle for at, handle in handles if at == url]
            for start in range(0, len(mine), BATCH):
                entries = [
                    {"Id": str(number), "ReceiptHandle": handle, "VisibilityTimeout": 0}
                    for number, handle in enumerate(mine[start : start + BATCH])
                ]
                with _named("show dead letters"):
                    self._sqs.change_message_visibility_batch(QueueUrl=url, Entries=entries)

    def _put_back(self, letter: Letter, fresh: str, redriver: str | None) -> None:
        """Into the queue that it came from, and only then out of this one: a repeat may put it there twice.

        A queue in order would drop it as a repeat of the one that it has had, so it bears the id `fresh` there.
        """
        if letter.source is None:
            raise ValueError(letter.id)
        *_, account, name = letter.source.split(":")
        given: dict[str, Any] = {"MessageBody": letter.body}
        if name.endswith(FIFO):
            given |= {"MessageGroupId": letter.group or letter.id, "MessageDeduplicationId": fresh}
        elif letter.group:
            given["MessageGroupId"] = letter.group
        told = {"deduplication": letter.deduplication, "sender": letter.sender, "redriver": redriver}
        if any(told.values()):
            given["MessageAttributes"] = attributes(told)
        with _named(f"put a dead letter back into {letter.source}"):
            url = self._sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"]
            self._sqs.send_message(QueueUrl=url, **given)
            self._sqs.delete_message(QueueUrl=letter.queue_url, ReceiptHandle=letter.handle)

    def _received(self, url: str) -> list[Letter]:
        with _named("look at dead letters"):
            answer = self._sqs.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=BATCH,
                VisibilityTimeout=HIDDEN_SECONDS,
                WaitTimeSeconds=0,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["All"],
            )
        # To the first queue nobody else may send.
        believed = url == self._urls[0]
        return [
            read(url, found, believed=believed, api_role=self._api_role)
            for found in answer.get("Messages", [])
        ]


def _time(letter: Letter) -> int:
    return letter.at


@contextmanager
def _named(what: str) -> Generator[None]:
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise StoreUnavailable(f"could not {what}: {error}") from error
