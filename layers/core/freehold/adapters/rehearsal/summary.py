"""Summing up by extracts: the notes of a conversation, and its oldest part in fewer words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from freehold.values.model import ModelRequest, UserMessage

from .reading import LONGEST_READ
from .recall import ASKING

MOST_NOTES, LONGEST_NOTE = 20, 400
LONGEST_EXTRACT, LONGEST_LINE = 2_000, 300
_SENTENCES = re.compile(r"(?<=[.!?])\s+|\n+")
# What users say of themselves, and of how they want things; "I'd like" asks for something.
_OF_ONESELF = re.compile(
    r"\bmy name is\b|\bcall me\b|\bi(?: am|['’]m)\b(?! \w+ing\b)|\b(?:always|never|prefer)\b"
    r"|\bi (?:(?:really|do|don['’]t|do not) )*(?:like|love|hate)\b",
    re.IGNORECASE,
)
_PROMISE = re.compile(r"\b(?:i|you)(?: will|['’]ll)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Said:
    """What the user said, with the answer; blank where there was none."""

    user: str
    answer: str

    @property
    def answered(self) -> bool:
        return bool(self.answer.strip()) and ASKING not in self.answer


def notes(request: ModelRequest) -> str:
    """The notes so far with those of the transcript, as JSON: what is new comes last, and pushes out what is old."""
    given = _material(request)
    before = cast("dict[str, Any]", found) if isinstance(found := given.get("earlier"), dict) else {}
    said = list(_said(given))
    answered = {_matter(one) for one in said if one.answered}
    pending = [_matter(one) for one in said if not one.answered]
    promised = [text for one in said for text in _sentences(one.answer) if _PROMISE.search(text)]
    still_open = [text for text in _texts(before.get("openPoints")) if text not in answered]
    kept = {
        "topics": _newest(_texts(before.get("topics")), map(_matter, said)),
        "openPoints": _newest(still_open, (*pending, *promised)),
        "preferences": _newest(
            _texts(before.get("preferences")), (text for one in said for text in _of_oneself(one.user))
        ),
    }
    return json.dumps(kept, ensure_ascii=False)


def extract(request: ModelRequest) -> str:
    """What was asked and answered, a line each; of more than fits, the end."""
    given = _material(request)
    earlier = found if isinstance(found := given.get("earlier"), str) else ""
    lines = [line for line in earlier.splitlines() if line.strip()]
    for one in _said(given):
        told = (("User", one.user), ("Assistant", one.answer))
        lines += [f"{who}: {' '.join(text.split())}"[:LONGEST_LINE] for who, text in told if text.strip()]
    left = LONGEST_EXTRACT
    kept: list[str] = []
    for line in reversed(lines):
        left -= len(line) + 1
        if left < 0:
            break
        kept.insert(0, line)
    return "\n".join(kept) or "Nothing was said."


def _material(request: ModelRequest) -> dict[str, Any]:
    """`earlier` and `transcript`; nothing where the last message holds something else."""
    message = request.messages[-1] if request.messages else None
    try:
        loaded: object = json.loads(message.text) if isinstance(message, UserMessage) else None
    except (ValueError, RecursionError):
        loaded = None
    return cast("dict[str, Any]", loaded) if isinstance(loaded, dict) else {}


def _said(given: dict[str, Any]) -> Iterator[Said]:
    entries: object = given.get("transcript")
    user, answer = "", ""
    for entry in cast("list[object]", entries) if isinstance(entries, list) else []:
        one = cast("dict[str, Any]", entry) if isinstance(entry, dict) else {}
        if "user" in one:
            if user or answer:
                yield Said(user, answer)
            user, answer = str(one["user"])[:LONGEST_READ], ""
        elif "assistant" in one and not one.get("calls"):
            answer = str(one["assistant"])[:LONGEST_READ]
    if user or answer:
        yield Said(user, answer)


def _matter(said: Said) -> str:
    """The first sentence that asks or tells something of the matter; blank where there is none."""
    every = list(_sentences(said.user))
    return next((text for text in every if text not in set(_of_oneself(said.user))), "")


def _of_oneself(text: str) -> Iterator[str]:
    return (one for one in _sentences(text) if _OF_ONESELF.search(one) and not one.endswith("?"))


def _sentences(text: str) -> Iterator[str]:
    for one in _SENTENCES.split(text):
        plain = " ".join(one.split())
        if plain:
            yield plain[:LONGEST_NOTE]


def _texts(value: object) -> list[str]:
    return (
        [one for one in cast("list[object]", value) if isinstance(one, str)]
        if isinstance(value, list)
        else []
    )


def _newest(before: Sequence[str], since: Iterable[str]) -> list[str]:
    """Each once, where it was said last."""
    kept: dict[str, str] = {}
    for text in (*before, *since):
        if text:
            kept.pop(text.lower(), None)
            kept[text.lower()] = text
    return list(kept.values())[-MOST_NOTES:]
