"""One reply from an agent's models: the first that can answer now, in the order in which the agent names them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from .decide import MODEL_TIMEOUT_SECONDS
from .errors import ContextTooLong, FreeholdError, ModelRejected, ModelThrottled, ModelUnavailable
from .ports import Model, Models
from .telling import Audience
from .value import Value
from .values.agent import Agent, ModelChoice
from .values.model import ModelEntry, ModelReply, ModelRequest
from .values.run import Fallback

MIN_MODEL_TIMEOUT_SECONDS = 5
# What a model gets of the time that is left where another could still take over from it.
SHARE_BEFORE_FALLBACK = 0.6
# A model counts tokens in its own way, so it may find too long what should have fitted.
WINDOW_SHARES = (1.0, 0.5, 0.25)


class Question(Protocol):
    """What an agent's models are asked."""

    @property
    def agent(self) -> Agent: ...

    def request(self, entry: ModelEntry, *, share: float, seconds: float) -> ModelRequest:
        """As the model of `entry` is asked, with what fits that `share` of its window."""
        ...


class Answer(Value):
    """A reply, the catalog row of the model that gave it, and what it was asked.

    `attempt` names the attempt that was told as it came; blank where none was.
    """

    entry: ModelEntry
    reply: ModelReply
    request: ModelRequest
    fallback: Fallback | None = None
    attempt: str = ""


def ask(
    question: Question,
    models: Models,
    *,
    now: Callable[[], int],
    until: int,
    audience: Audience | None = None,
) -> Answer:
    """Ask one model after the other, as long as there is time; `until` (epoch ms) bounds them all.

    Throttling and outages lead to the next model. What the first one rejects is the request's own fault and goes to no
    other; one that cannot take over is passed by. Raises the last throttling or outage: the state machine waits
    and begins anew. The text is told to the `audience` as it comes.
    """
    passing: FreeholdError | None = None
    fallback: Fallback | None = None
    choices = question.agent.models
    for choice in choices:
        left = until - now()
        if passing is not None and left < MIN_MODEL_TIMEOUT_SECONDS * 1000:
            break
        ends = now() + int(left * (1 if choice is choices[-1] else SHARE_BEFORE_FALLBACK))
        try:
            return _answer(
                question, choice, models, now=now, until=ends, fallback=fallback, audience=audience
            )
        except (ModelThrottled, ModelUnavailable) as error:
            passing = error
            fallback = Fallback(choice.model, type(error).__name__)
        except ModelRejected as error:
            if passing is None:
                raise
            fallback = Fallback(choice.model, type(error).__name__)
    raise passing or AssertionError("an agent has at least one model")


def _answer(
    question: Question,
    choice: ModelChoice,
    models: Models,
    *,
    now: Callable[[], int],
    until: int,
    fallback: Fallback | None,
    audience: Audience | None,
) -> Answer:
    """With less of the conversation, and less again, where the model finds it too long."""
    model, entry = models.choose(choice)
    if question.agent.limits.max_cost_usd is not None and entry.price is None:
        raise ModelRejected(f"limits.maxCostUsd needs a model with a known price; {entry.id} has none")
    too_long: ContextTooLong | None = None
    for share in WINDOW_SHARES:
        seconds = (until - now()) / 1000
        if too_long is not None and seconds < MIN_MODEL_TIMEOUT_SECONDS:
            break
        bounded = max(MIN_MODEL_TIMEOUT_SECONDS, min(MODEL_TIMEOUT_SECONDS, seconds))
        request = question.request(entry, share=share, seconds=bounded)
        try:
            return _told(model, entry, request, fallback, audience)
        except ContextTooLong as error:
            too_long = error
    raise too_long or AssertionError("there is at least one share")


def _told(
    model: Model,
    entry: ModelEntry,
    request: ModelRequest,
    fallback: Fallback | None,
    audience: Audience | None,
) -> Answer:
    if audience is None:
        return Answer(entry, model.reply(request), request, fallback)
    telling = audience.attempt()
    reply = model.reply(request, telling.tell)
    telling.end()
    return Answer(entry, reply, request, fallback, telling.name)
