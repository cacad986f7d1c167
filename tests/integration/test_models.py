"""Which model answers, and with which key."""

from __future__ import annotations

import boto3
import pytest

from freehold.adapters.bedrock_http import BedrockHttp
from freehold.adapters.catalog import Catalog
from freehold.adapters.converse import Converse
from freehold.adapters.models import Bedrock, ModelChooser, ModelSettings
from freehold.adapters.responses import Responses
from freehold.errors import ModelRejected
from freehold.values.agent import ModelChoice

GPT = ModelChoice("openai.gpt-5.5-v1")


def chooser(
    source: str, url: str = "", name: str = "", keys: tuple[str | None, ...] = ("k1",)
) -> ModelChooser:
    left = iter(keys)
    bedrock = Bedrock(
        lambda seconds: boto3.client("bedrock-runtime"), lambda: BedrockHttp(lambda: None, "us-east-1", {})
    )
    return ModelChooser(ModelSettings(source, url, name), Catalog.packaged(), lambda: next(left), bedrock)


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
    ("choice", "adapter", "model"),
    [
        (GPT, Responses, "openai.gpt-5.5"),
        (ModelChoice("global.anthropic.claude-opus-4-8"), Converse, "global.anthropic.claude-opus-4-8"),
        (
            ModelChoice("arn:aws:bedrock:us-east-1:123456789012:inference-profile/x", "converse"),
            Converse,
            "arn:aws:bed",
        ),
        (ModelChoice("nobody.knows-it", "responses"), Responses, "nobody.knows-it"),
    ],
)
def test_each_model_of_the_catalog_is_asked_over_its_own_api(choice: ModelChoice, adapter: type, model: str):
    chosen, entry = chooser("catalog").choose(choice)

    assert isinstance(chosen, adapter)
    assert entry.id.startswith(model)


def test_what_is_not_in_the_catalog_has_no_price():
    _, entry = chooser("catalog").choose(ModelChoice("nobody.knows-it", "converse"))

    assert entry.price is None


@pytest.mark.parametrize(
    ("models", "choice", "told"),
    [
        (chooser("catalog"), ModelChoice("nobody-knows-it"), "the agent names no API"),
        (chooser("openai_compatible"), GPT, "set ModelUrl"),
    ],
)
def test_a_model_that_cannot_be_reached_is_refused_with_the_reason(
    models: ModelChooser, choice: ModelChoice, told: str
):
    with pytest.raises(ModelRejected, match=told):
        models.choose(choice)
