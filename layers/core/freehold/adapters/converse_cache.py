"""Where a request to Converse says what is worth caching.

https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html has the rules: at most four marks; before each,
a model looks back about 20 blocks for what it knows; what is too short is not cached, and that is no error. So each
request marks its own end and the end of the request before it, however many blocks came between.
"""

from __future__ import annotations

from typing import Any

from ..values.model import Cache

MARK: dict[str, Any] = {"cachePoint": {"type": "default"}}


def marked(parameters: dict[str, Any], cache: Cache) -> dict[str, Any]:
    """The same parameters with marks after tools, instruction, and the user's last two messages."""
    made = dict(parameters)
    if cache == "tools" and "toolConfig" in made:
        made["toolConfig"] = {"tools": [*made["toolConfig"]["tools"], MARK]}
    if "system" in made:
        made["system"] = [*made["system"], MARK]
    messages: list[dict[str, Any]] = list(made["messages"])
    for i in [i for i, message in enumerate(messages) if _may_end_in_a_mark(message, cache)][-2:]:
        messages[i] = {**messages[i], "content": [*messages[i]["content"], MARK]}
    return {**made, "messages": messages}


def _may_end_in_a_mark(message: dict[str, Any], cache: Cache) -> bool:
    """Never the assistant's: a mark after reasoning is refused. Nova refuses one after a tool's result, too."""
    return message["role"] == "user" and (cache == "tools" or "toolResult" not in message["content"][-1])
