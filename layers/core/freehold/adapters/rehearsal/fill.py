"""Filling a tool's arguments from a text."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from .offers import Offer, all_name_stems
from .parameters import KEY_WORDS, Parameter, properties, vocabulary
from .phrases import choices_said, clause, pointed_at, told_together
from .reading import Reading, Value
from .words import ACTING_VERBS, LOOKING_VERBS, ORDINALS, SEEKING_WORDS, STOP, Word, lexicon, stem

_AT_MOST = lexicon("under below most within maximum than until up less cheaper")
_AT_LEAST = lexicon("over above least minimum more from starting")
_STARTING = lexicon("from start starts begin begins since after in arrival between")
_ENDING = lexicon("to end ends until till before out through and")
_BOUNDS = lexicon("max maximum min minimum limit offset page size")
_NO_TRUTH = {stem(word) for word in ("is", "has", "with", "only", "include")}
_COMMONPLACE = {stem(word) for word in SEEKING_WORDS | LOOKING_VERBS}
_FAR = 1000


@dataclass(slots=True)
class Filling:
    """A tool's arguments as far as a text gives them.

    `others` are further values for one parameter, each good for a call of its own. `sure` names parameters
    whose value is certainly theirs: by pattern, format, example or choice.
    """

    arguments: dict[str, Any] = field(default_factory=dict[str, Any])
    missing: list[Parameter] = field(default_factory=list[Parameter])
    others: dict[str, list[Any]] = field(default_factory=dict[str, list[Any]])
    sure: set[str] = field(default_factory=set[str])

    @property
    def texts(self) -> set[str]:
        """All its values."""
        others = (value for values in self.others.values() for value in values)
        return {str(value) for value in (*self.arguments.values(), *others)}

    @property
    def sure_texts(self) -> set[str]:
        return {str(self.arguments[name]) for name in self.sure}


class Filler:
    """Fills tools from one text. What surely belongs to one tool on offer, no other may guess at."""

    def __init__(self, reading: Reading, offers: Sequence[Offer]) -> None:
        self.reading = reading
        self._tool_words = all_name_stems(offers)
        everything = [parameter for offer in offers for parameter in offer.parameters]
        self.claimed = {
            value
            for value in reading.values
            if any(self.surely(one, value) is not None for one in everything)
        }

    def surely(self, parameter: Parameter, value: Value) -> str | None:
        """The value in the form that this parameter certainly means, or None."""
        form = parameter.element.matched(value)
        return form if form is not None and self._is_key(parameter, value) else None

    def perhaps(self, parameter: Parameter, value: Value) -> bool:
        """Whether this parameter may mean the value, as long as no other surely does."""
        return (
            value not in self.claimed
            and parameter.element.resembles(value)
            and self._is_key(parameter, value)
        )

    def _is_key(self, parameter: Parameter, value: Value) -> bool:
        """Digits alone may be an amount or a count; `thing 17` and `number 17` are keys."""
        if value.kind != "number" or parameter.element.type != "string" or len(self.reading.words) < 3:
            return True
        before = {stem(self.reading.word_before(value.start, back)) for back in (1, 2)}
        return bool(before & {*parameter.stems, *map(stem, KEY_WORDS)})

    def fill(self, offer: Offer, *, but: Collection[str] = ()) -> Filling:
        """`but` are roots of words that free text must leave out, because they asked for something else."""
        return _Filling(self, offer.name_stems | set(but)).run(offer.parameters)

    def content(self, used: Collection[Value], but: Collection[str]) -> list[Word]:
        """The words that carry the request's own content: no small words, no used values, no word in `but`."""
        spans = [(value.start, value.end) for value in used]
        return [
            word
            for word in self.reading.words
            if word.low not in STOP
            and word.low not in ORDINALS
            and word.low not in ACTING_VERBS
            and word.stem not in but
            and not any(a <= word.start < b for a, b in spans)
        ]

    def free_text(self, used: Collection[Value], but: Collection[str]) -> str:
        """Words to search for, as the user wrote them."""
        for left_out in (self._tool_words | _COMMONPLACE | set(but), _COMMONPLACE | set(but)):
            found = self.content({*used, *self.claimed}, left_out)
            if found:
                return " ".join(word.raw for word in found)
        return ""


class _Filling:
    """One filling under way: a value goes to one parameter only."""

    def __init__(self, filler: Filler, but: set[str], used: list[Value] | None = None) -> None:
        self.filler = filler
        self.reading = filler.reading
        self.filling = Filling()
        self.but = but
        self.used: list[Value] = [] if used is None else used
        self._spare: dict[str, list[tuple[Value, Any]]] = {}

    def run(self, wanted: Sequence[Parameter]) -> Filling:
        """The surest first, and what is required before what is not."""
        by_need = sorted(wanted, key=lambda one: (not one.required, not one.element.code_shapes))
        steps = (self._sure, self._choice, self._number, self._resembling, self._truth)
        arguments = self.filling.arguments
        for step in (*steps, self._inner, self._name, self._text):
            for parameter in by_need:
                if parameter.name not in arguments:
                    step(parameter)
        for parameter in by_need:
            if parameter.required and parameter.name not in arguments:
                if "default" in parameter.schema:
                    arguments[parameter.name] = parameter.schema["default"]
                else:
                    self.filling.missing.append(parameter)
        for name, pairs in self._spare.items():
            if left := list(dict.fromkeys(text for value, text in pairs if value not in self.used)):
                self.filling.others[name] = left
        self.filling.arguments = {one.name: arguments[one.name] for one in wanted if one.name in arguments}
        return self.filling

    def _free(self) -> Iterator[Value]:
        return (value for value in self.reading.values if value not in self.used)

    def _sure(self, parameter: Parameter) -> None:
        found = [
            (value, text)
            for value in self._free()
            if (text := self.filler.surely(parameter, value)) is not None
        ]
        self._take(parameter, self._nearest(parameter, found), sure=True)

    def _resembling(self, parameter: Parameter) -> None:
        found = [(value, value.text) for value in self._free() if self.filler.perhaps(parameter, value)]
        self._take(parameter, self._nearest(parameter, found))

    def _take(self, parameter: Parameter, found: Sequence[tuple[Value, Any]], *, sure: bool = False) -> None:
        if not found:
            return
        if parameter.several:
            self.filling.arguments[parameter.name] = [text for _, text in found]
            self.used.extend(value for value, _ in found)
        else:
            self.filling.arguments[parameter.name] = found[0][1]
            self.used.append(found[0][0])
            self._spare[parameter.name] = [pair for pair in found[1:] if pair[1] != found[0][1]]
        self.filling.sure |= {parameter.name} if sure else set()

    def _nearest(self, parameter: Parameter, found: list[tuple[Value, Any]]) -> list[tuple[Value, Any]]:
        """By how near the parameter's own words stand, or as they stand in the text where none does."""
        return sorted(found, key=lambda pair: (self._away(parameter, pair[0]), pair[0].start))

    def _away(self, parameter: Parameter, value: Value) -> int:
        before = {self.reading.word_before(value.start), self.reading.word_before(value.start, 2)}
        parts = set(parameter.parts)
        if (parts & _STARTING and before & _STARTING) or (parts & _ENDING and before & _ENDING):
            return 0
        if (parts & _STARTING and before & _ENDING) or (parts & _ENDING and before & _STARTING):
            return 2 * _FAR
        own = set(parameter.stems)
        nearest = min(
            (abs(word.start - value.start) for word in self.reading.words if word.stem in own), default=_FAR
        )
        return nearest if nearest < 25 else _FAR

    def _choice(self, parameter: Parameter) -> None:
        if parameter.element.choices:
            taken = {value.start for value in self.used}
            said = choices_said(parameter.element, self.reading)
            free = [(value, choice) for value, choice in said if value.start not in taken]
            self._take(parameter, self._nearest(parameter, free), sure=True)

    def _number(self, parameter: Parameter) -> None:
        """A number next to the parameter's own words, or the one that is left where one is needed."""
        if parameter.type not in ("integer", "number") or parameter.choices:
            return
        numbers = (
            value for value in self._free() if value.kind == "number" and parameter.accepts(value.text)
        )
        free = [value for value in numbers if value not in self.filler.claimed]
        near = [value for value in free if self._speaks_of(parameter, value)]
        if not near and parameter.required:
            near = free
        self._take(parameter, [(value, _number(value.text)) for value in near])
        if near:
            # The unit after a number belongs to the value and is nothing to search for.
            unit = next((word for word in self.reading.words if word.start > near[0].start), None)
            if unit and unit.stem in vocabulary(parameter):
                self.used.append(Value("name", unit.raw, unit.start, unit.end))

    def _speaks_of(self, parameter: Parameter, value: Value) -> bool:
        parts = set(parameter.parts)
        before = {self.reading.word_before(value.start, back) for back in (1, 2)}
        if parts & {"max", "maximum", "under", "below", "until"} and before & _AT_MOST:
            return True
        if parts & {"min", "minimum", "over", "above", "from"} and before & _AT_LEAST:
            return True
        own = set(parameter.stems)
        if not parts & _BOUNDS:
            own |= set(vocabulary(parameter)) | (self.but if parameter.keyed else set[str]())
        words = self.reading.words
        at = next((i for i, word in enumerate(words) if word.end > value.start), len(words))
        return bool(own & {word.stem for word in (*words[max(0, at - 2) : at], *words[at + 1 : at + 2])})

    def _truth(self, parameter: Parameter) -> None:
        if parameter.type != "boolean":
            return
        own = set(parameter.stems) - _NO_TRUTH - self.but
        for i, word in enumerate(self.reading.words):
            if word.stem in own:
                before = {other.low for other in self.reading.words[max(0, i - 2) : i]}
                denied = not before.isdisjoint(("no", "not", "without"))
                self.filling.arguments[parameter.name] = not denied
                return

    def _name(self, parameter: Parameter) -> None:
        """Plain text that is neither key nor search nor prose: a name, or a word that stands in its place."""
        inner = parameter.element
        plain = inner.type == "string" and not inner.choices and not inner.schema.get("format")
        if not plain or inner.is_key or inner.is_query or inner.is_prose or inner.kinds:
            return
        own = set(parameter.stems) | self.but
        names = [value for value in self._free() if value.kind in ("quoted", "name")]
        found = [(value, value.text) for value in names if stem(value.text.lower()) not in own]
        if not found:
            content = self.filler.content(self.used, self.but | _COMMONPLACE)
            found = [(value, value.text) for value in pointed_at(parameter, self.reading, content)]
        fitting = [pair for pair in found if inner.accepts(pair[1])]
        self._take(parameter, told_together(self._nearest(parameter, fitting), self.reading))

    def _text(self, parameter: Parameter) -> None:
        """Free text: what to search for, or a clause that explains."""
        if (
            parameter.type != "string"
            or parameter.choices
            or parameter.is_key
            or parameter.schema.get("format")
        ):
            return
        quoted = next((value.text for value in self._free() if value.kind == "quoted"), "")
        if parameter.is_prose:
            text = quoted or clause(self.reading)
        elif parameter.is_query or (parameter.required and not parameter.kinds):
            text = quoted or self.filler.free_text(self.used, self.but | set(parameter.stems))
        else:
            return
        if text and parameter.accepts(text):
            self.filling.arguments[parameter.name] = text

    def _inner(self, parameter: Parameter) -> None:
        """An object's own properties, filled from what is left of the text."""
        if parameter.type != "object":
            return
        inside = _Filling(self.filler, self.but, self.used).run(properties(parameter.schema))
        if inside.arguments and not inside.missing:
            self.filling.arguments[parameter.name] = inside.arguments
            self.filling.sure |= {parameter.name} if inside.sure else set()


def _number(text: str) -> int | float:
    return int(text) if re.fullmatch(r"-?\d+", text) else float(text)
