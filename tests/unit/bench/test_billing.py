from __future__ import annotations

from typing import Any

import pytest
from bench.billing import attribute_size, item_size, read_units, write_units


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ({"S": ""}, 0),
        ({"S": "ö"}, 2),
        ({"N": "0"}, 1),
        ({"N": "7"}, 2),
        ({"N": "-7"}, 3),
        ({"N": "1800000000000"}, 2),
        ({"N": "0.000125"}, 3),
        ({"BOOL": True}, 1),
        ({"NULL": True}, 1),
        ({"L": []}, 3),
        ({"L": [{"S": "ab"}, {"N": "7"}]}, 3 + 1 + 2 + 1 + 2),
        ({"M": {"in": {"N": "12"}}}, 3 + 1 + 2 + 2),
    ],
)
def test_a_value_has_the_size_that_dynamodb_documents(value: dict[str, Any], size: int):
    assert attribute_size("name", value) == len("name") + size


def test_an_item_is_the_sum_of_its_names_and_values():
    assert item_size({"pk": {"S": "a"}, "at": {"N": "1"}}) == 3 + 4


def test_a_type_that_has_no_known_size_is_named():
    with pytest.raises(ValueError, match="type SS; known are"):
        attribute_size("name", {"SS": ["a"]})


@pytest.mark.parametrize(
    ("size", "written", "read"), [(0, 1, 1), (1024, 1, 1), (1025, 2, 1), (4096, 4, 1), (4097, 5, 2)]
)
def test_units_are_rounded_up_and_never_less_than_one(size: int, written: int, read: int):
    assert (write_units(size), read_units(size)) == (written, read)
