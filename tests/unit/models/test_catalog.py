from __future__ import annotations

from decimal import Decimal

import pytest

from freehold.adapters.catalog import Catalog
from freehold.errors import Invalid
from freehold.values.model import Usage

GOOD = """
models:
  - id: vendor.one
    aliases: [one]
    api: converse
    window: 1000
    price: {input: "2", cached: "0.2", output: "10", source: https://example.com/prices, date: "2026-10-05"}
  - id: vendor.two
    api: responses
    price: null
"""


def test_a_model_is_found_by_id_and_by_alias():
    catalog = Catalog.packaged()

    assert catalog.find("openai.gpt-5.5-v1") is catalog.find("openai.gpt-5.5") is not None
    assert catalog.find("gpt-5.5") is None


def test_names_that_come_close_are_suggested():
    catalog = Catalog.packaged()

    assert catalog.close_to("gpt-5.5")[0] == "openai.gpt-5.5"
    assert catalog.close_to("openai.gpt-55")[0] == "openai.gpt-5.5"
    assert "global.anthropic.claude-sonnet-5" in catalog.close_to("anthropic.claude-sonnet-5")
    assert catalog.close_to("zzz") == []


def test_every_price_says_where_and_when_it_was_read():
    prices = [entry.price for entry in Catalog.packaged().all() if entry.price]

    assert prices
    assert all(price.source and price.date >= "2026-09-01" for price in prices)


def test_the_rehearsal_costs_nothing_and_says_why():
    rehearsal = Catalog.packaged().find("rehearsal")

    assert rehearsal is not None
    assert rehearsal.api == "rehearsal"
    assert rehearsal.price is not None
    assert rehearsal.price.cost(Usage(1000, 1000, 500)) == 0
    assert "inside Freehold" in rehearsal.price.source


def test_the_catalog_is_read_once():
    assert Catalog.packaged() is Catalog.packaged()


def test_prices_are_kept_to_the_cent_and_unknown_ones_stay_unknown():
    one, two = Catalog(GOOD).all()

    assert one.price is not None
    assert one.price.cost(Usage(1_000_000, 100_000, 500_000)) == Decimal("2.1")
    assert two.price is None
    assert two.window is None


def test_cached_tokens_without_a_price_of_their_own_count_as_fresh():
    catalog = Catalog(GOOD.replace('cached: "0.2"', "cached: null"))

    price = catalog.all()[0].price

    assert price is not None
    assert price.cached == price.input == Decimal(2)


@pytest.mark.parametrize(
    ("found", "instead", "told"),
    [
        ("api: converse", "api: telepathy", r"models\[0\].api: 'telepathy' is none of responses"),
        ("id: vendor.one", "id: 7", r"models\[0\].id: must be text, not 7"),
        ("aliases: [one]", "aliases: one", r"models\[0\].aliases: must be a list of texts"),
        ("aliases: [one]", "alias: [one]", r"models\[0\].alias: is unknown; known are id, aliases"),
        ("window: 1000", "window: lots", r"models\[0\].window: must be a number of tokens"),
        ("window: 1000", "window: true", r"models\[0\].window"),
        ('input: "2"', "input: 2", r"models\[0\].price.input: must be quoted"),
        ('input: "2"', 'input: "-2"', r"models\[0\].price.input"),
        ('input: "2"', 'input: "NaN"', r"models\[0\].price.input"),
        ('cached: "0.2"', 'cached: "cheap"', r"models\[0\].price.cached"),
        ('cached: "0.2", ', "", r"models\[0\].price.cached"),
        ('date: "2026-10-05"', "date: lately", r"models\[0\].price.date: must be a date such as 2026-01-31"),
        ("source: https://example.com/prices, ", "", r"models\[0\].price.source: must say where"),
        ("    price: null\n", "", r"models\[1\].price: is missing; write null"),
        ("price: null", "price: free", r"models\[1\].price: must be a mapping or null"),
        ("id: vendor.two", "id: one", r"models\[1\]: the name 'one' is already taken"),
        ("models:", "modells:", "models: must be a list"),
        ("models:", "models: [", "is no YAML"),
    ],
)
def test_a_malformed_entry_fails_loudly_and_names_its_place(found: str, instead: str, told: str):
    assert found in GOOD

    with pytest.raises(Invalid, match=told):
        Catalog(GOOD.replace(found, instead, 1))


def test_all_problems_are_told_at_once():
    broken = GOOD.replace("api: converse", "api: x").replace("api: responses", "api: y")

    with pytest.raises(Invalid) as raised:
        Catalog(broken)

    assert [problem.path for problem in raised.value.problems] == ["models[0].api", "models[1].api"]
