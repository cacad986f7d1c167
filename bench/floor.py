"""The least that keeping a run's content could cost: an append-only log of it, one item for each thing said."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from boto3.dynamodb.types import TypeDeserializer

from bench.billing import WireItem, attribute_size, write_units
from bench.traffic import Write

SAID = ("run", "lap", "result")
BODY = "body"


@dataclass(frozen=True, slots=True)
class Floor:
    items: int
    size: int
    units: int


def floor_of(writes: Sequence[Write]) -> Floor:
    """The user's message, each lap and each result once: its key, one attribute, and the bare bytes of its text."""
    said = {write.sk: write.item for write in writes if write.accepted and write.kind in SAID}
    sizes = [key_size(item) + len(BODY) + content_size(item) for item in said.values()]
    return Floor(len(sizes), sum(sizes), sum(map(write_units, sizes)))


def key_size(item: WireItem) -> int:
    return sum(attribute_size(name, item[name]) for name in ("pk", "sk"))


def content_size(item: WireItem) -> int:
    """Bytes of what was said: input, the model's text, names and arguments of calls, results. Nothing around it.

    `body` is a map or a JSON text; the same content counts the same in both.
    """
    if "body_ref" in item:
        raise ValueError(
            f"the content of {item['sk']['S']} lies in the bucket; the floor counts inline content"
        )
    if BODY not in item:
        return 0
    body: Any = TypeDeserializer().deserialize(item[BODY])
    return _text_bytes(json.loads(body) if isinstance(body, str) else body)


def _text_bytes(value: Any) -> int:
    match value:
        case str():
            return len(value.encode())
        case list():
            return sum(map(_text_bytes, cast("list[Any]", value)))
        case dict():
            return sum(map(_text_bytes, cast("dict[str, Any]", value).values()))
        case _:
            return 0
