"""What the core needs from outside. Adapters fulfil these; `wiring` chooses which."""

from __future__ import annotations

from .conversations import Conversations, Memories
from .outside import (
    Agents,
    Events,
    Executions,
    HttpTools,
    LiveTexts,
    McpTools,
    Model,
    Models,
    Notices,
    Tell,
    Tools,
)
from .sessions import Sessions, Waits

__all__ = [
    "SHARDS",
    "Agents",
    "Conversations",
    "Events",
    "Executions",
    "HttpTools",
    "LiveTexts",
    "McpTools",
    "Memories",
    "Model",
    "Models",
    "Notices",
    "Sessions",
    "Tell",
    "Tools",
    "Waits",
]

# Of the index of open runs, and of leases.
SHARDS = 16
