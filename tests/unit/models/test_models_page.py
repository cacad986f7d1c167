"""docs/models.md says what the catalog says."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

import pytest

from freehold import errors
from freehold.adapters.catalog import APIS, BEDROCK_APIS, Catalog
from freehold.asking import SHARE_BEFORE_FALLBACK
from freehold.values.model import ModelEntry

PAGE = (Path(__file__).parents[3] / "docs" / "models.md").read_text()
BEDROCK = [entry for entry in Catalog.packaged().all() if entry.api in BEDROCK_APIS]
# Makers whose ids have another part before them for where they are answered.
MAKERS = ("openai", "anthropic", "amazon")


def place(entry: ModelEntry) -> str:
    """`us.` and the like; nothing where the id begins with its maker."""
    first, dot, _ = entry.id.partition(".")
    return "" if first in MAKERS else first + dot


def model(entry: ModelEntry) -> str:
    return entry.id.removeprefix(place(entry))


def by_model() -> Iterator[tuple[str, list[ModelEntry]]]:
    for name, entries in groupby(BEDROCK, key=model):
        yield name, list(entries)


def lines(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    table = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(row)} |".replace("  ", " ") for row in table)


def of_models() -> Iterator[tuple[str, ...]]:
    for name, entries in by_model():
        one = entries[0]
        names = [f"`{known}`" for known in (name, *one.aliases)]
        yield (
            ", ".join(names),
            f"`{one.api}`",
            f"{one.window:,}",
            "yes" if one.images else "no",
            one.sampling,
            "yes" if one.effort else "no",
            {"tools": "tools, messages", "messages": "messages", None: "none"}[one.cache],
        )


def of_prices() -> Iterator[tuple[str, ...]]:
    for name, entries in by_model():
        first = True
        for (price, host, where), group in groupby(
            entries, key=lambda one: (one.price, one.host, one.inference)
        ):
            ids = [f"`{place(entry)}…`" if place(entry) else "no prefix" for entry in group]
            paid = (
                (
                    *(f"{price.input}", f"{price.cached}", f"{price.cache_write or price.input}"),
                    *(f"{price.output}", price.date),
                )
                if price
                else ("not known", "", "", "", "")
            )
            reach = {"region": "the Region asked", "geography": "its geography", "global": "anywhere"}[
                str(where)
            ]
            yield (f"`{name}`" if first else "", ", ".join(ids), host, reach, *paid)
            first = False


@pytest.mark.parametrize(
    ("header", "rows"),
    [
        (("model", "API", "window", "images", "temperature, topP", "reasoningEffort", "marks"), of_models()),
        (
            ("model", "ids", "host", "answered in", "input", "cached", "written", "output", "read on"),
            of_prices(),
        ),
    ],
    ids=["models", "prices"],
)
def test_a_table_of_the_page_is_the_catalog(header: Sequence[str], rows: Iterator[tuple[str, ...]]):
    expected = lines(header, rows)

    (shown,) = re.findall(rf"^{re.escape(lines(header, ()))}\n(?:\|.*\n)+", PAGE, re.MULTILINE)

    assert shown.strip() == expected


def test_every_api_is_on_the_page():
    assert [api for api in APIS if f"| `{api}` |" not in PAGE] == []


def test_the_entry_on_the_page_is_the_catalogs_own():
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)

    (entry,) = Catalog("models:\n" + example).all()

    assert entry == Catalog.packaged().find(entry.id)


def test_every_error_on_the_page_is_one_that_the_loop_knows():
    named = set(re.findall(r"`((?:Model|Context)[A-Z][A-Za-z]+)`", PAGE)) - {"ModelRegion", "ModelUrl"}

    assert {"ModelThrottled", "ModelUnavailable", "ModelRejected", "ContextTooLong"} <= named
    assert [name for name in named if not hasattr(errors, name)] == []


def test_a_models_share_of_the_time_is_the_loops():
    assert f"gets {SHARE_BEFORE_FALLBACK:.0%}".replace("%", " %") + " of the\ntime that is left" in PAGE
