"""Models that the stack knows by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .connection import Connection, pages
from .items import Wire
from .reading import mapping, number, text, text_or_none, texts, whole_or_none


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """US dollars per million tokens, with where and when they were read."""

    input: float | None
    output: float | None
    cached: float | None
    cache_written: float | None
    source: str = ""
    date: str = ""

    @classmethod
    def read(cls, wire: Mapping[str, Any]) -> Price:
        return cls(
            input=number(wire, "input"),
            output=number(wire, "output"),
            cached=number(wire, "cached"),
            cache_written=number(wire, "cacheWritten"),
            source=text(wire, "source"),
            date=text(wire, "date"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """`window` and `price` are None where nobody knows them; `inference` and `regions` are of models on Bedrock."""

    model: str
    api: str = ""
    aliases: tuple[str, ...] = ()
    window: int | None = None
    images: bool = False
    price: Price | None = None
    inference: str | None = None
    regions: tuple[str, ...] = ()
    wire: Wire = field(default_factory=Wire, repr=False, compare=False)

    @classmethod
    def read(cls, wire: Mapping[str, Any]) -> Model:
        return cls(
            model=text(wire, "model"),
            api=text(wire, "api"),
            aliases=texts(wire, "aliases"),
            window=whole_or_none(wire, "window"),
            images=wire.get("images") is True,
            price=Price.read(mapping(wire, "price")) if wire.get("price") else None,
            inference=text_or_none(wire, "inference"),
            regions=texts(wire, "regions"),
            wire=dict(wire),
        )


class Models:
    """The catalog: models that agents may name without saying how they are reached."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self) -> Iterator[Model]:
        return (Model.read(wire) for wire in pages(self._connection, "/models", "models"))
