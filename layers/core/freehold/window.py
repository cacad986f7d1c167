"""Keep a conversation within the model's window, so that no answer and no history can make a session unusable."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .tokens import first_tokens, tokens
from .value import Value, replace
from .values.agent import Context
from .values.model import AssistantMessage, Message, ToolMessage, ToolOutcome, UserMessage

Turn = tuple[Message, ...]

DEFAULT_WINDOW = 128_000
# Of the window, for what a request has beside its texts, and for a tokenizer that was judged wrongly.
MARGIN = 0.05
# Kept for the answer: the agent's `maximumLength`, or where it sets none so many and at most a quarter of the window.
ANSWER_TOKENS, ANSWER_SHARE = 8_000, 0.25
# However much instruction and tools take, this much is left to the conversation.
LEAST_SHARE = 0.1
# No single tool result takes more of the window, and those of one lap together no more than that.
RESULT_SHARE, RESULTS_SHARE = 0.15, 0.3
# Providers count up to about 1,600 tokens for a picture, however many bytes it has.
TOKENS_PER_IMAGE = 1_600
# Roles, names and brackets around each message and call.
TOKENS_PER_PART = 6
# Providers bound both, and a Lambda's memory holds each image several times over while it is sent.
MOST_IMAGES, MOST_IMAGE_BYTES = 20, 8_000_000
NOT_SEEN = "[{count} image(s) came with this message and cannot be shown to you]"
CUT = "\n[… cut here: {left:,} of {all:,} characters are not shown{how} …]"
READ_MORE = '; read_more {{"call": "{call}", "from": {start}}} reads on'
LEFT_OUT = "[{count} steps that followed this message are not shown]"


class Budget(Value):
    """What a request may take. `window` is the model's own count; the others are tokens as `tokens` counts them.

    `history` is what messages may take, `full` where the oldest of them are to be compacted.
    """

    window: int
    history: int
    full: int

    @classmethod
    def of(
        cls,
        model_window: int | None,
        settings: Context,
        *,
        fixed: int,
        answer: int | None,
        ratio: float = 1.0,
        share: float = 1.0,
    ) -> Budget:
        """For a model with that window; an unknown one counts as 128,000.

        `fixed` is what instruction and tools take. `ratio` is how many tokens the model counts for one of ours.
        """
        window = window_of(model_window, settings)
        reply = min(ANSWER_TOKENS, int(window * ANSWER_SHARE)) if answer is None else answer
        usable = (int(window * share * (1 - MARGIN)) - reply) / ratio - fixed
        history = int(max(usable, window * share * LEAST_SHARE / ratio))
        return cls(window, history, min(history, int(window * settings.compact_at / ratio)))


def window_of(model_window: int | None, settings: Context) -> int:
    """In the model's tokens: what the agent allows of what the model has."""
    own = model_window or DEFAULT_WINDOW
    return own if settings.window_tokens is None else min(own, settings.window_tokens)


def shortened(turn: Turn, window: int, *, reads_on: bool = False) -> Turn:
    """With long tool results cut at a marked place; `reads_on` where a tool can read the rest.

    It depends on nothing but the window, so that what was sent once is sent again to the letter.
    """
    one, all_of_them = int(window * RESULT_SHARE), int(window * RESULTS_SHARE)
    return tuple(
        _shortened(message, one, all_of_them, reads_on=reads_on)
        if isinstance(message, ToolMessage)
        else message
        for message in turn
    )


def fit(past: Sequence[Turn], current: Turn, most: int) -> Turn:
    """The newest that fits `most` tokens. A tool call is never parted from its result, nor a turn from its question.

    What the present turn asks, and its last step, always stay.
    """
    kept = [_newest(current, most, always_last=True)]
    left = most - count(kept[0])
    whole = len(kept[0]) == len(current)
    for turn in reversed(past) if whole else ():
        told = _newest(turn, left)
        if told:
            kept.append(told)
            left -= count(told)
        if len(told) < len(turn):
            break
    return tuple(message for turn in reversed(kept) for message in turn)


def steps(turn: Turn) -> Iterator[Turn]:
    """What follows a turn's question, in parts that stay together: a reply, with the results of its calls."""
    step: list[Message] = []
    for message in turn[1:]:
        if isinstance(message, AssistantMessage) and step:
            yield tuple(step)
            step = []
        step.append(message)
    if step:
        yield tuple(step)


def _newest(turn: Turn, most: int, *, always_last: bool = False) -> Turn:
    """As much of the turn as fits, its question first; nothing where not even its last step does."""
    if count(turn) <= most:
        return turn
    question, *_ = turn
    every, kept = list(steps(turn)), list[Turn]()
    left = most - count((question,)) - tokens(LEFT_OUT)
    for step in reversed(every):
        left -= count(step)
        if left < 0 and not (always_last and not kept):
            break
        kept.append(step)
    if not kept:
        return turn if always_last else ()
    told = _with_note(question, len(every) - len(kept))
    return (told, *(message for step in reversed(kept) for message in step))


def _with_note(question: Message, left_out: int) -> Message:
    if not left_out or not isinstance(question, UserMessage):
        return question
    return replace(question, text=f"{question.text}\n\n{LEFT_OUT.format(count=left_out)}")


def with_newest_images(messages: Turn, *, share: float = 1.0) -> Turn:
    """Only as many images as a request may hold, the newest; in place of others stands that they were there."""
    count, size = MOST_IMAGES * share, MOST_IMAGE_BYTES * share
    told: list[Message] = []
    for message in reversed(messages):
        if isinstance(message, UserMessage) and message.images:
            count -= len(message.images)
            size -= sum(image.size for image in message.images)
            message = message if min(count, size) >= 0 else without_images(message)  # noqa: PLW2901
        told.append(message)
    return tuple(reversed(told))


def without_images(message: UserMessage) -> UserMessage:
    """The message, with a note in place of its images."""
    return UserMessage(f"{message.text}\n\n{NOT_SEEN.format(count=len(message.images))}".strip())


def count(turn: Sequence[Message]) -> int:
    """Tokens of the messages."""
    return sum(_count(message) for message in turn)


def _count(message: Message) -> int:
    match message:
        case UserMessage():
            return tokens(message.text) + len(message.images) * TOKENS_PER_IMAGE + TOKENS_PER_PART
        case AssistantMessage():
            calls = sum(tokens(use.name) + tokens(use.arguments) + TOKENS_PER_PART for use in message.calls)
            return tokens(message.text) + calls + tokens(message.reasoning or "") + TOKENS_PER_PART
        case ToolMessage():
            return sum(tokens(outcome.content) + TOKENS_PER_PART for outcome in message.outcomes)


def _shortened(message: ToolMessage, one: int, all_of_them: int, *, reads_on: bool) -> ToolMessage:
    sizes = [min(tokens(outcome.content), one) for outcome in message.outcomes]
    most = _level(sizes, all_of_them)
    return replace(
        message, outcomes=tuple(_cut(outcome, most, reads_on=reads_on) for outcome in message.outcomes)
    )


def _level(sizes: Sequence[int], together: int) -> int:
    """The most that each may have, so that all have no more than `together`: what the small ones leave, others get."""
    left, most = together, max(sizes, default=0)
    for taken, size in enumerate(sorted(sizes)):
        most = left // (len(sizes) - taken)
        if size > most:
            return most
        left -= size
    return max(sizes, default=0)


def _cut(outcome: ToolOutcome, most: int, *, reads_on: bool) -> ToolOutcome:
    shown = first_tokens(outcome.content, most)
    if len(shown) == len(outcome.content):
        return outcome
    how = READ_MORE.format(call=outcome.id, start=len(shown)) if reads_on else ""
    left = len(outcome.content) - len(shown)
    return replace(outcome, content=shown + CUT.format(left=left, all=len(outcome.content), how=how))
