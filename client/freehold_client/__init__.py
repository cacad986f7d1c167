"""The Python client: one class, `Freehold`; its answers are frozen values, its errors a tree by name."""

from __future__ import annotations

from .agents import Agent, AgentSummary, Alias, Route, Tool, Version
from .client import Freehold
from .erasures import Erased, Erasure
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
    Begins,
    CallItem,
    CompactionItem,
    DiscardedItem,
    Fallback,
    Item,
    LapItem,
    LateItem,
    OtherItem,
    Principal,
    Usage,
    UserItem,
    in_order,
)
from .keys import Key
from .memories import Memory, RememberedSession
from .runs import Run, RunError, Started
from .sessions import Session

__all__ = [
    "Agent",
    "AgentSummary",
    "Alias",
    "AskedCall",
    "Begins",
    "CallItem",
    "CompactionItem",
    "Conflict",
    "DiscardedItem",
    "Erased",
    "Erasure",
    "Fallback",
    "Freehold",
    "FreeholdApiError",
    "FreeholdClientError",
    "InvalidRequest",
    "Item",
    "Key",
    "LapItem",
    "LateItem",
    "Memory",
    "NotFound",
    "OtherItem",
    "Principal",
    "Problem",
    "RememberedSession",
    "Route",
    "Run",
    "RunError",
    "ServerError",
    "Session",
    "SessionBusy",
    "Started",
    "Tool",
    "Unauthorized",
    "Unreachable",
    "Usage",
    "UserItem",
    "Version",
    "in_order",
]
