"""The tools on offer, each with what is worked out of it once."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from freehold.values.model import ToolSpec

from .acts import act_of
from .parameters import Parameter, properties
from .words import ACTING_VERBS, LOOKING_VERBS, name_parts, sentence, stem, stems

_NAME, _CHOICE, _DESCRIPTION, _PARAMETER, _REST = 2.0, 1.2, 1.0, 0.8, 0.5


class Offer:
    """A tool that the request offers."""

    def __init__(self, spec: ToolSpec) -> None:
        self.name = spec.name
        self.description = spec.description
        self.parameters: list[Parameter] = properties(spec.input_schema)
        self.act = act_of(spec.name, spec.description)

    @cached_property
    def name_stems(self) -> set[str]:
        return {stem(part) for part in name_parts(self.name)}

    @cached_property
    def subject(self) -> list[str]:
        """Roots of what the tool is about: its name without verbs."""
        return [stem(part) for part in name_parts(self.name) if part not in LOOKING_VERBS | ACTING_VERBS]

    @cached_property
    def vocabulary(self) -> set[str]:
        return set(self.weights)

    @cached_property
    def weights(self) -> dict[str, float]:
        """Roots of all its words, each with the weight of the best place where it stands."""
        placed = [(_REST, stems(self.description)), (_DESCRIPTION, stems(sentence(self.description)))]
        for parameter in self.parameters:
            placed.append((_REST, stems(parameter.description)))
            placed.append((_PARAMETER, parameter.stems))
            placed.append(
                (_CHOICE, [stem(part) for one in parameter.choices for part in name_parts(str(one))])
            )
        placed.append((_NAME, list(self.name_stems)))
        weights: dict[str, float] = {}
        for weight, roots in placed:
            for root in roots:
                weights[root] = max(weight, weights.get(root, 0.0))
        return weights


def all_name_stems(offers: Iterable[Offer]) -> set[str]:
    return {root for offer in offers for root in offer.name_stems}
