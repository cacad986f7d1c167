"""Runs: one turn of a session each."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Literal
from uuid import uuid4

from .connection import Connection, pages, segment
from .errors import FreeholdClientError
from .events import RunEvent, TextDelta, TextReset
from .follow import Follower
from .items import Item, Wire
from .reading import mapping, text
from .run import Run, Started
from .streaming import EventStream
from .waits import Awaited, Decision

FIRST_PAUSE_SECONDS = 0.15
LONGEST_PAUSE_SECONDS = 1.0


class Runs:
    """Starts runs, reads them, watches them and decides about what they wait for."""

    def __init__(self, connection: Connection, sleep: Callable[[float], None] = time.sleep) -> None:
        self._connection = connection
        self._sleep = sleep

    def start(
        self,
        agent: str,
        input: str,  # noqa: A002 - the contract's own word
        *,
        images: Sequence[bytes] = (),
        session_id: str | None = None,
        memory_id: str | None = None,
        alias: str | None = None,
        session_attributes: Mapping[str, str] | None = None,
        prompt_session_attributes: Mapping[str, str] | None = None,
        when_busy: Literal["reject", "enqueue"] | None = None,
        wait_seconds: int | None = None,
        idempotency_key: str | None = None,
    ) -> Started:
        """Begin a run. A lost answer is asked for again under one key, so the run begins once.

        Give an `idempotency_key` of your own to make that hold across restarts of your program. `images` are the
        contents of PNG, JPEG, GIF or WebP files. A new session with a `memory_id` is told what the agent remembers
        under it, and is remembered itself.
        """
        given = {
            "input": input,
            "images": [{"data": b64encode(image).decode()} for image in images] or None,
            "sessionId": session_id,
            "memoryId": memory_id,
            "alias": alias,
            "sessionAttributes": session_attributes,
            "promptSessionAttributes": prompt_session_attributes,
            "whenBusy": when_busy,
            "waitSeconds": wait_seconds,
        }
        status, wire = self._connection.request(
            "POST",
            f"/agents/{segment(agent)}/runs",
            {name: value for name, value in given.items() if value is not None},
            idempotency_key=idempotency_key or str(uuid4()),
            extra_seconds=wait_seconds or 0,
        )
        return _started(status, wire)

    def replay(
        self,
        run_id: str,
        model: str,
        *,
        api: str | None = None,
        wait_seconds: int | None = None,
        idempotency_key: str | None = None,
    ) -> Started:
        """Begin the run once more on another model; its tools answer from the record, and none is called.

        `api` is needed for a model that the catalog does not know.
        """
        body: Wire = {"model": {"model": model, "api": api} if api else model}
        if wait_seconds is not None:
            body["waitSeconds"] = wait_seconds
        status, wire = self._connection.request(
            "POST",
            f"/runs/{segment(run_id)}/replays",
            body,
            idempotency_key=idempotency_key or str(uuid4()),
            extra_seconds=wait_seconds or 0,
        )
        return _started(status, wire)

    def get(self, run_id: str) -> Run:
        _, wire = self._connection.request("GET", f"/runs/{segment(run_id)}")
        return Run.read(wire)

    def list(
        self,
        *,
        session_id: str | None = None,
        agent: str | None = None,
        status: str | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
    ) -> Iterator[Run]:
        """Runs without their output, newest first; pages are read as they are needed.

        They were created at `created_after` or later, and before `created_before`; a time without a zone is local.
        """
        query = {
            "sessionId": session_id,
            "agent": agent,
            "status": status,
            "createdAfter": created_after.astimezone().isoformat() if created_after else None,
            "createdBefore": created_before.astimezone().isoformat() if created_before else None,
        }
        return (Run.read(wire) for wire in pages(self._connection, "/runs", "runs", query))

    def cancel(self, run_id: str) -> Run:
        """Ask the run to end; it does so before its next model or tool call, and at once where it waits."""
        _, wire = self._connection.request("POST", f"/runs/{segment(run_id)}/cancel", repeatable=True)
        return Run.read(wire)

    def decide(self, run_id: str, decisions: Sequence[Decision]) -> Run:
        """Take all of the decisions, or none; the run as it is then. The same ones again change nothing.

            run = stack.runs.wait(run_id)
            stack.runs.decide(run_id, [each.approve() for each in run.awaiting])

        Raises `Unauthorized` where somebody else has to decide, and `Conflict` where somebody has.
        """
        body = [each.wire for each in decisions]
        path = f"/runs/{segment(run_id)}/decisions"
        _, wire = self._connection.request("POST", path, body, repeatable=True)
        return Run.read(wire)

    def upload(self, run_id: str, content: bytes, *, idempotency_key: str | None = None) -> str:
        """The id of a result that was uploaded for a call of this run: text as UTF-8, up to 20,000,000 bytes."""
        path, size = f"/runs/{segment(run_id)}/uploads", {"bytes": len(content)}
        key = idempotency_key or str(uuid4())
        _, wire = self._connection.request("POST", path, size, idempotency_key=key)
        headers = {name: str(value) for name, value in mapping(wire, "headers").items()}
        self._connection.put(text(wire, "url"), content, headers)
        return text(wire, "uploadId")

    def awaited(self, run: Run) -> list[tuple[Run, Awaited]]:
        """What somebody has to decide before the run goes on: calls of its own, and of runs that it waits for.

        Those are runs of agents that it has asked and, while it is queued, the one `ahead`.
        """
        if (ahead := self.ahead(run)) is not None:
            return self.awaited(ahead)
        own = [(run, each) for each in run.awaiting if each.kind != "agent"]
        return own + [found for child in self._asked(run) for found in self.awaited(child)]

    def _asked(self, run: Run) -> Iterator[Run]:
        """The runs whose answers it lacks. They are among its newest, but others may be newer."""
        calls = {each.call_id for each in run.awaiting if each.kind == "agent"}
        names = reversed(run.children)
        while calls and (name := next(names, None)):
            child = self.get(name)
            if child.parent and child.parent.call_id in calls:
                calls.remove(child.parent.call_id)
                yield child

    def ahead(self, run: Run) -> Run | None:
        """The run that the session answers before this one, which is queued."""
        if run.status != "QUEUED":
            return None
        _, session = self._connection.request("GET", f"/sessions/{segment(run.session_id)}")
        active = text(session, "activeRunId")
        return self.get(active) if active not in ("", run.run_id) else None

    def wait(self, run_id: str) -> Run:
        """The run once nothing more happens to it by itself: it has ended, or somebody has to decide."""
        for pause in _pauses():
            run = self.get(run_id)
            if run.ended or self.awaited(run):
                return run
            self._sleep(pause)
        raise AssertionError("unreachable: pauses never end")

    def stream(self, run_id: str, last_event_id: str | None = None) -> Iterator[RunEvent]:
        """The run's events as they happen, each once, from its beginning or behind the event of that id.

            for event in stack.runs.stream(run_id):
                if isinstance(event, TextDelta):
                    print(event.text, end="")

        It comes back by itself where the connection is lost, and ends with the run, or where somebody has to decide.
        """
        return iter(EventStream(self._connection, run_id, self._sleep, last_event_id))

    def follow(self, run: Run | Started) -> Iterator[Item | Run]:
        """Each item as it is written, a started call again with its result, at last the run as `wait` gives it."""
        yield from self._followed(run, Follower(self._connection, run.session_id, run.run_id))

    def watch(self, run: Run | Started) -> Iterator[TextDelta | TextReset | Item | Run]:
        """As `follow`, and the text of each reply while the model writes it, where the stack streams it."""
        follower = Follower(self._connection, run.session_id, run.run_id)
        # Whatever is wrong with the stream, reading again and again finds out, or does without: nobody waits for one.
        with suppress(FreeholdClientError):
            for event in EventStream(self._connection, run.run_id, self._sleep, most_failures=1):
                if isinstance(event, TextDelta | TextReset):
                    yield event
                else:
                    yield from follower.news()
        yield from self._followed(run, follower)

    def _followed(self, run: Run | Started, follower: Follower) -> Iterator[Item | Run]:
        pauses = _pauses()
        while True:
            now = self.get(run.run_id)  # before the items: what an ended run wrote is then all there to read
            over = now.ended or bool(self.awaited(now))
            news = follower.news(everything=over)
            yield from news
            if over:
                yield now
                return
            pauses = _pauses() if news else pauses
            self._sleep(next(pauses))


def _started(status: int, wire: Wire) -> Started:
    run = Run.read(wire) if status == 200 else None
    return Started(text(wire, "runId"), text(wire, "sessionId"), text(wire, "status"), run, wire)


def _pauses() -> Iterator[float]:
    """Short at first, so that a quick run feels quick, then a second each."""
    pause = FIRST_PAUSE_SECONDS
    while True:
        yield pause
        pause = min(pause * 1.5, LONGEST_PAUSE_SECONDS)
