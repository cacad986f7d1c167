"""What runs and model calls have in common. It stands by itself, so that a step without a model loads no more."""

from __future__ import annotations

from typing import Literal

from ..value import Value

ImageFormat = Literal["png", "jpeg", "gif", "webp"]


class Image(Value):
    """A picture in a user's message, of `size` bytes.

    `data` is base64; a stored one has its `reference` instead until it is sent.
    """

    format: ImageFormat
    data: str = ""
    reference: str = ""
    size: int = 0


class Usage(Value):
    """Tokens as the provider counted them.

    `cached_tokens` were read from its cache, `cache_written_tokens` written to it: both are part of `input_tokens`.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cache_written_tokens: int = 0

    @property
    def total(self) -> int:
        return self.input_tokens + self.output_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cached_tokens + other.cached_tokens,
            self.cache_written_tokens + other.cache_written_tokens,
        )


class Fallback(Value):
    """Why another model than the agent's first answered: the `error` (a class name) that the model `after` met."""

    after: str
    error: str
