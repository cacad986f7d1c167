"""The models that an agent names, and the settings that each of them has to take."""

from __future__ import annotations

import json
from typing import Any

import pytest

from freehold.configuration import compile_agent
from freehold.configuration.document import AgentDocument
from freehold.configuration.models import model_problems
from freehold.values.agent import ModelChoice
from freehold.values.model import ModelEntry

from .conftest import PRICE, Workbench

GPT, OSS, CLAUDE = "openai.gpt-5.5", "openai.gpt-oss", "anthropic.claude"
OPUS, NOVA = "anthropic.claude-opus", "amazon.nova-2"
CATALOG = {
    "openai.gpt-5.5-v1": ModelEntry(
        GPT, "responses", price=PRICE, sampling="none", effort="reasoning_effort"
    ),
    GPT: ModelEntry(GPT, "responses", price=PRICE, sampling="none", effort="reasoning_effort"),
    OSS: ModelEntry(OSS, "converse", price=PRICE, effort="reasoning_effort"),
    CLAUDE: ModelEntry(CLAUDE, "converse"),
    OPUS: ModelEntry(OPUS, "converse", sampling="one", effort="anthropic"),
    NOVA: ModelEntry(NOVA, "converse", effort="nova"),
    "openai.gpt-5.4": ModelEntry("openai.gpt-5.4", "responses", effort="reasoning_effort"),
}


def problems(bench: Workbench, **changed: Any) -> list[tuple[str, str]]:
    document = AgentDocument.model_validate(bench.document(**changed))
    return [(problem.path, problem.message) for problem in model_problems(document, CATALOG.get)]


def test_fallback_models_are_named_as_the_first_one_is(bench: Workbench):
    profile = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc"
    others = [OSS, {"model": "llama", "api": "openai_compatible"}, profile]
    document = bench.document(fallbackModels=others)

    agent = compile_agent(document, name=None, schemas=bench.bucket, known_model=CATALOG.get).agent

    assert agent.models == (
        ModelChoice("openai.gpt-5.5-v1"),
        ModelChoice(OSS),
        ModelChoice("llama", "openai_compatible"),
        ModelChoice(profile, "converse"),
    )


def test_an_unknown_fallback_is_refused_where_it_stands(bench: Workbench):
    ((path, message),) = problems(bench, fallbackModels=[OSS, "gpt-9"])

    assert path == "fallbackModels[1]"
    assert "name its API" in message


@pytest.mark.parametrize("again", [GPT, "openai.gpt-5.5-v1"])
def test_a_model_is_named_once_under_whatever_name(bench: Workbench, again: str):
    ((path, message),) = problems(bench, fallbackModels=[again])

    assert path == "fallbackModels[0]"
    assert "named before" in message


def test_more_than_five_are_refused(bench: Workbench):
    (problem,) = bench.problems(
        bench.document(fallbackModels=[{"model": str(i), "api": "converse"} for i in range(6)])
    )

    assert (problem.path, "at most 5" in problem.message) == ("fallbackModels", True)


def test_a_money_limit_needs_the_price_of_every_model(bench: Workbench):
    ((path, message),) = problems(bench, fallbackModels=[OSS, CLAUDE], limits={"maxCostUsd": 1})

    assert path == "limits.maxCostUsd"
    assert CLAUDE in message


@pytest.mark.parametrize(
    ("setting", "value", "others", "refused_by"),
    [
        ("temperature", 0.5, [], "openai.gpt-5.5-v1"),
        ("topP", 0.5, [OSS], "openai.gpt-5.5-v1"),
        ("stopSequences", ["END"], [NOVA], "openai.gpt-5.5-v1"),
        ("reasoningEffort", "low", [OSS, CLAUDE], CLAUDE),
    ],
)
def test_a_setting_that_one_of_the_models_does_not_take_is_refused(
    bench: Workbench, setting: str, value: Any, others: list[str], refused_by: str
):
    ((path, message),) = problems(bench, fallbackModels=others, inferenceConfiguration={setting: value})

    assert path == f"inferenceConfiguration.{setting}"
    assert refused_by in message


def test_a_setting_that_all_of_them_take_is_kept(bench: Workbench):
    given = {"temperature": 0.5, "topP": 0.5, "stopSequences": ["END"]}

    assert problems(bench, foundationModel=NOVA, fallbackModels=[CLAUDE], inferenceConfiguration=given) == []


@pytest.mark.parametrize(
    ("model", "given", "refused"),
    [
        (OPUS, {"temperature": 0.5, "topP": 0.5}, ["topP"]),
        (OPUS, {"temperature": 0.5, "reasoningEffort": "none"}, []),
        (OPUS, {"temperature": 0.5, "topP": 0.5, "reasoningEffort": "low"}, ["temperature", "topP"]),
        (NOVA, {"temperature": 0.5, "reasoningEffort": "low", "maximumLength": 9}, []),
        (NOVA, {"topP": 0.5, "reasoningEffort": "high", "maximumLength": 9}, ["maximumLength", "topP"]),
        (OSS, {"temperature": 0.5, "reasoningEffort": "high"}, []),
        (OSS, {"stopSequences": ["END"]}, ["stopSequences"]),
        ("openai.gpt-5.4", {"temperature": 0.5}, []),
        ("openai.gpt-5.4", {"temperature": 0.5, "reasoningEffort": "low"}, ["temperature"]),
    ],
)
def test_settings_that_a_model_takes_alone_and_not_together(
    bench: Workbench, model: str, given: dict[str, Any], refused: list[str]
):
    found = problems(bench, foundationModel=model, inferenceConfiguration=given)

    assert [path for path, _ in found] == [f"inferenceConfiguration.{name}" for name in refused]


SERVED = {
    "us.model": ModelEntry("us.model", "converse", regions=("us-east-1", "us-west-2")),
    "eu.model": ModelEntry("eu.model", "converse", regions=("eu-west-1",)),
    "unchecked": ModelEntry("unchecked", "converse"),
    "small": ModelEntry("small", "converse", window=3_000),
    "large": ModelEntry("large", "converse", window=3_004),
}


@pytest.mark.parametrize(
    ("tokens", "models", "refused"),
    [
        (3_000, ["small"], None),
        (3_001, ["small"], ("3,000", "small")),
        (3_002, ["large", "unchecked", "small"], ("3,000", "small")),
        (3_004, ["large", "unchecked", {"model": "mine", "api": "openai_compatible"}], None),
    ],
)
def test_a_window_that_is_larger_than_that_of_one_of_the_models_is_refused(
    bench: Workbench, tokens: int, models: list[Any], refused: tuple[str, str] | None
):
    document = AgentDocument.model_validate(
        bench.document(
            foundationModel=models[0],
            fallbackModels=models[1:],
            contextConfiguration={"windowTokens": tokens},
        )
    )

    found = list(model_problems(document, SERVED.get))

    assert [problem.path for problem in found] == ["contextConfiguration.windowTokens"] * bool(refused)
    assert all(f'at most {refused[0]}, the window of "{refused[1]}"' in p.message for p in found if refused)


def warnings(bench: Workbench, region: str | None, **changed: Any) -> tuple[str, ...]:
    return compile_agent(
        bench.document(**changed), name=None, schemas=bench.bucket, known_model=SERVED.get, region=region
    ).warnings


def test_a_model_that_the_region_does_not_offer_is_warned_of(bench: Workbench):
    found = warnings(bench, "eu-west-1", foundationModel="us.model", fallbackModels=["eu.model", "unchecked"])
    both = warnings(bench, "eu-central-1", foundationModel="us.model", fallbackModels=["eu.model"])

    assert found == ("foundationModel: us.model is not offered in eu-west-1 (offered: us-east-1, us-west-2)",)
    assert both[1] == "fallbackModels[0]: eu.model is not offered in eu-central-1 (offered: eu-west-1)"


@pytest.mark.parametrize(
    ("region", "model"),
    [
        (None, "us.model"),
        ("us-west-2", "us.model"),
        ("eu-west-1", "unchecked"),
        ("eu-west-1", {"model": "somebody.new", "api": "converse"}),
        ("eu-west-1", {"model": "us.model", "api": "openai_compatible"}),
    ],
)
def test_nothing_is_said_of_a_region_where_nothing_is_known_or_it_has_no_say(
    bench: Workbench, region: str | None, model: Any
):
    assert warnings(bench, region, foundationModel=model) == ()


@pytest.mark.parametrize(
    ("state", "models", "warned"),
    [
        ("ENABLED", ["small"], "foundationModel: tools and instruction take about 1,001 tokens"),
        (
            "ENABLED",
            ["large", "unchecked", "small"],
            "fallbackModels[1]: tools and instruction take about 1,001",
        ),
        ("ENABLED", ["large", "unchecked"], None),
        ("DISABLED", ["small"], None),
    ],
)
def test_tools_that_take_more_than_a_third_of_a_window_are_warned_of(
    bench: Workbench, state: str, models: list[str], warned: str | None
):
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    sent = {"name": "look", "description": "", "parameters": schema}
    length = 4 * 101 - len(json.dumps(sent, separators=(",", ":")))
    functions = {"functions": [{"name": "look", "description": "y" * length}]}

    found = warnings(
        bench,
        None,
        instruction="x" * 4 * 900,
        foundationModel=models[0],
        fallbackModels=models[1:],
        actionGroups=[bench.group(functionSchema=functions, actionGroupState=state)],
    )

    assert len(found) == bool(warned)
    assert all(line.startswith(warned) for line in found if warned)


def test_of_a_model_that_is_not_in_the_catalog_nothing_is_known_that_could_refuse_a_setting(bench: Workbench):
    given = {"temperature": 0.5, "reasoningEffort": "low"}
    model = {"model": "somebody.new", "api": "converse"}

    assert problems(bench, foundationModel=model, inferenceConfiguration=given) == []


@pytest.mark.parametrize(("tokens", "warned"), [(666, False), (667, True), (1_100, True)])
def test_a_chosen_window_is_warned_of_once_and_in_place_of_the_models(
    bench: Workbench, tokens: int, warned: bool
):
    found = warnings(
        bench,
        None,
        instruction="x" * 4 * tokens,
        foundationModel="large",
        fallbackModels=["small", "unchecked"],
        contextConfiguration={"windowTokens": 2_000},
    )

    told = (
        f"contextConfiguration.windowTokens: tools and instruction take about {tokens:,} tokens in every model call,"
        " more than a third of it (2,000)"
    )
    assert found == ((told,) if warned else ())


@pytest.mark.parametrize(
    ("model", "tokens", "warned"),
    [
        ({"model": "mine", "api": "openai_compatible"}, 128_000, False),
        ({"model": "mine", "api": "openai_compatible"}, 128_001, True),
        ("unchecked", 200_000, True),
    ],
)
def test_a_chosen_window_that_a_model_of_unknown_window_cannot_get_is_warned_of(
    bench: Workbench, model: Any, tokens: int, warned: bool
):
    found = warnings(bench, None, foundationModel=model, contextConfiguration={"windowTokens": tokens})

    name = model if isinstance(model, str) else model["model"]
    told = (
        f"contextConfiguration.windowTokens: is {tokens:,}, but the window of"
        f' "{name}" is not known and counts as 128,000'
    )
    assert found == ((told,) if warned else ())
