"""What the conversation so far holds: requests, calls, results, and values in them that a later call can use."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

from freehold.values.model import AssistantMessage, Message, ToolMessage, ToolUse, UserMessage

from .parameters import KEY_WORDS, Parameter
from .reading import Reading
from .words import name_parts, stem, stems

ASKING = "I still need"
_DEEPEST = 6
_REASONS = {"message", "error", "detail", "title", "status", "code", "type", "reason", "instance"}


@dataclass(frozen=True)
class Outcome:
    """A call that was made, and what came of it."""

    use: ToolUse
    content: str
    ok: bool

    @cached_property
    def arguments(self) -> dict[str, Any]:
        return (
            cast("dict[str, Any]", loaded) if isinstance(loaded := _loaded(self.use.arguments), dict) else {}
        )

    @cached_property
    def data(self) -> object:
        """The result as JSON, or its text where it is none."""
        loaded = _loaded(self.content)
        return self.content if loaded is None else loaded

    @cached_property
    def refused(self) -> bool:
        """Whether the tool gave no more than a reason why not."""
        fields = cast("dict[str, Any]", self.data) if isinstance(self.data, dict) else dict[str, Any]()
        return not self.ok or (bool(fields) and set(fields) <= _REASONS)


@dataclass(frozen=True)
class Found:
    """A value that an earlier result holds, with the thing it belongs to; `current` if it is of this run.

    `grade` says how sure the match is: 3 by the parameter's own name, 2 by a bare key of the right thing, 1 by form.
    """

    value: Any
    holder: Any
    grade: int
    current: bool

    @cached_property
    def texts(self) -> set[str]:
        return set(scalars(self.holder))

    @cached_property
    def stems(self) -> set[str]:
        return set(stems(" ".join(scalars(self.holder))))


class Conversation:
    """The messages as runs: the last user message opens the present one."""

    def __init__(self, messages: Sequence[Message]) -> None:
        at = [i for i, message in enumerate(messages) if isinstance(message, UserMessage)]
        self.start = at[-1] if at else 0
        self.messages = messages
        self._texts = [message.text for message in messages if isinstance(message, UserMessage)]

    @cached_property
    def beforehand(self) -> Conversation:
        """The conversation as it was when the present run began."""
        return Conversation(self.messages[: self.start + 1])

    @cached_property
    def asked_before(self) -> bool:
        """Whether the present message answers a question of ours."""
        return self.start > 0 and _asks(self.messages[self.start - 1])

    @cached_property
    def latest(self) -> Reading:
        return Reading(self._texts[-1] if self._texts else "")

    @cached_property
    def request(self) -> Reading:
        """What is asked for: the present message, after those that it completes."""
        texts = self._texts[-1:]
        position = self.start
        while (
            position
            and isinstance(before := self.messages[position - 1], AssistantMessage)
            and ASKING in before.text
        ):
            position = max(i for i in range(position) if isinstance(self.messages[i], UserMessage))
            texts.insert(0, cast("UserMessage", self.messages[position]).text)
        return Reading("\n".join(texts))

    @cached_property
    def earlier_requests(self) -> list[Reading]:
        """Earlier messages of the user, the latest first."""
        return [Reading(text) for text in reversed(self._texts[:-1])]

    @cached_property
    def first_answer(self) -> bool:
        """Whether nothing was said to the user yet."""
        replies = (message for message in self.messages if isinstance(message, AssistantMessage))
        return not any(reply.text and not reply.calls for reply in replies)

    @cached_property
    def outcomes(self) -> list[Outcome]:
        return list(_outcomes(self.messages))

    @cached_property
    def made(self) -> list[Outcome]:
        """The calls of the present run."""
        return list(_outcomes(self.messages[self.start :]))

    def things(self) -> Iterator[dict[str, Any]]:
        """Every object in any result so far."""
        for outcome in self.outcomes:
            held = () if outcome.refused else _holders(outcome.data, ())
            yield from (cast("dict[str, Any]", holder) for holder, _ in held if isinstance(holder, dict))

    def groups(self, parameter: Parameter, subject: Sequence[str]) -> list[list[Found]]:
        """Values for a parameter out of earlier results and calls, one group for each, the latest first.

        `subject` are the roots of what the tool is about: they say whose `id` a bare `id` is.
        """
        groups: list[list[Found]] = []
        earliest = len(self.outcomes) - len(self.made)
        for position in range(len(self.outcomes) - 1, -1, -1):
            outcome = self.outcomes[position]
            about = name_parts(outcome.use.name)
            for data in _held(outcome):
                graded = list(_graded(parameter, subject, data, about, current=position >= earliest))
                best = max((found.grade for found in graded), default=0)
                distinct: dict[str, Found] = {}
                for found in graded:
                    if found.grade == best:
                        distinct.setdefault(str(found.value), found)
                if distinct:
                    groups.append(list(distinct.values()))
        return groups


def _held(outcome: Outcome) -> tuple[object, ...]:
    """What can be gone on with: nothing where the tool said no, the arguments where it failed."""
    if outcome.refused:
        return () if outcome.ok else (outcome.arguments,)
    return outcome.data, outcome.arguments


def _graded(
    parameter: Parameter, subject: Sequence[str], data: Any, about: list[str], *, current: bool
) -> Iterator[Found]:
    for holder, names in _holders(data, about):
        if isinstance(holder, str):
            for value in Reading(holder).values if parameter.pattern or parameter.code_shapes else ():
                if parameter.matched(value) == value.text:
                    yield Found(value.text, holder, 1, current)
            continue
        for key, value in cast("dict[str, Any]", holder).items():
            if value is None or isinstance(value, (dict, list, bool)) or not parameter.accepts(str(value)):
                continue
            grade = _grade(parameter, subject, key, names) or _grade_by_form(parameter, str(value))
            if grade:
                yield Found(value, cast("dict[str, Any]", holder), grade, current)


def _grade_by_form(parameter: Parameter, text: str) -> int:
    if not parameter.is_key or not (parameter.pattern or parameter.code_shapes):
        return 0
    read = Reading(text).values
    return 1 if len(read) == 1 and parameter.matched(read[0]) == text else 0


def _grade(parameter: Parameter, subject: Sequence[str], key: str, names: Sequence[str]) -> int:
    """3 for the same name, 2 for the bare key of the right thing, 1 for that of any thing, 0 for another matter."""
    parts = name_parts(key)
    bare = [stem(part) for part in parts if part not in KEY_WORDS]
    wanted = parameter.stems or list(subject)
    if parts == parameter.parts:
        return 3 if bare else 2 if set(wanted) & set(names) else 1
    if bare and parameter.stems and bare == parameter.stems and (parameter.is_key or len(bare) < len(parts)):
        return 3
    if not parameter.stems and bare and len(bare) < len(parts) and bare[-1] in wanted:
        return 2
    return 2 if not bare and parameter.keyed and set(wanted) & set(names) else 0


def _holders(data: Any, names: Sequence[str], depth: int = 0) -> Iterator[tuple[Any, list[str]]]:
    """Every object and text of a result, with the roots of what it is called."""
    if depth > _DEEPEST:
        return
    if isinstance(data, list):
        for inner in cast("list[Any]", data):
            yield from _holders(inner, names, depth + 1)
        return
    if isinstance(data, (dict, str)):
        yield cast("Any", data), [stem(name) for name in names]
    if isinstance(data, dict):
        for key, inner in cast("dict[str, Any]", data).items():
            yield from _holders(inner, name_parts(key), depth + 1)


def _asks(message: Message) -> bool:
    return isinstance(message, AssistantMessage) and ASKING in message.text


def scalars(data: Any) -> Iterator[str]:
    """Every text and number in a result, as text."""
    if isinstance(data, dict):
        for inner in cast("dict[str, Any]", data).values():
            yield from scalars(inner)
    elif isinstance(data, list):
        for inner in cast("list[Any]", data):
            yield from scalars(inner)
    elif data is not None and not isinstance(data, bool):
        yield str(data)


def _outcomes(messages: Sequence[Message]) -> Iterator[Outcome]:
    uses: dict[str, ToolUse] = {}
    for message in messages:
        if isinstance(message, AssistantMessage):
            uses = {use.id: use for use in message.calls}
        elif isinstance(message, ToolMessage):
            for outcome in message.outcomes:
                if outcome.id in uses:
                    yield Outcome(uses[outcome.id], outcome.content, outcome.ok)


def _loaded(text: str) -> object:
    try:
        return json.loads(text) if re.match(r"\s*[\[{\"\d-]|\s*(true|false)", text) else None
    except ValueError:
        return None
