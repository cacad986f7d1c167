"""How well tools fit a request, judged by words and by the values that the request holds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from .acts import asks_for
from .fill import Filler, Filling
from .offers import Offer
from .reading import Reading
from .words import ACTING_VERBS, LOOKING_VERBS, SEEKING, SEEKING_WORDS, stem

ENOUGH = 1.0
_SURE, _SURE_OPTIONAL, _FILLED, _MISSING, _UNUSED = 2.0, 1.2, 0.3, -0.7, -1.5
_SEARCHED, _DEMANDED = 0.8, 3.0
_VERBS = {stem(verb) for verb in LOOKING_VERBS | ACTING_VERBS | SEEKING_WORDS}


@dataclass(frozen=True)
class Fit:
    """One tool for one request: what it scores, the part of it that words earned, and how its arguments fill."""

    offer: Offer
    filling: Filling
    score: float = 0.0
    said: float = 0.0


class Chooser:
    """Weighs the tools on offer. A rare word counts more than one that every tool has."""

    def __init__(self, offers: Sequence[Offer]) -> None:
        self._offers = offers

    @cached_property
    def _known(self) -> set[str]:
        return {root for offer in self._offers for root in offer.vocabulary}

    def ranked(self, reading: Reading, *, unasked: bool = False, least: float = ENOUGH) -> list[Fit]:
        """The tools that fit well enough, the best first. What changes things must be asked for, or is left out.

        `unasked` gives those that were left out for that reason alone.
        """
        filler = Filler(reading, self._offers)
        fits: list[Fit] = []
        for offer in self._offers:
            filling = filler.fill(offer)
            demanded = not offer.act or asks_for(
                offer.name, offer.description, offer.act, reading, sure=bool(filling.sure)
            )
            if demanded != unasked:
                fits.append(self._fit(offer, filling, reading, filler, demanded=demanded))
        return sorted((fit for fit in fits if fit.score >= least), key=lambda fit: -fit.score)

    def _fit(
        self, offer: Offer, filling: Filling, reading: Reading, filler: Filler, *, demanded: bool
    ) -> Fit:
        said = sum(offer.weights.get(root, 0.0) * self._rarity(root) for root in reading.stems)
        score = said + self._values(offer, filling, filler)
        unknown = any(root not in self._known and root not in _VERBS for root in reading.stems)
        if unknown and any(parameter.is_query for parameter in offer.parameters):
            score += _SEARCHED * (2 if SEEKING.search(reading.text) else 1)
        # An act that was asked for in so many words is meant, whatever else the words could mean.
        return Fit(offer, filling, score + (_DEMANDED if offer.act and demanded else 0.0), said)

    def _values(self, offer: Offer, filling: Filling, filler: Filler) -> float:
        score = _MISSING * len(filling.missing)
        for parameter in offer.parameters:
            if parameter.name in filling.sure and not parameter.choices:
                score += _SURE if parameter.required else _SURE_OPTIONAL
            elif parameter.required and parameter.name in filling.arguments and not parameter.is_query:
                score += _FILLED
        usable = {
            value
            for value in filler.claimed
            if any(filler.surely(parameter, value) is not None for parameter in offer.parameters)
        }
        return score + _UNUSED * len(filler.claimed - usable)

    def _rarity(self, root: str) -> float:
        having = sum(root in offer.vocabulary for offer in self._offers)
        return math.log(1 + len(self._offers) / having) if having else 0.0
