"""What to do next in a run: which calls to make, what to ask, or nothing but to answer."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from .choose import ENOUGH, Chooser, Fit
from .fill import Filler, Filling
from .handover import hands_over, wanted
from .offers import Offer
from .parameters import Parameter
from .reading import Reading
from .recall import Conversation, Found
from .supply import MOST_AT_ONCE, Call, Supply, signature
from .words import ACTING_VERBS, LOOKING_VERBS, SEEKING, lexicon

MOST_CALLS = 8
MOST_PARTS = 8
_PARTS = re.compile(
    r"[.?!;\n]+\s*|,?\s+(?:and|then|also|plus|but)\s+(?:also\s+|then\s+)?|,\s+", re.IGNORECASE
)
_GOING_ON = re.compile(r"\s*(?:and|what about|how about|ok(?:ay)?,? and|or|also)\b", re.IGNORECASE)
_LEADING = lexicon("and also then so ok okay please hi hello hey now but well")
_ASKING = lexicon(
    """what what's where where's when who which how why is are do does did can could please tell give i'd will
    would has have"""
)


@dataclass(frozen=True)
class Question:
    """Values that a tool needs and that nobody has told; `options` are those that earlier results offer."""

    offer: Offer
    missing: Sequence[Parameter]
    options: Sequence[Found] = ()


@dataclass
class Step:
    """The next step of a run. Without calls, it is time to answer."""

    calls: list[Call] = field(default_factory=list[Call])
    questions: list[Question] = field(default_factory=list[Question])
    targets: list[Offer] = field(default_factory=list[Offer])
    unasked: Offer | None = None


class Planner:
    """Decides from the messages alone, so that the same messages always lead to the same step."""

    def __init__(self, conversation: Conversation, offers: Sequence[Offer]) -> None:
        self._conversation = conversation
        self._people = [offer for offer in offers if hands_over(offer)]
        self._offers = offers = [offer for offer in offers if not hands_over(offer)]
        self._chooser = Chooser(offers)
        self._supply = Supply(conversation, offers)
        # What is wanted must not change with what the run finds out.
        self._beforehand = Supply(conversation.beforehand, offers)
        self._made = {signature(outcome.use.name, outcome.arguments) for outcome in conversation.made}

    def step(self) -> Step:
        step = Step()
        reading = self._request()
        for offer in self._people:
            if arguments := wanted(offer, self._conversation):
                step.targets = [offer]
                if all(outcome.use.name != offer.name for outcome in self._conversation.made):
                    step.calls = [(offer, arguments)]
                return step
        targets = self._targets(reading)
        unasked = self._unasked(reading)
        if unasked and all(fit.filling.missing and fit.said < unasked.said for fit, _ in targets):
            step.unasked, targets = unasked.offer, []
        for fit, part in targets:
            step.targets.append(fit.offer)
            self._pursue(fit, part, reading, step)
        left = MOST_CALLS - len(self._conversation.made)
        step.calls = step.calls[: min(left, MOST_AT_ONCE)] if left > 0 else []
        return step

    def _request(self) -> Reading:
        """What the user wants: the latest message alone where it opens a matter of its own."""
        latest = self._conversation.latest
        if not self._conversation.asked_before:
            return latest
        fits = self._chooser.ranked(latest)
        own_matter = fits and fits[0].said and not fits[0].filling.missing and _is_asking(latest)
        return latest if own_matter else self._conversation.request

    def _unasked(self, reading: Reading) -> Fit | None:
        """A tool that changes something, spoken of by its act, but not asked for."""
        for fit in self._chooser.ranked(reading, unasked=True, least=-math.inf):
            if fit.said >= ENOUGH and fit.offer.name_stems & set(reading.stems):
                return fit
        return None

    def _targets(self, reading: Reading) -> list[tuple[Fit, Reading]]:
        """The best tool, or one for each part of the request where parts plainly ask for different things."""
        best = self._chooser.ranked(reading)[:1]
        if (
            best
            and not best[0].offer.act
            and reading.pointers
            and not self._is_within_reach(best[0], reading)
        ):
            fits = self._chooser.ranked(reading, least=0.0)
            best = [fit for fit in fits if fit.said and self._is_within_reach(fit, reading)][:1] or best
        elif best and self._is_guess(best[0], reading) and self._beforehand.mentions(reading):
            best = self._follow_up(reading) or best
        parts = [part for part in _PARTS.split(reading.text) if part and part.strip()]
        held = best[0].filling.texts if best else set[str]()
        chosen: dict[str, tuple[Fit, Reading]] = {}
        for part in map(Reading, parts[:MOST_PARTS] if len(parts) > 1 else ()):
            asking = _is_asking(part)
            for fit in self._chooser.ranked(part)[:1]:
                if asking or (fit.said and not fit.filling.sure) or not fit.filling.sure_texts <= held:
                    chosen.setdefault(fit.offer.name, (fit, part))
        if len(chosen) > 1 or (chosen and not best):
            return list(chosen.values())
        return [(fit, reading) for fit in best or self._follow_up(reading)]

    def _follow_up(self, reading: Reading) -> list[Fit]:
        """`And the first one?`, `What about X?`: the tool of before, or one that can tell more of what is meant."""
        earlier = [outcome.use.name for outcome in reversed(self._conversation.beforehand.outcomes)]
        pointing = bool(reading.pointers) or self._beforehand.mentions(reading)
        going_on = _GOING_ON.match(reading.text) is not None
        if not earlier or not (pointing or going_on):
            return []
        filler = Filler(reading, self._offers)
        looking = [offer for offer in self._offers if not offer.act]
        again = [offer for name in dict.fromkeys(earlier) for offer in looking if offer.name == name][:1]
        for offer in again if going_on else ():
            filling = filler.fill(offer)
            if self._reach(offer, filling, reading):
                return [Fit(offer, filling)]
        graded: list[tuple[int, int, Fit]] = []
        for i, offer in enumerate(looking if pointing else ()):
            filling = filler.fill(offer)
            if grade := self._reach(offer, filling, reading):
                graded.append((-grade, i, Fit(offer, filling)))
        return [min(graded, key=lambda one: one[:2])[2]] if graded else []

    def _is_within_reach(self, fit: Fit, reading: Reading) -> bool:
        return not fit.filling.missing or self._reach(fit.offer, fit.filling, reading) > 0

    def _is_guess(self, fit: Fit, reading: Reading) -> bool:
        """Whether nothing but loose words speaks for the tool."""
        return not (fit.offer.act or fit.filling.sure or fit.filling.missing or SEEKING.search(reading.text))

    def _reach(self, offer: Offer, filling: Filling, reading: Reading) -> int:
        """How well the conversation gives what the tool still needs; 0 where it does not, or nothing is meant."""
        found = [self._beforehand.recalled(offer, one, reading, filling) for one in filling.missing]
        if not all(found):
            return 0
        return min(one[0].grade for one in found) if found else int(bool(filling.arguments))

    def _pursue(self, fit: Fit, part: Reading, whole: Reading, step: Step) -> None:
        """Add what this tool needs next: its calls, a call that finds what it lacks, or a question."""
        offer, filling = fit.offer, fit.filling
        if part is not whole:
            _complete(filling, Filler(whole, self._offers).fill(offer))
        self._take_plain_answer(filling)
        lacking = list(filling.missing)
        if not filling.arguments and not lacking:
            lacking = [one for one in offer.parameters if one.is_key or one.kinds][:1]
        if lacking and any(outcome.use.name == offer.name for outcome in self._conversation.made):
            return
        known = {one.name: self._supply.recalled(offer, one, whole, filling) for one in lacking}
        several = 1 if offer.act else MOST_AT_ONCE
        unclear = [one for one in filling.missing if not 0 < len(known[one.name]) <= several]
        # A part that lacks the words to search by may have them in the whole.
        found = (self._supply.finder(offer, unclear, text, self._made) for text in (part, whole) if unclear)
        finder = next((call for call in found if call), None)
        if finder:
            self._add(step, *finder)
        elif unclear:
            options = next((known[one.name] for one in unclear if known[one.name]), list[Found]())
            step.questions.append(Question(offer, unclear, options))
        else:
            for arguments in _spread(
                filling, {name: values for name, values in known.items() if values}, offer
            ):
                self._add(step, offer, arguments)

    def _add(self, step: Step, offer: Offer, arguments: dict[str, Any]) -> None:
        made = signature(offer.name, arguments)
        if made not in self._made:
            self._made.add(made)
            step.calls.append((offer, arguments))

    def _take_plain_answer(self, filling: Filling) -> None:
        """Whatever the user said when asked for one text is that text."""
        latest = self._conversation.latest.text.strip()
        if self._conversation.asked_before and len(filling.missing) == 1:
            wanted = filling.missing[0]
            plain = wanted.type == "string" and not wanted.choices and not wanted.is_key and not wanted.kinds
            if plain and wanted.accepts(latest):
                filling.arguments[wanted.name] = latest
                filling.missing.clear()


def _complete(filling: Filling, other: Filling) -> None:
    """Fill what is missing in one from another."""
    for parameter in list(filling.missing):
        if parameter.name in other.arguments:
            filling.arguments[parameter.name] = other.arguments[parameter.name]
            filling.missing.remove(parameter)


def _spread(filling: Filling, known: dict[str, list[Found]], offer: Offer) -> Iterator[dict[str, Any]]:
    """One set of arguments for each value of the parameter that has several."""
    arguments = {**filling.arguments, **{name: found[0].value for name, found in known.items()}}
    several = {name: [one.value for one in found] for name, found in known.items() if len(found) > 1}
    if not several:
        several = {name: [arguments[name], *values] for name, values in filling.others.items()}
    name, values = next(iter(several.items()), ("", [None]))
    for value in values[:MOST_AT_ONCE]:
        full = {**arguments, name: value} if name else arguments
        yield {one.name: full[one.name] for one in offer.parameters if one.name in full}


def _is_asking(reading: Reading) -> bool:
    """Whether a text has the form of a request or a question of its own."""
    first = next((word.low for word in reading.words if word.low not in _LEADING), "")
    return first in _ASKING | LOOKING_VERBS | ACTING_VERBS or SEEKING.search(reading.text) is not None
