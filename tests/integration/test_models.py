"""Which model answers, and with which key."""

from __future__ import annotations

import pytest

from freehold.adapters.catalog import Catalog
from freehold.adapters.models import ModelChooser, ModelSettings
from freehold.errors import ModelRejected
from freehold.values.agent import ModelChoice

GPT = ModelChoice("openai.gpt-5.5-v1")


def chooser(
    source: str, url: str = "", name: str = "", keys: tuple[str | None, ...] = ("k1",)
) -> ModelChooser:
    left = iter(keys)
    return ModelChooser(ModelSettings(source, url, name), Catalog.packaged(), lambda: next(left))


def test_the_rehearsal_stands_in_for_any_model_and_costs_nothing():
    _, entry = chooser("rehearsal").choose(GPT)

    assert entry.id == "rehearsal"
    assert entry.price is not None
    assert entry.price.input == 0


def test_a_server_is_asked_for_the_catalogs_id_and_its_price_is_not_known():
    _, entry = chooser("openai_compatible", "http://127.0.0.1:1/v1").choose(GPT)

    assert (entry.id, entry.price) == ("openai.gpt-5.5", None)


def test_a_name_that_the_server_uses_goes_before_the_agents():
    _, entry = chooser("openai_compatible", "http://127.0.0.1:1/v1", "qwen3").choose(GPT)

    assert entry.id == "qwen3"


def test_a_new_key_makes_a_new_client_and_the_same_one_does_not():
    models = chooser("openai_compatible", "http://127.0.0.1:1/v1", keys=("a", "a", "b"))

    first, again, changed = (models.choose(GPT)[0] for _ in range(3))

    assert first is again
    assert changed is not again


@pytest.mark.parametrize(
    ("models", "choice", "told"),
    [
        (chooser("catalog"), GPT, "needs the API responses"),
        (chooser("catalog"), ModelChoice("nobody-knows-it"), "needs the API"),
        (chooser("openai_compatible"), GPT, "set ModelUrl"),
    ],
)
def test_a_model_that_cannot_be_reached_is_refused_with_the_reason(
    models: ModelChooser, choice: ModelChoice, told: str
):
    with pytest.raises(ModelRejected, match=told):
        models.choose(choice)
