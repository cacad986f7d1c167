"""Replays over HTTP: a run once more, on another model."""

from __future__ import annotations

import hashlib
import json
import uuid
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from ulid import ULID

from .. import wiring
from ..errors import Invalid
from ..replaying import ReplayCollaborators, begin_replay
from ..values.agent import ModelChoice
from ..values.run import Run
from . import requests, runs
from .call import Call
from .shapes import Json

SHOWN = 60


class ModelBody(requests.Body):
    """The model as an agent names it; `api` is needed for one that the catalog does not know."""

    model: Annotated[str, Field(min_length=1, max_length=2048)]
    api: Literal["converse", "responses", "openai_compatible", "rehearsal"] | None = None


def _named(value: Any) -> Any:
    return {"model": value} if isinstance(value, str) else value


class ReplayBody(requests.Body):
    """`POST /runs/{run}/replays`."""

    model: Annotated[ModelBody, BeforeValidator(_named)]
    waitSeconds: Annotated[int, Field(ge=0, le=25)] = 0  # noqa: N815


def start(call: Call) -> tuple[Json, int]:
    """Begin and start a replay: 202 with its ids, or 200 with the whole of it if it ended within `waitSeconds`."""
    caller = call.caller.needs("run")
    asked = requests.read(ReplayBody, requests.document(call.body))
    choice, key = _choice(asked.model), runs.find(caller, call["run_id"]).key
    run = begin_replay(key, caller.principal, _beginning(choice), idempotency=_idempotency(call, choice))
    return runs.started(run, wait_seconds=asked.waitSeconds)


def _idempotency(call: Call, choice: ModelChoice) -> tuple[str, str] | None:
    """As of a run, which the replay is: written with it, and answered with what has become of it."""
    key = requests.idempotency_key(call.idempotency_key)
    told = json.dumps(["replay", call["run_id"], choice.model, choice.api])
    return (key, hashlib.sha256(told.encode()).hexdigest()) if key is not None else None


def _choice(asked: ModelBody) -> ModelChoice:
    """Raises `Invalid` for a model that nobody could say how to reach."""
    api: str | None = asked.api
    if api is None and asked.model.startswith("arn:"):
        # An inference profile is a resource of Bedrock's, which Converse serves.
        api = "converse"
    if api is None and wiring.catalog().find(asked.model) is None:
        close = wiring.catalog().close_to(asked.model)
        hint = f" Did you mean {' or '.join(close)}?" if close else ""
        raise Invalid(
            f'{asked.model[:SHOWN]!r} is not in the catalog.{hint} Name its API: {{"model": …, "api": …}},'
            " one of converse, responses, openai_compatible and rehearsal",
            path="model",
        )
    return ModelChoice(asked.model, api)


def _beginning(choice: ModelChoice) -> ReplayCollaborators:
    def pin(original: Run) -> str:
        _check(choice, original)
        run = (original.tenant, original.agent, original.agent_digest)
        return wiring.agents().replay_snapshot(*run, choice)

    return ReplayCollaborators(
        sessions=wiring.sessions(),
        agents=wiring.agents(),
        pin=pin,
        now=wiring.now,
        new_conversation=lambda: str(ULID()),
        new_session_id=lambda: uuid.uuid4().hex,
    )


def _check(choice: ModelChoice, original: Run) -> None:
    """Raises `Invalid` where the catalog knows that this model cannot answer what the run was asked."""
    agent = wiring.agents().snapshot(original.tenant, original.agent, original.agent_digest)
    entry, name = wiring.catalog().find(choice.model), choice.model[:SHOWN]
    if agent.limits.max_cost_usd is not None and (entry is None or entry.price is None):
        raise Invalid(
            f"the price of {name} is not known, so the agent's limits.maxCostUsd could not be kept",
            path="model",
        )
    if original.images and entry is not None and not entry.images:
        raise Invalid(f"{name} takes no images, and the run was given some", path="model")
