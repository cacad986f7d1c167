"""Tools that change something, and whether a user's words ask for the change.

A tool call says nothing of side effects, so a tool is judged by its verb. One that changes something is offered by
this model only where the user asks for that act: not where they ask about it, and not where they say not to.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from .reading import Reading
from .words import (
    ACTING_VERBS,
    ALTERING_VERBS,
    BEGINNING_VERBS,
    ENDING_VERBS,
    LOOKING_VERBS,
    NEGATIONS,
    POINTING_AT_ONE,
    POINTING_AT_SEVERAL,
    STOP,
    Word,
    lexicon,
    name_parts,
    stem,
    words,
)

_OPENING = lexicon(
    "please ok okay yes then and also now just hi hello so well kindly thanks there hey no but"
)
_ASKED = lexicon("can could would will")
_WISHES = lexicon("want wants like need needs wish going have trying try ready love hoping ask asking help")
_PARTICLES = lexicon("back up out off away down in")
_ARTICLES = lexicon("a an another new my some")
_CLAUSES = re.compile(r"[.;!?\n]+|,|\s+(?:and|then|but)\s+")
_PLAIN_ACTS = ENDING_VERBS | ALTERING_VERBS | lexicon("book reserve pay refund buy renew")
_QUESTION = re.compile(
    r"\s*(?:and\s+|so\s+)?(?:how|what|when|where|why|which|who|did|does|do|is|are|was|were|has|have)\b"
)
_LOOKING_STEMS = {stem(verb) for verb in LOOKING_VERBS}
_ACTING_STEMS = {stem(verb): verb for verb in sorted(ACTING_VERBS)}


def act_of(name: str, description: str) -> str | None:
    """The verb of a tool that changes something; None for one that only looks."""
    parts = name_parts(name)
    told = stem(next((word.low for word in words(description)), ""))
    if told in _LOOKING_STEMS or (parts and parts[0] in LOOKING_VERBS):
        return None
    if parts and parts[0] in ACTING_VERBS:
        return parts[0]
    if told not in _ACTING_STEMS or set(parts) & LOOKING_VERBS:
        return None
    return next((part for part in parts if part in ACTING_VERBS), _ACTING_STEMS[told])


def asks_for(name: str, description: str, act: str, reading: Reading, *, sure: bool) -> bool:
    """Whether the text asks for the act. `sure` says that the text holds a value that is surely this tool's."""
    objects = {stem(part) for part in name_parts(name) if part != act}
    told = stem(next((word.low for word in words(description)), ""))
    alike = {act} | {verb for verb in ACTING_VERBS if stem(verb) == told}
    for family in (BEGINNING_VERBS, ENDING_VERBS, ALTERING_VERBS):
        alike |= family if alike & family else set()
    for clause in _CLAUSES.split(reading.text):
        spoken = words(clause)
        informing = bool(_QUESTION.match(clause.lower()))
        for i, word in enumerate(spoken):
            if {other.low for other in spoken[max(0, i - 4) : i]} & NEGATIONS:
                continue
            if _is_noun_wanted(spoken, i, objects) and act in BEGINNING_VERBS and not informing:
                return True
            if not _is_demanded(spoken, i, begins=act in BEGINNING_VERBS and word.low == act) or informing:
                continue
            about = {other.stem for other in reading.words} & objects
            pointed = {other.low for other in spoken[i + 1 :]} & (POINTING_AT_ONE | POINTING_AT_SEVERAL)
            following = [other for other in spoken[i + 1 :] if other.low not in STOP]
            if word.low == act and spoken[i + 1 : i + 2] and spoken[i + 1].low in ("me", "us"):
                continue
            if word.low == act and (about or sure or pointed or following or not objects):
                return True
            if word.low in alike and about:
                return True
            particles = (f"{word.low} {other.low}" for other in spoken[i + 1 :] if other.low in _PARTICLES)
            if word.low in ACTING_VERBS and any(phrase in description.lower() for phrase in particles):
                return True
            if word.stem in objects and word.low in ACTING_VERBS and act in BEGINNING_VERBS:
                return True
    return False


def demanded(reading: Reading) -> str | None:
    """An act that the text plainly demands, of those that are no everyday way to ask for information."""
    for clause in _CLAUSES.split(reading.text):
        spoken = words(clause)
        for i, word in enumerate(spoken):
            denied = {other.low for other in spoken[max(0, i - 4) : i]} & NEGATIONS
            if word.low in _PLAIN_ACTS and not denied and _is_demanded(spoken, i, begins=False):
                return None if _QUESTION.match(clause.lower()) else word.low
    return None


def _is_demanded(spoken: Sequence[Word], i: int, *, begins: bool) -> bool:
    """Whether the word stands where English puts what is to be done: `please X`, `I want to X`, `can you X`."""
    before = [word.low for word in spoken[:i]]
    while before and before[-1] in ("please", "just", "kindly", "also", "now"):
        before.pop()
    if all(word in _OPENING for word in before):
        return True
    if before[-1] == "to":
        return bool(set(before[-5:-1]) & _WISHES) and "how" not in before
    if before[-1] in ("you", "i", "we", "me"):
        asked = len(before) > 1 and before[-2] in (*_ASKED, "help", "let", "may")
        return asked and (before[-1] in ("you", "me") or begins)
    return before[-1] in ("let's", "i'll", "lets")


def _is_noun_wanted(spoken: Sequence[Word], i: int, objects: set[str]) -> bool:
    """`I would like a X`, `I need another X`."""
    before = [word.low for word in spoken[:i]]
    if spoken[i].stem not in objects or len(before) < 2 or before[-1] not in _ARTICLES:
        return False
    return bool(set(before[-4:-1]) & {"want", "like", "need", "get"})
