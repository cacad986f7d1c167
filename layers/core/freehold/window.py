"""Keep a conversation within the model's window, so that no answer and no history can make a session unusable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .values.model import AssistantMessage, Message, ToolMessage, ToolOutcome, UserMessage

Turn = tuple[Message, ...]

# English has about four characters a token; code, numbers and other scripts have fewer.
CHARACTERS_PER_TOKEN = 3
# Providers count up to about 1,600 tokens for a picture, however many bytes it has.
CHARACTERS_PER_IMAGE = 1_600 * CHARACTERS_PER_TOKEN
DEFAULT_WINDOW = 128_000
# What is left of the window for instruction, tools and the answer.
HISTORY_SHARE = 0.6
# No single tool result takes more than this share of the history.
RESULT_SHARE = 0.25
# Providers bound both, and a Lambda's memory holds each image several times over while it is sent.
MOST_IMAGES, MOST_IMAGE_BYTES = 20, 8_000_000
NOT_SEEN = "[{count} image(s) came with this message and cannot be shown to you]"
CUT = "\n[… cut here: {left} of {all} characters are not shown …]"
DROPPED = "[not shown any more: {all} characters]"


def budget(window: int | None) -> int:
    """Characters of history that fit a window of that many tokens; an unknown one counts as 128,000."""
    return int((window or DEFAULT_WINDOW) * CHARACTERS_PER_TOKEN * HISTORY_SHARE)


def fit(past: Sequence[Turn], current: Turn, *, characters: int) -> Turn:
    """The newest turns that fit, whole; long results cut at a marked place.

    The present turn always stays: where it alone is too long, its oldest results are left out, with a mark.
    """
    most = int(characters * RESULT_SHARE)
    now = _without_old_results(_cut(current, most), characters)
    left = characters - length(now)
    kept: list[Turn] = []
    for turn in reversed(past):
        told = _cut(turn, most)
        left -= length(told)
        if left < 0:
            break
        kept.append(told)
    return tuple(message for turn in (*reversed(kept), now) for message in turn)


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


def length(turn: Turn) -> int:
    """Characters, as far as they grow with what users, models and tools say."""
    return sum(_length(message) for message in turn)


def _length(message: Message) -> int:
    match message:
        case UserMessage():
            return len(message.text) + len(message.images) * CHARACTERS_PER_IMAGE
        case AssistantMessage():
            calls = sum(len(use.name) + len(use.arguments) for use in message.calls)
            return len(message.text) + calls + len(message.reasoning or "")
        case ToolMessage():
            return sum(len(outcome.content) for outcome in message.outcomes)


def _cut(turn: Turn, most: int) -> Turn:
    return tuple(
        replace(message, outcomes=tuple(_shortened(outcome, most) for outcome in message.outcomes))
        if isinstance(message, ToolMessage)
        else message
        for message in turn
    )


def _shortened(outcome: ToolOutcome, most: int) -> ToolOutcome:
    size = len(outcome.content)
    if size <= most:
        return outcome
    return replace(outcome, content=outcome.content[:most] + CUT.format(left=size - most, all=size))


def _without_old_results(turn: Turn, characters: int) -> Turn:
    over = length(turn) - characters
    told: list[Message] = []
    for message in turn:
        if over > 0 and isinstance(message, ToolMessage):
            dropped = replace(message, outcomes=tuple(_dropped(outcome) for outcome in message.outcomes))
            over -= _length(message) - _length(dropped)
            message = dropped  # noqa: PLW2901
        told.append(message)
    return tuple(told)


def _dropped(outcome: ToolOutcome) -> ToolOutcome:
    mark = DROPPED.format(all=len(outcome.content))
    return replace(outcome, content=mark) if len(mark) < len(outcome.content) else outcome
