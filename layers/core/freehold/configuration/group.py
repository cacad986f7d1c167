"""What the tools of one action group have in common while they are made."""

from __future__ import annotations

from dataclasses import dataclass, field

from freehold.errors import Problem

LONGEST_DESCRIPTION = 1_000
MOST_TOOLS = 128


@dataclass
class Group:
    """The action group that tools are made for. `problems` and `warnings` are added to."""

    name: str
    lambda_arn: str
    enabled: bool
    problems: list[Problem] = field(default_factory=list[Problem])
    warnings: list[str] = field(default_factory=list[str])


def shortened(text: str) -> str:
    """A tool's description: at most 1,000 characters, cut at a word."""
    if len(text) <= LONGEST_DESCRIPTION:
        return text
    head = text[: LONGEST_DESCRIPTION - 1]
    words = head.rsplit(None, 1)
    return f"{words[0] if len(words) > 1 else head}…"
