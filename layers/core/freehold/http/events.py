"""Live events over HTTP: who may follow a run, from where on, and what each event looks like (docs/live-events.md)."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any, cast
from zlib import crc32

from ..decide import MAX_CALLS_PER_LAP
from ..errors import Invalid, NotFound
from ..following import (
    ApprovalRequested,
    Ask,
    Cursor,
    Event,
    LapStarted,
    RunFinished,
    RunStarted,
    TextDelta,
    TextReset,
    ToolFinished,
    ToolStarted,
)
from ..value import Value, astuple, replace
from ..values.history import Excerpt
from ..values.run import Lap, RunKey
from ..waiting import call_id
from ..watching import LONGEST_RESULT, WatchCollaborators, Watcher
from .awaiting import awaiting_shape
from .caller import Caller
from .paths import check_path
from .shapes import Json, iso, run_shape

# How long a client waits before it comes back (ms), and after how much silence it is told that all is well.
RETRY_MS = 1_000
HEARTBEAT_SECONDS = 15
# Some readers of events take these for ends of lines, which JSON allows within its texts.
NO_LINE_ENDS = {ord(each): f"\\u{ord(each):04x}" for each in "\x85\u2028\u2029"}
CURSOR_VERSION = 1
# Keys of the table have room for no more.
MOST_LAPS = 9_999
MOST_CHARACTERS, LATEST, LONGEST_NAME = 10**9, 10**15, 100
# Far more than any run comes to; what is larger yet could not even be written down.
MOST_EVENTS, MOST_ASKED = 10**9, 1_000
# Those who may read what was said along the way; an approver is shown what is to be decided.
READERS = frozenset(("read", "run", "admin"))


class Follower(Value):
    """Somebody who follows a run. `reads`: also what models and tools say on the way."""

    watcher: Watcher
    reads: bool

    def news(self) -> list[Json]:
        """`{id, event, data}` of each event that has come since. Raises as `Watcher.news` does."""
        key = self.watcher.key
        told = (event_shape(key, event, reads=self.reads) for event in self.watcher.news())
        return [each for each in told if each is not None]


def followed(caller: Caller, run_id: str, last_event_id: str | None, using: WatchCollaborators) -> Follower:
    """Raises `Denied`, `NotFound`, and `Invalid` where the id is not that of an event of this run."""
    caller.needs("read", "run", "approve")
    check_path(run_id)
    key = RunKey.parse(caller.tenant, run_id)
    if key is None:
        raise NotFound(f"no run {run_id}")
    cursor = read_cursor(last_event_id, key) if last_event_id else Cursor()
    return Follower(Watcher(key, cursor, using), reads=bool(caller.scopes & READERS))


# -- the place in a stream


def cursor_text(cursor: Cursor, key: RunKey) -> str:
    """Opens the events of this run and no other."""
    told = [CURSOR_VERSION, crc32(key.run_id.encode()), *astuple(cursor)]
    return urlsafe_b64encode(json.dumps(told, separators=(",", ":")).encode()).decode().rstrip("=")


def read_cursor(text: str, key: RunKey) -> Cursor:
    """Raises `Invalid`."""
    try:
        told: Any = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        version, run, *rest = told
        known = (version, run) == (CURSOR_VERSION, crc32(key.run_id.encode()))
        cursor = Cursor(*rest)
        cursor = replace(cursor, asked=tuple(cursor.asked))
    except (ValueError, TypeError, RecursionError):
        known, cursor = False, Cursor()
    if not known or not _is_sound(cursor):
        raise Invalid("is no id of an event of this run; leave it out to begin anew", path="Last-Event-ID")
    return cursor


def _is_sound(cursor: Cursor) -> bool:
    numbers = (
        cursor.seq,
        cursor.lap,
        cursor.began_at,
        cursor.offset,
        cursor.started,
        cursor.finished,
    )
    texts = (cursor.attempt, *cursor.asked)
    return (
        all(type(each) is int and each >= 0 for each in numbers)
        and all(type(each) is str for each in texts)
        and type(cursor.begun) is type(cursor.ended) is bool
        and cursor.lap <= MOST_LAPS
        and cursor.seq < MOST_EVENTS
        and max(cursor.started, cursor.finished) < 1 << MAX_CALLS_PER_LAP
        and len(cursor.asked) <= MOST_ASKED
        and _is_a_place(cursor)
    )


def _is_a_place(cursor: Cursor) -> bool:
    """Whether it can be asked for: it becomes part of a key, which has room for so much."""
    named = cursor.attempt.isascii() and len(cursor.attempt) <= LONGEST_NAME
    return named and cursor.began_at < LATEST and cursor.offset < MOST_CHARACTERS


# -- the events


def event_shape(key: RunKey, event: Event, *, reads: bool) -> Json | None:
    """None for what is not for this reader."""
    named = _named(key, event, reads=reads)
    if named is None:
        return None
    name, told = named
    data = {"runId": key.run_id, "seq": event.cursor.seq, "at": iso(event.at), **told}
    text = json.dumps(data, ensure_ascii=False).translate(NO_LINE_ENDS)
    return {"id": cursor_text(event.cursor, key), "event": name, "data": text}


def _named(key: RunKey, event: Event, *, reads: bool) -> tuple[str, Json] | None:
    match event.told:
        case RunStarted(run):
            told = {"sessionId": run.session_id, "agent": run.agent, "agentVersion": run.agent_version}
            return "run.started", told
        case LapStarted(lap):
            return "lap.started", {"lap": lap}
        case TextDelta(lap, text):
            return ("text.delta", {"lap": lap, "text": text}) if reads else None
        case TextReset(lap):
            return ("text.reset", {"lap": lap}) if reads else None
        case ToolStarted(lap, call):
            arguments = {"arguments": lap.calls[call].arguments} if reads else {}
            return "tool.started", _call(key, lap, call) | arguments
        case ToolFinished():
            return "tool.finished", _finished(key, event.told, reads=reads)
        case ApprovalRequested(ask):
            return "approval.requested", _asked(ask)
        case RunFinished(run):
            shape = run_shape(run)
            names = ("status", "stopReason", "error", "laps", "calls", "usage", "costUsd")
            return "run.finished", {name: shape[name] for name in names if name in shape}


def _call(key: RunKey, lap: Lap, call: int) -> Json:
    named = call_id(key, lap.lap, call)
    return {"lap": lap.lap, "call": call, "callId": named, "tool": lap.calls[call].name}


def _finished(key: RunKey, told: ToolFinished, *, reads: bool) -> Json:
    shape, result = _call(key, told.lap, told.call), told.result
    if result is None:
        refused = told.lap.calls[told.call].refused or ""
        return shape | {"outcome": "refused"} | (_result(refused, len(refused)) if reads else {})
    shape |= {"outcome": result.outcome, "durationMs": result.duration_ms}
    by = {"decidedBy": result.decided_by} if result.decided_by else {}
    length = result.length if isinstance(result, Excerpt) else len(result.content)
    return shape | by | (_result(result.content, length) if reads else {})


def _result(text: str, length: int) -> Json:
    """As far as it is told, of so many characters."""
    if length <= LONGEST_RESULT:
        return {"result": text}
    return {"result": text[:LONGEST_RESULT], "resultLength": length}


def _asked(ask: Ask) -> Json:
    """What is to be decided as the run itself shows it; `awaiting.runId` is the run that the decision goes to."""
    (entry,) = awaiting_shape(replace(ask.run, pending=(ask.pending,)), ask.lap)
    if ask.decision is not None:
        entry = {name: value for name, value in entry.items() if name != "expiresAt"}
    named = cast("Json", {"runId": ask.run.key.run_id, **entry})
    return {"awaiting": named, "decided": ask.decision is not None}
