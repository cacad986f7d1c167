"""The catalog of models over HTTP."""

from __future__ import annotations

from freehold.adapters.catalog import Catalog

from .deployed import Deployed


def test_every_model_of_the_catalog_is_listed_with_what_it_costs_and_takes(product: Deployed):
    catalog = Catalog.packaged()

    models = product.scoped("read").call("GET", "/models").body["models"]

    assert [each["model"] for each in models] == [entry.id for entry in catalog.all()]
    for each in models:
        entry = catalog.find(each["model"])
        assert entry is not None
        assert {catalog.find(name) for name in each["aliases"]} <= {entry}
        assert (each["api"], each["window"], each["images"]) == (entry.api, entry.window, entry.images)
        assert (each.get("inference"), each.get("regions", [])) == (entry.inference, list(entry.regions))
        assert (each["price"] is None) == (entry.price is None)


def test_a_price_says_where_and_when_it_was_read(product: Deployed):
    models = product.admin.call("GET", "/models").body["models"]

    prices = [each["price"] for each in models if each["price"]]

    assert prices
    for price in prices:
        assert price["source"]
        assert price["date"] >= "2024"
        assert 0 <= price["cached"] <= price["input"]


def test_an_unknown_price_is_null_and_never_nought(product: Deployed):
    models = {each["model"]: each for each in product.admin.call("GET", "/models").body["models"]}
    unknown = [entry.id for entry in Catalog.packaged().all() if entry.price is None]

    assert unknown
    assert {models[name]["price"] for name in unknown} == {None}
