"""The models that an agent names: known ones, priced where that matters, that take what is asked of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from freehold.configuration.document import MODEL_APIS
from freehold.configuration.paths import at, choices, show
from freehold.configuration.tokens import tokens_of_text, tokens_of_tool
from freehold.errors import Problem
from freehold.values.agent import ModelChoice
from freehold.window import DEFAULT_WINDOW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from freehold.configuration.document import AgentDocument, FoundationModel, InferenceConfiguration
    from freehold.values.agent import Tool
    from freehold.values.model import ModelEntry

    KnownModel = Callable[[str], ModelEntry | None]

WINDOW = "contextConfiguration.windowTokens"
_FULL = "tools and instruction take about {sent:,} tokens in every model call, more than a third"
_PROFILE = re.compile(
    r"arn:aws(-[a-z-]+)?:bedrock:[a-z0-9-]+:[0-9]{12}:(application-)?inference-profile/[A-Za-z0-9.:_-]+"
)


def model_choice(model: FoundationModel, known_model: KnownModel) -> ModelChoice:
    """An inference profile is a Bedrock resource, so Converse serves one that the catalog does not know."""
    return ModelChoice(model.model, model.api or (None if known_model(model.model) else "converse"))


def model_problems(agent: AgentDocument, known_model: KnownModel) -> Iterator[Problem]:
    """What is wrong with the models of `agent`, each judged with the settings that all of them get."""
    seen: set[str] = set()
    for path, model in _named(agent):
        entry = known_model(model.model)
        name = entry.id if entry else model.model
        if name in seen:
            yield Problem(path, f"is {show(model.model)}, which is named before; a model is asked once")
        seen.add(name)
        if entry is None and model.api is None and not _PROFILE.fullmatch(model.model):
            yield Problem(
                path,
                f"is {show(model.model)}, which the catalog does not know; name its API:"
                f' {{"model": {show(model.model)}, "api": …}}, one of {choices(MODEL_APIS)}',
            )
            continue
        if agent.limits.max_cost_usd is not None and (entry is None or entry.price is None):
            yield Problem(
                "limits.maxCostUsd", f"cannot be kept: the price of {show(model.model)} is not known"
            )
        yield from _window_problems(agent, model, entry)
        yield from _settings_problems(agent, model, entry)


def model_warnings(
    agent: AgentDocument, tools: Sequence[Tool], known_model: KnownModel, region: str | None
) -> Iterator[str]:
    """What may keep a model from answering: it is not served in `region`, or its window is full from the start."""
    sent = tokens_of_text(agent.instruction) + sum(tokens_of_tool(tool) for tool in tools if tool.enabled)
    chosen = agent.context_configuration.window_tokens
    # The conversation gets 60 % of the window; the answer has to fit, too.
    if chosen and sent > chosen / 3:
        yield f"{WINDOW}: {_FULL.format(sent=sent)} of it ({chosen:,})"
    for path, model in _named(agent):
        entry = known_model(model.model)
        if chosen and chosen > DEFAULT_WINDOW and (entry is None or entry.window is None):
            unknown = f"the window of {show(model.model)} is not known and counts as {DEFAULT_WINDOW:,}"
            yield f"{WINDOW}: is {chosen:,}, but {unknown}"
        if entry is None:
            continue
        is_served_elsewhere = region is not None and entry.regions and region not in entry.regions
        if is_served_elsewhere and model.api in (None, entry.api):
            yield f"{path}: {model.model} is not offered in {region} (offered: {', '.join(entry.regions)})"
        if chosen is None and entry.window and sent > entry.window / 3:
            yield f"{path}: {_FULL.format(sent=sent)} of the window of {model.model} ({entry.window:,})"


def _named(agent: AgentDocument) -> Iterator[tuple[str, FoundationModel]]:
    """The models of `agent`, each with where it is named."""
    yield "foundationModel", agent.foundation_model
    for index, model in enumerate(agent.fallback_models):
        yield at("fallbackModels", index), model


def _window_problems(
    agent: AgentDocument, model: FoundationModel, entry: ModelEntry | None
) -> Iterator[Problem]:
    chosen = agent.context_configuration.window_tokens
    if chosen and entry and entry.window and chosen > entry.window:
        yield Problem(
            WINDOW, f"is {chosen:,}; must be at most {entry.window:,}, the window of {show(model.model)}"
        )


def _settings_problems(
    agent: AgentDocument, model: FoundationModel, entry: ModelEntry | None
) -> Iterator[Problem]:
    """Settings that the model would refuse at run time, alone or together, or leave without effect."""
    given = agent.inference_configuration
    api = model.api or (entry.api if entry else "converse")
    refused: list[tuple[str, str]] = []
    if given.stop_sequences and api == "responses":
        refused.append(("stopSequences", "takes none"))
    if entry is not None and entry.api == api:
        refused += _refused_by(entry, given)
    for field, why in dict(refused).items():
        message = f"must be left out: {show(model.model)} {why}"
        yield Problem(f"inferenceConfiguration.{field}", message)


def _refused_by(entry: ModelEntry, given: InferenceConfiguration) -> Iterator[tuple[str, str]]:
    effort, on_bedrock = given.reasoning_effort, entry.api in ("converse", "responses")
    if given.stop_sequences and entry.api == "converse" and "openai." in entry.id:
        yield "stopSequences", "takes none"
    if effort is not None and entry.effort is None and on_bedrock:
        yield "reasoningEffort", "cannot be told how much to think"
    highest_nova = entry.effort == "nova" and effort in ("high", "xhigh")
    if highest_nova and given.maximum_length is not None:
        yield "maximumLength", f"refuses it beside the reasoningEffort {effort}"
    thinks = effort not in (None, "none") and (entry.effort == "anthropic" or entry.api == "responses")
    sampling = {"temperature": given.temperature, "topP": given.top_p}
    sampled = [name for name, value in sampling.items() if value is not None]
    for name in sampled:
        if entry.sampling == "none":
            yield name, "refuses it"
        elif thinks or highest_nova:
            yield name, f"refuses it beside the reasoningEffort {effort}"
    if entry.sampling == "one" and len(sampled) > 1 and not thinks:
        yield "topP", "takes it or temperature, not both"
