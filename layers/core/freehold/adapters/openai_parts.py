"""What both of OpenAI's APIs, chat completions and responses, take in the same words."""

from __future__ import annotations

import json
import re
from hashlib import sha256

from freehold.values.model import Image, ToolOutcome, Usage
from freehold.values.text import well_formed

from .model_http import count, fields

# Each server words it in its own way, Bedrock in two; not each has a code for it.
_TOO_LONG = re.compile(
    r"context.?(length|window|size)|\b(prompt|input)( tokens?| length)?( \([\d,]+\))?( is too long| exceeds? )",
    re.IGNORECASE,
)


def said(text: str, instead: str) -> str:
    """The text, or what stands for it where it is blank: servers refuse empty messages."""
    return text if text.strip() else instead


def outcome_text(outcome: ToolOutcome) -> str:
    """The APIs have no place for success or failure, so the text must tell."""
    text = said(outcome.content, "(no output)" if outcome.ok else "failed without saying why")
    return text if outcome.ok or text.lower().startswith("error") else f"Error: {text}"


def replayable(arguments: str) -> str:
    """The arguments, or a JSON object that holds them where they are none: servers parse them for their template."""
    try:
        value: object = json.loads(arguments, parse_constant=_refuse)
        # Half of a surrogate pair is JSON to Python and to nobody else.
        json.dumps(value, ensure_ascii=False).encode()
        if isinstance(value, dict):
            return arguments
    except (ValueError, RecursionError):
        pass
    return json.dumps({"notJson": well_formed(arguments)})


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON number")


def data_uri(image: Image) -> str:
    return f"data:image/{image.format};base64,{image.data}"


def too_long(words: str) -> bool:
    """Whether an error speaks of a conversation that does not fit the model's window."""
    return _TOO_LONG.search(words) is not None


def cache_key(conversation: str) -> str | None:
    """What brings requests of one conversation to where its beginning is cached; at most 64 characters are taken."""
    return sha256(conversation.encode()).hexdigest() if conversation else None


def usage(given: object, output: object, details: object) -> Usage:
    """What the server counted: tokens that its cache gave or took are part of the input, and none is both."""
    all_of_them, counted = count(given), fields(details)
    cached = min(count(counted.get("cached_tokens")), all_of_them)
    written = min(count(counted.get("cache_write_tokens")), all_of_them - cached)
    return Usage(all_of_them, count(output), cached, written)
