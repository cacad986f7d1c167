"""The Python client: one class, `Freehold`; its answers are frozen values, its errors a tree by name."""

from __future__ import annotations

from .agents import Agent, AgentSummary, Alias, Route, Tool, Version
from .approvals import Approval
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
)
from .keys import Key
from .memories import Memory, RememberedSession
from .ordering import in_order
from .runs import ParentCall, Run, RunError, Started
from .sessions import Escalation, Session
from .waits import Awaited, Decision, DecisionItem, MessageItem, RefusalItem

__all__ = [
    "Agent",
    "AgentSummary",
    "Alias",
    "Approval",
    "AskedCall",
    "Awaited",
    "Begins",
    "CallItem",
    "CompactionItem",
    "Conflict",
    "Decision",
    "DecisionItem",
    "DiscardedItem",
    "Erased",
    "Erasure",
    "Escalation",
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
    "MessageItem",
    "NotFound",
    "OtherItem",
    "ParentCall",
    "Principal",
    "Problem",
    "RefusalItem",
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
