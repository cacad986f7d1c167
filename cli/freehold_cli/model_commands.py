"""Models: what agents can name, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence

import typer
from rich.table import Table

from freehold_client import Model

from . import figures, tables
from .screen import AsJson, Screen
from .world import world_of


def models(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List the models that agents can name by id or alias, with their windows and prices.

    Example: freehold models
    """
    screen = Screen(json=as_json)
    with world_of(ctx).client() as client, screen.progress("reading the models"):
        found = list(client.models.list())
    screen.answer({"models": [model.wire for model in found]}, _table(found))


def _table(found: Sequence[Model]) -> Table:
    """Prices are of a million tokens."""
    table = tables.columns("model", "also", "API", "window", "images", "in", "out", "price of", "answered in")
    for each in found:
        price = each.price
        tables.add(
            table,
            each.model,
            ", ".join(each.aliases),
            each.api,
            f"{each.window:,}" if each.window else "?",
            "yes" if each.images else "no",
            figures.cost(price.input) if price else "unknown",
            figures.cost(price.output) if price else "unknown",
            price.date if price else "",
            each.inference or "",
        )
    return table
