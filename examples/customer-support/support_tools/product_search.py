"""Finding products by words. A catalogue of fifty needs no search engine."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

SMALL_WORDS = frozenset((
    "a", "an", "and", "any", "are", "at", "do", "does", "for", "from", "good", "have", "i", "in", "is",
    "it", "looking", "me", "my", "need", "of", "on", "or", "please", "sell", "show", "some",
    "something", "that", "the", "there", "to", "under", "want", "we", "what", "which", "with", "you",
    "your",
))  # fmt: skip


def search(products: Sequence[dict[str, Any]], query: str, max_price: Decimal | None) -> list[dict[str, Any]]:
    """The products that match most of the query's words, those that have them in the name first."""
    wanted = _words(query) - SMALL_WORDS
    affordable = [p for p in products if max_price is None or Decimal(p["price"]) <= max_price]
    scored = [(_hits(product, wanted), product) for product in affordable]
    best = max((all_hits for (all_hits, _), _ in scored), default=0)
    if best == 0:
        return []
    found = [(name_hits, product) for (all_hits, name_hits), product in scored if all_hits == best]
    return [product for _, product in sorted(found, key=lambda hit: (-hit[0], hit[1]["productId"]))]


def _hits(product: dict[str, Any], wanted: set[str]) -> tuple[int, int]:
    name = _words(product["name"])
    everything = name | _words(product["category"]) | _words(product["description"])
    return len(wanted & everything), len(wanted & name)


def _words(text: str) -> set[str]:
    """Lower-case words without a plural s, so that `chargers` finds `charger`."""
    return {
        word.removesuffix("s") if len(word) > 3 else word for word in re.findall(r"[a-z0-9]+", text.lower())
    }
