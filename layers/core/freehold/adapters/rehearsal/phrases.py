"""Pieces of a sentence that stand for an argument: a choice, a clause that explains, a word in its place."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from .parameters import Parameter
from .reading import Reading, Value
from .words import STOP, Word, lexicon, name_parts, stem

_PLACING = lexicon("in at for of by from near with about called named to on around like into")
_CLAUSE = re.compile(
    r"\b(?:because|since|due to|reason is|reason:|namely)\s+(?P<why>[^.;!?\n]+)", re.IGNORECASE
)
_LAST_PART = re.compile(r"[,;:–—]\s*(?:and\s+|but\s+)?(?P<why>[^,;:–—\n]+?)[.!?]*\s*$")


def clause(reading: Reading) -> str:
    """What follows `because`, or stands after the last comma; nothing where that is a single word."""
    found = _CLAUSE.search(reading.text) or _LAST_PART.search(reading.text)
    return found["why"].strip() if found and " " in found["why"].strip() else ""


def choices_said(parameter: Parameter, reading: Reading) -> list[tuple[Value, Any]]:
    """The choices that a text speaks of, with where: by their own words, or else by what the description says."""
    hints = _hints(parameter)
    graded = [(*_where(choice, reading.words, hints), choice) for choice in parameter.choices]
    best = max((grade for grade, _, _ in graded), default=0)
    least = min(best, 2)
    return [
        (Value("name", word.raw, word.start, word.end), choice)
        for grade, word, choice in graded
        if word is not None and grade >= least
    ]


def pointed_at(parameter: Parameter, reading: Reading, content: Collection[Word]) -> Iterator[Value]:
    """Words after the parameter's own name, before it, or after a word that places (`in`, `with`, …)."""
    own = set(parameter.stems)
    for i, word in enumerate(reading.words):
        after, before = reading.words[i + 1 : i + 2], reading.words[i - 1 : i] if i else []
        names_it = bool(own) and word.stem in own
        if (names_it or word.low in _PLACING) and after and after[0] in content and after[0].stem not in own:
            yield Value("name", after[0].raw, after[0].start, after[0].end)
        elif names_it and before and before[0] in content:
            yield Value("name", before[0].raw, before[0].start, before[0].end)


def told_together(found: Sequence[tuple[Value, Any]], reading: Reading) -> list[tuple[Value, Any]]:
    """The first candidate and those told in one breath with it: `A, B and C`."""
    kept = list(found[:1])
    for value, text in found[1:]:
        between = reading.text[kept[-1][0].end : value.start]
        if kept[-1][0].end <= value.start and re.fullmatch(
            r"\s*(?:,|,?\s*and|,?\s*or|&)?\s*(?:in\s+)?", between
        ):
            kept.append((value, text))
    return kept


def _hints(parameter: Parameter) -> dict[str, set[str]]:
    """What the description says next to each choice: `a: this kind, b: that kind`."""
    text = parameter.description
    places = sorted(
        (found.start(), found.end(), str(choice))
        for choice in parameter.choices
        for found in [re.search(rf"(?<!\w){re.escape(str(choice))}(?!\w)", text)]
        if found
    )
    ends = [*(start for start, _, _ in places[1:]), len(text)][: len(places)]
    return {
        choice: {word.stem for word in Reading(text[end:stop]).words if word.low not in STOP}
        for (_, end, choice), stop in zip(places, ends, strict=True)
    }


def _where(choice: Any, said: Sequence[Word], hints: dict[str, set[str]]) -> tuple[int, Word | None]:
    """How surely a text speaks of a choice, and the word that does."""
    own = [stem(part) for part in name_parts(str(choice))] or [str(choice)]
    places = [next((word for word in said if word.stem == part), None) for part in own]
    if all(places):
        return 1 + len(own), places[-1]
    told = hints.get(str(choice), set[str]())
    hinting = next((word for word in said if word.stem in told), None)
    return (1 if hinting else 0), hinting
