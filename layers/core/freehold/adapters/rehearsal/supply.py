"""Where the values come from that a request needs and does not name."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from functools import cached_property
from typing import Any

from .fill import Filler, Filling
from .offers import Offer, all_name_stems
from .parameters import Parameter
from .reading import Reading
from .recall import Conversation, Found, scalars
from .words import ORDINALS, POINTING_AT_ONE, POINTING_AT_SEVERAL, name_parts, stems

MOST_AT_ONCE = 5
MOST_GUESSES = 3

Call = tuple[Offer, dict[str, Any]]


class Supply:
    """Looks for missing values in the conversation, or for a call that may find them."""

    def __init__(self, conversation: Conversation, offers: Sequence[Offer]) -> None:
        self.conversation = conversation
        self._offers = offers

    @cached_property
    def _generic(self) -> set[str]:
        return all_name_stems(self._offers)

    def recalled(self, offer: Offer, parameter: Parameter, reading: Reading, given: Filling) -> list[Found]:
        """What the conversation offers for a parameter, narrowed by what the request says of it."""
        if not parameter.recallable:
            return []
        least = 2 if offer.act and not (parameter.pattern or parameter.code_shapes) else 1
        groups = [
            group for group in self.conversation.groups(parameter, offer.subject) if group[0].grade >= least
        ]
        place = next((ORDINALS[word.low] for word in reading.words if word.low in ORDINALS), None)
        if not groups:
            return [] if place is not None else self._told_before(offer, parameter)
        if place is not None:
            listing = next((group for group in groups if len(group) > 1), groups[0])
            return listing[place : place + 1 or None] if len(listing) > place else []
        own = [root for root in reading.stems if root not in self._generic | offer.vocabulary]
        for group in groups:
            alike = [sum(root in found.stems for root in own) for found in group]
            if max(alike):
                best = [found for found, count in zip(group, alike, strict=True) if count == max(alike)]
                return best[:MOST_GUESSES]
        return self._meant(offer, groups, reading, given, specific=bool(own))

    def mentions(self, reading: Reading) -> bool:
        """Whether most of what the text says of its own is said of a thing in an earlier result."""
        own = set(reading.stems) - self._generic
        return any(
            2 * len(own & set(stems(" ".join(scalars(thing))))) > len(own)
            for thing in self.conversation.things()
        )

    def _meant(
        self, offer: Offer, groups: list[list[Found]], reading: Reading, given: Filling, *, specific: bool
    ) -> list[Found]:
        """Values that no word of the request describes: by `it` and `them`, or by the other arguments."""
        said = reading.pointers
        sure = {str(given.arguments[name]) for name in given.sure}
        beside = [group for group in groups if any(sure & found.texts for found in group)]
        if sure and beside:
            return beside[0][:MOST_GUESSES]
        if said & POINTING_AT_SEVERAL or (said & POINTING_AT_ONE and len(groups[0]) == 1):
            return groups[0][:MOST_AT_ONCE]
        if said & POINTING_AT_ONE and not offer.act:
            return groups[0][:1]
        # What was just looked up in this run was looked up for this.
        if any(found.current for found in groups[0]):
            return groups[0][:MOST_GUESSES]
        return [] if specific or sure else groups[0][:MOST_GUESSES]

    def _told_before(self, offer: Offer, parameter: Parameter) -> list[Found]:
        for reading in self.conversation.earlier_requests:
            filling = Filler(reading, self._offers).fill(offer)
            if parameter.name in filling.sure:
                value = filling.arguments[parameter.name]
                return [Found(value, value, grade=1, current=False)]
        return []

    def finder(
        self, target: Offer, missing: Sequence[Parameter], reading: Reading, made: Collection[str]
    ) -> Call | None:
        """A call that only looks and may find what the target lacks; none that is in `made`."""
        wanted = next((one for one in missing if one.keyed or one.is_key), None)
        if wanted is None:
            return None
        subject = set(wanted.stems) or {*target.subject}
        graded: list[tuple[int, int, Call]] = []
        filler = Filler(reading, self._offers)
        for i, offer in enumerate(self._offers):
            if offer is target or offer.act:
                continue
            filling = filler.fill(offer, but=target.name_stems)
            if filling.missing or not filling.arguments or signature(offer.name, filling.arguments) in made:
                continue
            about = bool(subject & set(stems(" ".join((*name_parts(offer.name), offer.description)))))
            searching = any(one.is_query and one.name in filling.arguments for one in offer.parameters)
            grade = 4 * bool(filling.sure) + 2 * about + searching
            if grade >= 3:
                graded.append((-grade, i, (offer, filling.arguments)))
        return min(graded, key=lambda one: one[:2])[2] if graded else None


def signature(name: str, arguments: dict[str, Any]) -> str:
    """The same for calls that are the same."""
    return f"{name} {json.dumps(arguments, sort_keys=True, default=str)}"
