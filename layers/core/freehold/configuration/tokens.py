"""About how many tokens a text or a tool takes in every model call."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from freehold.values.agent import Tool

# As docs/openapi.md measured it on the JSON of tools. Models count in ways of their own.
CHARACTERS_PER_TOKEN = 4


def tokens_of_text(text: str) -> int:
    return -(-len(text) // CHARACTERS_PER_TOKEN)


def tokens_of_tool(tool: Tool) -> int:
    """What a tool adds to every request: its JSON as it is sent, whatever the API wraps it in."""
    sent = {"name": tool.name, "description": tool.description, "parameters": tool.input_schema}
    return tokens_of_text(json.dumps(sent, ensure_ascii=False, separators=(",", ":")))
