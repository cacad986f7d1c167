"""Handing over to a person: where the user asks for one, or quarrels about what the tool says that it is for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from .offers import Offer
from .reading import Reading
from .recall import Conversation
from .words import NEGATIONS, Word, lexicon, name_parts, stem, stems, words

_PEOPLE = lexicon("human humans person people manager supervisor colleague")
_REACHING = lexicon("speak talk connect transfer hand pass reach")
_QUARREL = lexicon(
    "dispute disputed complain complaint unacceptable unfair outrageous insist lawyer court cheated accept"
)
# Nobody quarrels by accepting.
_ONLY_DENIED = lexicon("accept")
_SENTENCES = re.compile(r"(?<=[.!?])\s+|\n+")


def hands_over(offer: Offer) -> bool:
    """Whether the tool gives the conversation to a person."""
    return offer.act == "escalate" and bool(set(name_parts(offer.name)) & _PEOPLE)


def wanted(offer: Offer, conversation: Conversation) -> dict[str, Any] | None:
    """The tool's arguments where the present message wants a person."""
    sentences = [text.strip() for text in _SENTENCES.split(conversation.latest.text) if text.strip()]
    why = next((text for text in sentences if _asks_for_a_person(text) or _quarrels(text)), "")
    about = set(stems(offer.description)) & set(conversation.latest.stems) - set(map(stem, _QUARREL))
    if not why or not (about or _asks_for_a_person(why)):
        return None
    told = {"reason": why, "summary": _all_that_was_said(conversation)}
    return {one.name: told.get(one.name, why) for one in offer.parameters if one.required}


def _asks_for_a_person(text: str) -> bool:
    return any(
        not denied and ((word.low in _PEOPLE and before & _REACHING) or word.low == "escalate")
        for word, before, denied in _in_context(text)
    )


def _quarrels(text: str) -> bool:
    return any(
        word.low in _QUARREL and denied == (word.low in _ONLY_DENIED) for word, _, denied in _in_context(text)
    )


def _in_context(text: str) -> Iterator[tuple[Word, set[str], bool]]:
    """Each word with those before it, and whether one of the last few denies it."""
    spoken = words(text)
    for i, word in enumerate(spoken):
        before = {other.low for other in spoken[:i]}
        yield word, before, bool({other.low for other in spoken[max(0, i - 6) : i]} & NEGATIONS)


def _all_that_was_said(conversation: Conversation) -> str:
    """By the user, the oldest first."""
    said: list[Reading] = [*reversed(conversation.earlier_requests), conversation.latest]
    return " ".join(" ".join(reading.text.split()) for reading in said)
