"""One reply from an agent's models: the first that can answer now, in the order in which the agent names them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from . import context
from .decide import MODEL_TIMEOUT_SECONDS
from .errors import ContextTooLong, ModelRejected, ModelThrottled, ModelUnavailable
from .ports import Model, Models
from .values.agent import Agent, ModelChoice
from .values.model import Image, Message, ModelEntry, ModelReply, ModelRequest, UserMessage
from .values.run import Fallback, History

MIN_MODEL_TIMEOUT_SECONDS = 5
# What a model gets of the time that is left where another could still take over from it.
SHARE_BEFORE_FALLBACK = 0.6
# A window is judged by characters, so a model may find too long what should have fitted.
WINDOW_SHARES, LEAST_WINDOW_SHARE = (1.0, 0.5), 0.25


@dataclass(frozen=True, slots=True)
class Conversation:
    """What an agent's models are to answer. `image` gives a stored image its bytes."""

    agent: Agent
    past: Sequence[History]
    current: History
    image: Callable[[Image], Image]

    def request(self, entry: ModelEntry, *, share: float, seconds: float) -> ModelRequest:
        """As the model of `entry` is asked, with what fits that `share` of its window."""
        told = context.messages(self.past, self.current, entry, share=share)
        return ModelRequest(
            model=entry.id,
            instruction=context.instruction(self.agent, self.current.prompt_session_attributes),
            messages=tuple(self._with_images(message) for message in told),
            tools=context.tool_specs(self.agent),
            inference=self.agent.inference,
            timeout_seconds=max(MIN_MODEL_TIMEOUT_SECONDS, min(MODEL_TIMEOUT_SECONDS, seconds)),
        )

    def _with_images(self, message: Message) -> Message:
        if not isinstance(message, UserMessage) or not message.images:
            return message
        return replace(message, images=tuple(self.image(each) for each in message.images))


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply and the catalog row of the model that gave it."""

    entry: ModelEntry
    reply: ModelReply
    fallback: Fallback | None = None


def ask(conversation: Conversation, models: Models, *, now: Callable[[], int], until: int) -> Answer:
    """Ask one model after the other; `until` (epoch ms) bounds them all.

    Raises what the last model met. Only throttling and outages lead to the next one: what a model rejects is the
    request's own fault.
    """
    agent = conversation.agent
    fallback: Fallback | None = None
    *others, last = agent.models
    for choice in others:
        model, entry = _priced(agent, choice, models)
        try:
            seconds = (until - now()) / 1000 * SHARE_BEFORE_FALLBACK
            return Answer(entry, _reply(conversation, model, entry, seconds=seconds), fallback)
        except (ModelThrottled, ModelUnavailable) as error:
            fallback = Fallback(entry.id, type(error).__name__)
    model, entry = _priced(agent, last, models)
    return Answer(entry, _reply(conversation, model, entry, seconds=(until - now()) / 1000), fallback)


def _priced(agent: Agent, choice: ModelChoice, models: Models) -> tuple[Model, ModelEntry]:
    model, entry = models.choose(choice)
    if agent.limits.max_cost_usd is not None and entry.price is None:
        raise ModelRejected(f"limits.maxCostUsd needs a model with a known price; {entry.id} has none")
    return model, entry


def _reply(conversation: Conversation, model: Model, entry: ModelEntry, *, seconds: float) -> ModelReply:
    """With less of the conversation, and less again, where the model finds it too long."""
    for share in WINDOW_SHARES:
        with suppress(ContextTooLong):
            return model.reply(conversation.request(entry, share=share, seconds=seconds))
    return model.reply(conversation.request(entry, share=LEAST_WINDOW_SHARE, seconds=seconds))
