from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from importlib.resources import files
from typing import Any

import pytest
import yaml
from botocore.session import Session

from freehold.adapters.catalog import Catalog
from freehold.errors import Invalid
from freehold.values.model import ModelEntry, Price, Usage

GOOD = """
models:
  - id: vendor.one
    aliases: [one]
    api: converse
    host: bedrock-runtime
    inference: region
    regions: [us-east-1]
    window: 1000
    images: false
    sampling: none
    effort: nova
    cache: messages
    price:
      {input: "2", cached: "0.2", cacheWrite: "2.5", output: "10", date: "2026-10-05",
       source: https://example.com/prices}
  - id: vendor.two
    api: responses
    host: bedrock-mantle
    inference: global
    price: null
  - id: vendor.three
    api: openai_compatible
    price: null
"""
PLACES: dict[str, tuple[str, ...]] = {
    # Canada is no place of its own: its Regions send to the United States and to themselves, Israel's to Europe.
    "us": ("us-", "ca-"),
    "eu": ("eu-", "il-"),
    "jp": ("ap-northeast-1", "ap-northeast-3"),
    "au": ("ap-southeast-2", "ap-southeast-4", "ap-southeast-6"),
    "in": ("ap-south-1", "ap-south-2"),
}
BEDROCK = [entry for entry in Catalog.packaged().all() if entry.api in ("converse", "responses")]
DOCUMENT: dict[str, Any] = yaml.safe_load(files("freehold").joinpath("models.yaml").read_text("utf-8"))


def prefix(entry: ModelEntry) -> str | None:
    first = entry.id.split(".")[0]
    return first if first == "global" or first in PLACES else None


def model(entry: ModelEntry) -> str:
    """The id without what says where it is answered."""
    return entry.id.removeprefix(f"{prefix(entry)}.")


def priced() -> Iterator[tuple[ModelEntry, Price]]:
    for entry in Catalog.packaged().all():
        if entry.price is not None:
            yield entry, entry.price


def test_a_model_is_found_by_id_and_by_alias():
    catalog = Catalog.packaged()

    assert catalog.find("openai.gpt-5.5-v1") is catalog.find("openai.gpt-5.5") is not None
    assert catalog.find("gpt-5.5") is None


def test_names_that_come_close_are_suggested():
    catalog = Catalog.packaged()

    assert catalog.close_to("gpt-5.5")[0] == "openai.gpt-5.5"
    assert catalog.close_to("openai.gpt-55")[0] == "openai.gpt-5.5"
    assert "global.anthropic.claude-opus-4-8" in catalog.close_to("global.anthropic.claude-opus-4.8")
    assert catalog.close_to("zzz") == []


@pytest.mark.parametrize("entry", BEDROCK, ids=lambda entry: entry.id)
def test_an_id_says_where_its_requests_are_answered(entry: ModelEntry):
    told = {None: "region", "global": "global"}.get(prefix(entry), "geography")

    assert entry.inference == told


@pytest.mark.parametrize("entry", BEDROCK, ids=lambda entry: entry.id)
def test_a_model_is_asked_over_an_api_that_its_host_serves(entry: ModelEntry):
    # Converse is an operation of bedrock-runtime. bedrock-mantle knows no inference profiles, and bedrock-runtime
    # knows GPT by nothing else.
    profile = prefix(entry) is not None

    assert entry.host == ("bedrock-mantle" if entry.api == "responses" and not profile else "bedrock-runtime")


@pytest.mark.parametrize(
    "entry", [entry for entry in BEDROCK if entry.inference == "geography"], ids=lambda entry: entry.id
)
def test_a_geographys_profile_is_called_from_that_geography(entry: ModelEntry):
    place = PLACES[prefix(entry) or ""]

    assert [region for region in entry.regions if not region.startswith(place)] == []


def test_every_region_is_one_that_aws_has():
    session = Session()
    known = {
        region for service in ("ec2", "bedrock-runtime") for region in session.get_available_regions(service)
    }

    assert {region for entry in BEDROCK for region in entry.regions} <= known


def test_every_known_window_holds_a_conversation():
    assert all(entry.window and entry.window >= 100_000 for entry in Catalog.packaged().all())


def test_a_price_was_read_at_one_of_the_files_sources_on_its_day():
    sources = {(source["source"], source["date"]) for source in DOCUMENT["sources"].values()}

    read = {(price.source, price.date) for entry, price in priced() if entry.api != "rehearsal"}

    assert read == sources


def test_what_is_cached_costs_at_most_what_is_fresh_and_output_at_least_that():
    assert [entry.id for entry, price in priced() if not price.cached <= price.input <= price.output] == []


def test_to_put_into_the_cache_costs_a_quarter_more_or_what_all_input_does():
    told = [(entry.id, price.cache_write, price.input) for entry, price in priced()]

    assert [one for one, write, fresh in told if write not in (None, fresh * Decimal("1.25"))] == []
    assert [one for one, write, _ in told if write is None and "claude" in one] == []


@pytest.mark.parametrize("entry", BEDROCK, ids=lambda entry: entry.id)
def test_marks_for_the_cache_go_to_models_that_take_them_where_they_do(entry: ModelEntry):
    takes = {"anthropic": "tools", "amazon": "messages", "openai": None}

    assert entry.cache == takes[model(entry).split(".")[0]]


def test_an_answer_from_anywhere_is_never_dearer_than_one_from_a_geography():
    anywhere = {model(entry): price for entry, price in priced() if entry.inference == "global"}
    compared = [
        (price, anywhere[model(entry)])
        for entry, price in priced()
        if entry.inference in ("region", "geography") and model(entry) in anywhere
    ]

    assert len(compared) > 40
    assert all(
        there.input >= far.input and there.cached >= far.cached and there.output >= far.output
        for there, far in compared
    )


def test_the_profiles_of_a_model_differ_in_reach_and_price_alone():
    facts: dict[str, set[tuple[Any, ...]]] = {}
    for entry in BEDROCK:
        same = (entry.api, entry.window, entry.images, entry.sampling, entry.effort, entry.cache)
        facts.setdefault(model(entry), set()).add(same)

    assert {name for name, found in facts.items() if len(found) > 1} == set()


@pytest.mark.parametrize(
    ("name", "images", "sampling", "effort"),
    [
        ("openai.gpt-5.5", True, "none", "reasoning_effort"),
        ("openai.gpt-5.4", True, "any", "reasoning_effort"),
        ("openai.gpt-oss-120b-1:0", False, "any", "reasoning_effort"),
        ("global.anthropic.claude-opus-4-7", True, "none", "anthropic"),
        ("global.anthropic.claude-sonnet-4-6", True, "one", "anthropic"),
        ("global.anthropic.claude-haiku-4-5-20251001-v1:0", True, "one", None),
        ("global.amazon.nova-2-lite-v1:0", True, "any", "nova"),
        ("amazon.nova-micro-v1:0", False, "any", None),
        ("rehearsal", False, "any", None),
    ],
)
def test_a_model_is_sent_only_what_it_takes(name: str, images: bool, sampling: str, effort: str | None):
    entry = Catalog.packaged().find(name)

    assert entry is not None
    assert (entry.images, entry.sampling, entry.effort) == (images, sampling, effort)


def test_the_rehearsal_costs_nothing_and_says_why():
    rehearsal = Catalog.packaged().find("rehearsal")

    assert rehearsal is not None
    assert rehearsal.api == "rehearsal"
    assert rehearsal.price is not None
    assert rehearsal.price.cost(Usage(1000, 1000, 500)) == 0
    assert "inside Freehold" in rehearsal.price.source


def test_the_catalog_is_read_once():
    assert Catalog.packaged() is Catalog.packaged()


def test_everything_that_a_row_says_is_in_its_entry():
    one, two, three = Catalog(GOOD).all()

    read = ("https://example.com/prices", "2026-10-05")
    price = Price(Decimal(2), Decimal(10), Decimal("0.2"), *read, cache_write=Decimal("2.5"))
    assert one == ModelEntry(
        *("vendor.one", "converse", 1000, price, ("one",), "bedrock-runtime", ("us-east-1",), "region"),
        images=False,
        sampling="none",
        effort="nova",
        cache="messages",
        listed=True,
    )
    assert two == ModelEntry(
        "vendor.two", "responses", host="bedrock-mantle", inference="global", listed=True
    )
    assert three == ModelEntry("vendor.three", "openai_compatible", listed=True)


def test_cached_tokens_without_a_price_of_their_own_count_as_fresh():
    catalog = Catalog(GOOD.replace('cached: "0.2"', "cached: null"))

    price = catalog.all()[0].price

    assert price is not None
    assert price.cached == price.input == Decimal(2)


def test_tokens_of_each_kind_are_paid_at_their_own_price():
    price = Catalog(GOOD).all()[0].price
    plain = Catalog(GOOD.replace('cacheWrite: "2.5", ', "")).all()[0].price
    usage = Usage(
        input_tokens=1_000_000, output_tokens=0, cached_tokens=300_000, cache_written_tokens=200_000
    )

    assert price is not None
    assert plain is not None
    assert price.cost(usage) == Decimal("0.5") * 2 + Decimal("0.3") * Decimal("0.2") + Decimal("0.5")
    assert plain.cost(usage) == Decimal("0.7") * 2 + Decimal("0.3") * Decimal("0.2")


@pytest.mark.parametrize(
    ("found", "instead", "told"),
    [
        ("api: converse", "api: telepathy", r"models\[0\].api: 'telepathy' is none of responses"),
        ("    api: responses\n", "", r"models\[1\].api: is missing; it is one of responses"),
        ("id: vendor.one", "id: 7", r"models\[0\].id: must be text, not 7"),
        ("aliases: [one]", "aliases: one", r"models\[0\].aliases: must be a list of texts"),
        ("aliases: [one]", "alias: [one]", r"models\[0\].alias: is unknown; known are id, aliases"),
        ("window: 1000", "window: lots", r"models\[0\].window: must be a number of tokens"),
        ("window: 1000", "window: true", r"models\[0\].window"),
        ("host: bedrock-runtime", "host: example.com", r"models\[0\].host: 'example.com' is none of bedrock"),
        ("    host: bedrock-runtime\n", "", r"models\[0\].host: is missing, and the API converse needs it"),
        ("host: bedrock-runtime", "host: bedrock-mantle", r"models\[0\].host: must be bedrock-runtime: no"),
        (
            "inference: region",
            "inference: moon",
            r"models\[0\].inference: 'moon' is none of region, geography",
        ),
        ("    inference: global\n", "", r"models\[1\].inference: is missing, and the API responses needs it"),
        ("regions: [us-east-1]", "regions: us-east-1", r"models\[0\].regions: must be a list of texts"),
        (
            "id: vendor.three",
            "id: vendor.three\n    host: bedrock-runtime",
            r"models\[2\].host: must be left out",
        ),
        ("id: vendor.three", "id: vendor.three\n    regions: []", r"models\[2\].regions: must be left out"),
        ("images: false", "images: some", r"models\[0\].images: must be true or false, not 'some'"),
        ("sampling: none", "sampling: 0", r"models\[0\].sampling: 0 is none of any, one, none"),
        (
            "effort: nova",
            "effort: much",
            r"models\[0\].effort: 'much' is none of reasoning_effort, anthropic",
        ),
        ('input: "2"', "input: 2", r"models\[0\].price.input: must be quoted"),
        ('input: "2"', 'input: "-2"', r"models\[0\].price.input"),
        ('input: "2"', 'input: "NaN"', r"models\[0\].price.input"),
        ('cached: "0.2"', 'cached: "cheap"', r"models\[0\].price.cached"),
        (
            'cached: "0.2"',
            'cached: "2.5"',
            r"models\[0\].price.cached: must be at most the input's 2, not 2.5",
        ),
        ('cacheWrite: "2.5"', "cacheWrite: 2.5", r"models\[0\].price.cacheWrite: must be quoted"),
        ("cache: messages", "cache: all", r"models\[0\].cache: 'all' is none of tools, messages"),
        ("id: vendor.two", "id: vendor.two\n    cache: tools", r"models\[1\].cache: must be left out"),
        ('cached: "0.2", ', "", r"models\[0\].price.cached"),
        ('date: "2026-10-05"', "date: lately", r"models\[0\].price.date: must be a date such as 2026-01-31"),
        (
            "       source: https://example.com/prices}",
            "      }",
            r"models\[0\].price.source: must say where",
        ),
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
