"""Reading a text: which values stand in it (codes, numbers, dates, names, …), and where."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Literal

from .words import NUMBER_WORDS, ORDINALS, POINTING_AT_ONE, POINTING_AT_SEVERAL, STOP, Word, words

Kind = Literal["quoted", "email", "url", "uuid", "moment", "date", "time", "code", "number", "name"]

LONGEST_READ = 4_000
MOST_VALUES = 50
_MONTH_NAMES = (
    "jan january", "feb february", "mar march", "apr april", "may", "jun june", "jul july", "aug august",
    "sep sept september", "oct october", "nov november", "dec december",
)  # fmt: skip
_MONTHS = {name: number for number, names in enumerate(_MONTH_NAMES, start=1) for name in names.split()}
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
# In this sequence: what was found by an earlier pattern is not looked at by a later one.
_PATTERNS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("quoted", re.compile(r'"([^"\n]+)"|“([^”\n]+)”|«([^»\n]+)»|(?<!\w)\'([^\'\n]+)\'(?!\w)|`([^`\n]+)`')),
    ("email", re.compile(r"(?<![\w.+%-])[\w.+%-]+@[\w-]+(?:\.[\w-]+)+")),
    ("url", re.compile(r"https?://[^\s<>\"]*[^\s<>\".,;:!?)]")),
    ("uuid", re.compile(rf"\b{_UUID}\b")),
    ("moment", re.compile(r"\b(\d{4}-\d\d-\d\d)(?:T|\s+(?:at\s+)?)(\d\d?:\d\d)(:\d\d)?(Z|[+-]\d\d:\d\d)?\b")),
    ("date", re.compile(r"\b\d{4}-\d\d-\d\d\b")),
    (
        "date",
        re.compile(rf"\b(\d\d?)(?:st|nd|rd|th)?\s+(?:of\s+)?({_MONTH})\.?,?\s+(\d{{4}})\b", re.IGNORECASE),
    ),
    ("date", re.compile(rf"\b({_MONTH})\.?\s+(\d\d?)(?:st|nd|rd|th)?,?\s+(\d{{4}})\b", re.IGNORECASE)),
    ("time", re.compile(r"\b(\d\d?):(\d\d)(?:\s*([ap]m))?\b", re.IGNORECASE)),
    ("time", re.compile(r"\b(\d\d?)()\s*([ap]m)\b", re.IGNORECASE)),
    (
        "code",
        re.compile(
            r"(?<![\w-])(?=[\w/.-]*\d)(?=[\w/.-]*[A-Za-z])[A-Za-z0-9]+(?:[-_/.][A-Za-z0-9]+)*(?![\w-])"
        ),
    ),
    ("code", re.compile(r"(?<![\w-])\d+(?:[-/]\d+)+(?![\w-])")),
    ("number", re.compile(r"(?<![\w.])-?\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\w)|(?<![\w.])-?\d+(?:\.\d+)?(?!\w)")),
)
_NO_CODE = re.compile(r"\d+(st|nd|rd|th)|\d+-[a-z]+", re.IGNORECASE)
_CAPITALISED = re.compile(r"(?<![\w@.-])[A-ZÀ-ÖØ-Þ][\w'’-]*(?:[ ][A-ZÀ-ÖØ-Þ][\w'’-]*)*")


@dataclass(frozen=True, slots=True)
class Value:
    """Something in a text that can be an argument; `text` is its plain form (dates as ISO 8601)."""

    kind: Kind
    text: str
    start: int
    end: int


class Reading:
    """The start of a text with its words and values, worked out once."""

    def __init__(self, text: str) -> None:
        self.text = text[:LONGEST_READ]

    @cached_property
    def words(self) -> list[Word]:
        return words(self.text)

    @cached_property
    def values(self) -> list[Value]:
        """The values, as they stand in the text; of very many, some."""
        found: list[Value] = []
        for kind, pattern in _PATTERNS:
            for match in islice(pattern.finditer(self.text), MOST_VALUES):
                if any(value.start < match.end() and match.start() < value.end for value in found):
                    continue
                plain = _plain(kind, match)
                if plain is not None:
                    found.append(Value(kind, plain, match.start(), match.end()))
        found.extend(_number_words(self.words))
        found.extend(name for name in self._names() if not any(_overlap(name, value) for value in found))
        return sorted(found, key=lambda value: value.start)[:MOST_VALUES]

    @cached_property
    def stems(self) -> list[str]:
        """Stems of what is said, values left out: first come first, none twice."""
        plain = (value for value in self.values if value.kind not in ("name", "quoted"))
        spans = [(value.start, value.end) for value in plain]
        outside = (word for word in self.words if not any(a <= word.start < b for a, b in spans))
        return list(dict.fromkeys(part for word in outside for part in _meaning(word)))

    @cached_property
    def pointers(self) -> set[str]:
        """The words that point at what was spoken of before; the `there` of `is there` is none."""
        pointing = POINTING_AT_ONE | POINTING_AT_SEVERAL | set(ORDINALS)
        found = (word for word in self.words if word.low in pointing)
        return {
            word.low
            for word in found
            if word.low != "there" or self.word_before(word.start) not in ("", "is", "are", "was", "were")
        }

    def word_before(self, position: int, back: int = 1) -> str:
        """The word that stands `back` words before a place in the text, in lower case, or nothing."""
        before = [word for word in self.words if word.end <= position]
        return before[-back].low if len(before) >= back else ""

    def _names(self) -> Iterator[Value]:
        """Runs of capitalised words. One that merely opens a sentence is left out."""
        for match in _CAPITALISED.finditer(self.text):
            parts = words(match[0])
            opens = (
                not self.text[: match.start()].strip() or self.text[: match.start()].rstrip()[-1] in ".!?:\n"
            )
            while parts and (parts[0].low in STOP or opens):
                parts, opens = parts[1:], False
            if parts and not all(part.low in STOP for part in parts):
                start = match.start() + parts[0].start
                yield Value("name", self.text[start : match.start() + parts[-1].end], start, match.end())


def _overlap(one: Value, other: Value) -> bool:
    return one.start < other.end and other.start < one.end


def _plain(kind: Kind, match: re.Match[str]) -> str | None:
    """The value as an argument would hold it; None where the pattern was deceived."""
    groups = match.groups()
    if kind == "quoted":
        return next(group for group in groups if group is not None).strip()
    if kind == "moment":
        return f"{groups[0]}T{groups[1].zfill(5)}{groups[2] or ':00'}{groups[3] or 'Z'}"
    if kind == "date" and groups:
        day, month = (groups[0], groups[1]) if groups[0].isdigit() else (groups[1], groups[0])
        return f"{groups[2]}-{_MONTHS[month.lower()]:02}-{int(day):02}"
    if kind == "time":
        hour = int(groups[0]) % 12 + (12 if groups[2].lower() == "pm" else 0) if groups[2] else int(groups[0])
        return f"{hour:02}:{groups[1] or '00'}" if hour < 24 else None
    if kind == "number":
        return match[0].replace(",", "")
    return None if kind == "code" and _NO_CODE.fullmatch(match[0]) else match[0]


def _number_words(spoken: list[Word]) -> Iterator[Value]:
    """`two seats`, but not `the second one` or `this one`."""
    for i, word in enumerate(spoken):
        if word.low in NUMBER_WORDS and (
            word.low != "one" or i == 0 or spoken[i - 1].low in ("for", "only", "just")
        ):
            yield Value("number", str(NUMBER_WORDS[word.low]), word.start, word.end)


def _meaning(word: Word) -> Iterator[str]:
    for part in dict.fromkeys((*re.split(r"[-/.+]", word.low), word.low)):
        if part and part not in STOP and part not in ORDINALS and not part.lstrip("#№").isdigit():
            yield Word(part, 0, 0).stem
