"""The catalog of models over HTTP."""

from __future__ import annotations

from decimal import Decimal

from .. import wiring
from ..values.model import ModelEntry, Price
from .caller import Caller
from .shapes import Json


def listed(caller: Caller) -> Json:
    caller.needs("read")
    return {"models": [_shape(entry) for entry in wiring.catalog().all()]}


def _shape(entry: ModelEntry) -> Json:
    """What is null is not known; what a model on a server of one's own has not is left out."""
    shape: Json = {
        "model": entry.id,
        "aliases": list(entry.aliases),
        "api": entry.api,
        "window": entry.window,
        "images": entry.images,
        "price": _price(entry.price) if entry.price else None,
    }
    if entry.inference is not None:
        shape |= {"inference": entry.inference, "regions": list(entry.regions)}
    return shape


def _price(price: Price) -> Json:
    """US dollars per million tokens."""
    written = price.input if price.cache_write is None else price.cache_write
    amounts = {
        "input": price.input,
        "cached": price.cached,
        "cacheWritten": written,
        "output": price.output,
    }
    return {name: _amount(amount) for name, amount in amounts.items()} | {
        "source": price.source,
        "date": price.date,
    }


def _amount(amount: Decimal) -> float:
    return float(amount)
