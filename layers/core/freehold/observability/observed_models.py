"""Models, and those who watch what they write, as `observed` has the other ports."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any

from ..errors import FreeholdError, ModelRejected, ModelThrottled, ModelUnavailable
from .observed import as_json, milliseconds_since

if TYPE_CHECKING:
    from ..ports import LiveTexts, Model, Models, Tell
    from ..values.agent import ModelChoice
    from ..values.live import Piece
    from ..values.model import Message, ModelEntry, ModelReply, ModelRequest
    from ..values.run import RunKey
    from .invocation import Telemetry

# All models that only agents know share one dimension: tenants could name no end of them.
UNLISTED = "other"


def dimension(entry: ModelEntry) -> str:
    return entry.id if entry.listed else UNLISTED


class ObservedModels:
    """`Models`. One that is chosen after another in an invocation is a fallback."""

    def __init__(self, models: Models, telemetry: Telemetry) -> None:
        self._models, self._telemetry = models, telemetry
        self._chosen: ModelChoice | None = None

    def choose(self, choice: ModelChoice) -> tuple[Model, ModelEntry]:
        model, entry = self._models.choose(choice)
        self._telemetry.note(model_id=entry.id)
        if self._chosen not in (None, choice):
            self._telemetry.count("ModelFallbacks", model=dimension(entry))
        self._chosen = choice
        return ObservedModel(model, entry, self._telemetry), entry


class ObservedModel:
    """`Model`. A reply is counted when it comes: it is billed whether or not its lap is written."""

    def __init__(self, model: Model, entry: ModelEntry, telemetry: Telemetry) -> None:
        self._model, self._entry, self._telemetry = model, entry, telemetry

    def reply(self, request: ModelRequest, tell: Tell | None = None) -> ModelReply:
        said = self._telemetry.content
        said("model request", request=lambda: as_json(_news(request.messages)))
        began = perf_counter()
        try:
            with self._telemetry.segment(self._entry.id, remote=True, model=self._entry.id):
                reply = self._model.reply(request, tell)
        except ModelThrottled:
            self._count("ModelThrottled")
            raise
        except ModelUnavailable:
            self._count("ModelUnavailable")
            raise
        except ModelRejected:
            self._count("ModelRejected")
            raise
        self._count("ModelLatency", milliseconds_since(began))
        self._count_usage(reply)
        said("model reply", reply=lambda: as_json(reply))
        return reply

    def _count_usage(self, reply: ModelReply) -> None:
        self._count("InputTokens", reply.usage.input_tokens)
        self._count("OutputTokens", reply.usage.output_tokens)
        self._count("CachedTokens", reply.usage.cached_tokens)
        if self._entry.price is not None:
            self._count("CostUsd", float(self._entry.price.cost(reply.usage)))

    def _count(self, name: str, value: float = 1) -> None:
        self._telemetry.count(name, value, model=dimension(self._entry))


class ObservedLiveTexts:
    """`LiveTexts`. What fails here harms no run, so that this line is all that is ever heard of it."""

    def __init__(self, live: LiveTexts, telemetry: Telemetry) -> None:
        self._live, self._telemetry = live, telemetry

    def __getattr__(self, name: str) -> Any:
        return getattr(self._live, name)

    def watched(self, key: RunKey, *, now: int) -> bool:
        try:
            return self._live.watched(key, now=now)
        except FreeholdError:
            self._warn()
            raise

    def write(self, key: RunKey, piece: Piece, *, now: int) -> None:
        try:
            self._live.write(key, piece, now=now)
        except FreeholdError:
            self._warn()
            raise

    def _warn(self) -> None:
        self._telemetry.logger.warning("the reply is not told as it comes", exc_info=True)


def _news(messages: Sequence[Message]) -> Sequence[Message]:
    """What was said since the model's last reply: the rest was logged with the laps before."""
    from ..values.model import AssistantMessage

    replies = [i for i, message in enumerate(messages) if isinstance(message, AssistantMessage)]
    return messages[replies[-1] + 1 if replies else 0 :]
