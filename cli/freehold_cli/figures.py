"""Money, tokens and time in words."""

from __future__ import annotations

from datetime import datetime

from freehold_client import Usage


def cost(usd: float | None) -> str:
    """US dollars to a millionth; None is a price that nobody knows, which is not nothing."""
    if usd is None:
        return "unknown price"
    if 0 < usd < 0.000001:
        return "<$0.000001"
    if usd >= 1 or usd == 0:
        return f"${usd:,.2f}" if usd else "$0"
    return "$" + f"{usd:.6f}".rstrip("0")


def tokens(usage: Usage) -> str:
    cached = f" ({_share(usage.cached_tokens, usage.input_tokens)} cached)" if usage.cached_tokens else ""
    return f"{usage.input_tokens:,} tokens in{cached}, {usage.output_tokens:,} out"


def _share(part: int, whole: int) -> str:
    """In whole percent, rounded down: 100% is all of it."""
    percent = part * 100 // max(part, whole)
    return f"{percent}%" if percent else "<1%"


def duration(milliseconds: int | None) -> str:
    if milliseconds is None:
        return "?"
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    seconds = milliseconds / 1000
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"


def between(start: str | None, end: str | None) -> int | None:
    """Milliseconds from `start` to `end`, both ISO 8601; None where either is missing or no time."""
    begun, ended = moment(start), moment(end)
    return round((ended - begun).total_seconds() * 1000) if begun and ended else None


def moment(iso: str | None) -> datetime | None:
    try:
        found = datetime.fromisoformat(iso or "")
    except ValueError:
        return None
    return found if found.tzinfo else None


def clock(iso: str | None, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """The moment in the reader's own time zone; empty where it is no time."""
    found = moment(iso)
    return found.astimezone().strftime(form) if found else ""


def count(number: int, noun: str, nouns: str = "") -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {nouns or noun + 's'}"
