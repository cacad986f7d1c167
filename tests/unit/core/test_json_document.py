"""JSON from outside: one reading of it, or a refusal that says where."""

from __future__ import annotations

from typing import Any

import pytest

from freehold.errors import Invalid
from freehold.json_document import read, repeated


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"a": 1, "b": {"c": 1, "c": 2}}', "'c' more than once"),
        ('{"a": NaN}', "NaN is no number"),
        ('{"a": ', "line 1 column 7"),
        ("[" * 100_000, "nested too deeply"),
        ("1" * 5_000, "too many digits"),
    ],
)
def test_what_readers_could_take_otherwise_is_refused(text: str, why: str):
    with pytest.raises(Invalid, match=r"the body (is|has|holds)") as caught:
        read(text, "the body")

    assert why in str(caught.value)


class Name(str):
    __slots__ = ()
    compared = 0

    def __eq__(self, other: object) -> bool:
        Name.compared += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


def test_a_repeated_name_is_found_in_one_pass_over_all_of_them():
    pairs: list[tuple[str, Any]] = [(Name(f"field {i}"), None) for i in range(1_000)]

    assert repeated([*pairs, (Name("field 999"), None)]) == "field 999"
    assert Name.compared < 2 * len(pairs)
