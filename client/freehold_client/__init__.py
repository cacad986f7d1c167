"""The Python client: one class, `Freehold`; its answers are frozen values, its errors a tree by name."""

from __future__ import annotations

from .agents import Agent, AgentSummary, Alias, Tool, Version
from .client import Freehold
from .errors import (
    Conflict,
    FreeholdApiError,
    FreeholdClientError,
    InvalidRequest,
    NotFound,
    Problem,
    ServerError,
    SessionBusy,
    Unauthorized,
    Unreachable,
)
from .items import (
    AskedCall,
    CallItem,
    DiscardedItem,
    Fallback,
    Item,
    LapItem,
    LateItem,
    OtherItem,
    Principal,
    Usage,
    UserItem,
)
from .keys import Key
from .runs import Run, RunError, Started

__all__ = [
    "Agent",
    "AgentSummary",
    "Alias",
    "AskedCall",
    "CallItem",
    "Conflict",
    "DiscardedItem",
    "Fallback",
    "Freehold",
    "FreeholdApiError",
    "FreeholdClientError",
    "InvalidRequest",
    "Item",
    "Key",
    "LapItem",
    "LateItem",
    "NotFound",
    "OtherItem",
    "Principal",
    "Problem",
    "Run",
    "RunError",
    "ServerError",
    "SessionBusy",
    "Started",
    "Tool",
    "Unauthorized",
    "Unreachable",
    "Usage",
    "UserItem",
    "Version",
]
