"""What DynamoDB bills for, from its developer guide ("Item sizes and formats", "Read and write operations")."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

WireItem = Mapping[str, Any]

WRITE_UNIT, READ_UNIT = 1024, 4096
COLLECTION_BYTES, ELEMENT_BYTES = 3, 1


def item_size(item: WireItem) -> int:
    """Bytes of an item as a request carries it (`{"name": {"S": "text"}}`), without the storage surcharge."""
    return sum(attribute_size(name, value) for name, value in item.items())


def attribute_size(name: str, value: WireItem) -> int:
    return len(name.encode()) + _value_size(value)


def _value_size(value: WireItem) -> int:
    ((kind, held),) = value.items()
    match kind:
        case "S":
            return len(held.encode())
        case "N":
            return _number_size(held)
        case "BOOL" | "NULL":
            return 1
        case "M":
            inner = cast("dict[str, WireItem]", held)
            return COLLECTION_BYTES + sum(ELEMENT_BYTES + attribute_size(*each) for each in inner.items())
        case "L":
            return COLLECTION_BYTES + sum(ELEMENT_BYTES + _value_size(each) for each in held)
        case _:
            raise ValueError(
                f"no size is known for an attribute of type {kind}; known are S, N, BOOL, NULL, M, L"
            )


def _number_size(text: str) -> int:
    """About a byte for two significant digits and one more; another for a sign."""
    digits = text.lstrip("-").replace(".", "").strip("0")
    return (len(digits) + 1) // 2 + 1 + text.startswith("-")


def write_units(size: int) -> int:
    return max(1, -(-size // WRITE_UNIT))


def read_units(size: int) -> int:
    """Of a strongly consistent read; an eventually consistent one is billed half."""
    return max(1, -(-size // READ_UNIT))
