"""Fields out of JSON that somebody else wrote: a wrong or missing one becomes its type's empty value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast


def text(wire: Mapping[str, Any], key: str) -> str:
    value = wire.get(key)
    return value if isinstance(value, str) else "" if value is None else str(value)


def text_or_none(wire: Mapping[str, Any], key: str) -> str | None:
    return None if wire.get(key) is None else text(wire, key)


def whole(wire: Mapping[str, Any], key: str) -> int:
    value = wire.get(key)
    return int(value) if isinstance(value, int | float) else 0


def whole_or_none(wire: Mapping[str, Any], key: str) -> int | None:
    return None if wire.get(key) is None else whole(wire, key)


def number(wire: Mapping[str, Any], key: str) -> float | None:
    value = wire.get(key)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def mapping(wire: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = wire.get(key)
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def mappings(wire: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    value = wire.get(key)
    if not isinstance(value, list):
        return []
    return [cast("Mapping[str, Any]", each) for each in cast("list[Any]", value) if isinstance(each, dict)]


def texts(wire: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = wire.get(key)
    return tuple(str(each) for each in cast("list[Any]", value)) if isinstance(value, list) else ()
