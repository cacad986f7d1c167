"""What both of OpenAI's APIs, chat completions and responses, take in the same words."""

from __future__ import annotations

import json
import re
from hashlib import sha256

from freehold.errors import ContextTooLong, FreeholdError, ModelRejected, ModelThrottled, ModelUnavailable
from freehold.values.model import Image, ToolOutcome, Usage
from freehold.values.text import well_formed

from .model_http import STREAMS, Answer, count, fields, server_message

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


def refuses_streams(answer: Answer) -> bool:
    """Whether a server that was asked for a stream says that it has none, or not in this way."""
    about = STREAMS.search(server_message(answer.content))
    return answer.status in (400, 403, 404, 405, 422, 501) and about is not None


def failure_in_stream(error: object, host: str) -> FreeholdError:
    """What a server sends for an answer that it cannot go on with; by its code or its type, as far as it has any."""
    told = fields(error)
    words = str(told.get("message") or (error if isinstance(error, str) else "(no reason given)"))[:1000]
    code = told.get("code") or told.get("type")
    name, status = f"{code} {told.get('type')}".lower(), _status(code)
    kind: type[FreeholdError] = ModelUnavailable
    if status == 429 or any(each in name for each in ("rate_limit", "throttl", "quota")):
        kind = ModelThrottled
    elif too_long(words) or "invalid" in name or status in range(400, 408):
        kind = ContextTooLong if too_long(words) else ModelRejected
    return kind(f"{host} broke off its answer ({code})", words=words)


def _status(code: object) -> int:
    return int(code) if isinstance(code, int) or (isinstance(code, str) and code.isdecimal()) else 0


def cache_key(conversation: str) -> str | None:
    """What brings requests of one conversation to where its beginning is cached; at most 64 characters are taken."""
    return sha256(conversation.encode()).hexdigest() if conversation else None


def usage(given: object, output: object, details: object) -> Usage:
    """What the server counted: tokens that its cache gave or took are part of the input, and none is both."""
    all_of_them, counted = count(given), fields(details)
    cached = min(count(counted.get("cached_tokens")), all_of_them)
    written = min(count(counted.get("cache_write_tokens")), all_of_them - cached)
    return Usage(all_of_them, count(output), cached, written)
