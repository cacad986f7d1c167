"""The tools that Freehold runs itself: what the model is shown of them, and how they answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo
from functools import cache
from typing import Any

from .value import Value, replace
from .values.agent import BuiltIn, Tool
from .values.tool import Answer

# Characters of one answer of read_more.
PIECE = 20_000
ACTION_GROUP = "freehold"

# The fields are as long as those of the keys that calls lie under.
_CALL_ID = re.compile(r"t([0-9]{1,6})-l([0-9]{1,4})-c([0-9]{1,3})")
_SHOWN = 60
# Not by the locale, which could be another one.
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
# Files among the zones that name none.
_NO_ZONES = {"Factory", "localtime"}


class BuiltInCollaborators(Value):
    """`read_result` takes turn, lap and call, and gives that result of the same conversation; None where there is none.

    `now` is epoch ms.
    """

    read_result: Callable[[int, int, int], str | None]
    now: Callable[[], int]


def answer(tool: Tool, arguments: Mapping[str, Any], using: BuiltInCollaborators) -> Answer:
    """What `tool`, a built-in one, says to arguments that keep to its schema."""
    if tool.built_in == "current_time":
        return _current_time(arguments.get("timeZone", "UTC"), using)
    return _read_more(arguments["call"], int(arguments.get("from", 0)), using)


def _told(content: str) -> Answer:
    return Answer(True, content, None, None)


def _failed(content: str) -> Answer:
    return Answer(False, content, None, None)


# -- read_more


def _read_more(call: str, start: int, using: BuiltInCollaborators) -> Answer:
    named = _CALL_ID.fullmatch(call.strip())
    if named is None:
        return _failed(f"{_shown(call)} names no call. Send the id that the mark names, such as t3-l1-c0.")
    turn, lap, index = (int(part) for part in named.groups())
    content = using.read_result(turn, lap, index)
    if content is None:
        return _failed(
            f"This conversation has no result of the call {call.strip()}. Send the id that the mark names."
        )
    size, end = len(content), start + PIECE
    if start > max(0, size - 1):
        return _failed(f"from is {start}, past the end: the result has {size} characters, counted from 0.")
    if end >= size:
        return _told(f"{content[start:]}\n[end: {size} characters]")
    mark = f"[… characters {start} to {end} of {size}; read_more with from: {end} reads on …]"
    return _told(f"{content[start:end]}\n{mark}")


def _shown(text: str) -> str:
    return f'"{text}"' if len(text) <= _SHOWN else f'"{text[:_SHOWN]}…"'


# -- current_time


def _current_time(name: str, using: BuiltInCollaborators) -> Answer:
    zone = time_zone(name)
    if zone is None:
        return _failed(f"{_shown(name)} is no time zone. {_allowed(name)}")
    moment = datetime.fromtimestamp(using.now() // 1000, zone)
    return _told(f"{moment.isoformat()} ({_WEEKDAYS[moment.weekday()]}, {name})")


def time_zone(name: str) -> tzinfo | None:
    if name == "UTC":
        # Known also where the machine has no zones at all.
        return UTC
    if name not in time_zones():
        return None
    from zoneinfo import ZoneInfo

    return ZoneInfo(name)


def _allowed(name: str) -> str:
    if not time_zones():
        return "Only UTC is known here."
    from difflib import get_close_matches

    close = get_close_matches(name[:_SHOWN], time_zones(), n=3)
    meant = f" Did you mean {' or '.join(close)}?" if close else ""
    return f"Send a name of the IANA time zone database, such as Europe/Berlin or UTC.{meant}"


@cache
def time_zones() -> frozenset[str]:
    """The names that may be looked up: a model's text never becomes the path of a file."""
    # It takes time to load, and is for agents that ask the time alone.
    from zoneinfo import available_timezones

    return frozenset(available_timezones() - _NO_ZONES)


# -- as the model is shown them


def _tool(name: BuiltIn, description: str, properties: dict[str, Any], *required: str) -> Tool:
    schema: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    if required:
        schema["required"] = list(required)
    return Tool(
        name=name,
        description=description,
        input_schema=schema,
        action_group=ACTION_GROUP,
        arguments=(),
        lambda_arn="",
        idempotent=True,
        timeout_seconds=10,
        max_attempts=3,
        built_in=name,
    )


TOOLS: Mapping[BuiltIn, Tool] = {
    "read_more": _tool(
        "read_more",
        "Reads on in a tool's result that was shown cut or is not shown any more. The mark in its place names the"
        " call and where to read on.",
        {
            "call": {"type": "string", "description": "The id that the mark names, such as t3-l1-c0."},
            "from": {
                "type": "integer",
                "minimum": 0,
                "default": 0,
                "description": "The character to begin with, counted from 0.",
            },
        },
        "call",
    ),
    "current_time": _tool(
        "current_time",
        "Tells the present date, time and weekday.",
        {
            "timeZone": {
                "type": "string",
                "default": "UTC",
                "description": "A name of the IANA time zone database, such as Europe/Berlin.",
            }
        },
    ),
    # The answers of these two come from elsewhere: a run that calls them waits.
    "ask_user": _tool(
        "ask_user",
        "Asks the user a question and waits for the answer. Use it where you cannot go on without it.",
        {
            "question": {
                "type": "string",
                "minLength": 1,
                "description": "The question, in the user's language.",
            }
        },
        "question",
    ),
    "escalate_to_human": _tool(
        "escalate_to_human",
        "Hands over to a person, who answers the user until they hand the conversation back.",
        {
            "reason": {"type": "string", "minLength": 1, "description": "Why a person is needed."},
            "summary": {
                "type": "string",
                "minLength": 1,
                "description": "What the person has to know: what the user wants, and what was done so far.",
            },
        },
        "reason",
        "summary",
    ),
}


def escalate_when(when: str) -> Tool:
    """The tool that hands over to a person, described by `when` that is to be done."""
    tool = TOOLS["escalate_to_human"]
    return replace(tool, description=f"Hands over to a person: {when}") if when else tool
