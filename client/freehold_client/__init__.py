"""The Python client: one class, `Freehold`; its answers are frozen values, its errors a tree by name."""

from __future__ import annotations

from .agents import Agent, AgentSummary, Alias, Route, Tool, Version
from .approvals import Approval
from .client import Freehold
from .dead_letters import DeadLetter, DeadLetterList, Redriven
from .erasures import Erased, Erasure
from .errors import (
    Conflict,
    FreeholdApiError,
    FreeholdClientError,
    InvalidRequest,
    NotFound,
    PreconditionFailed,
    Problem,
    ServerError,
    SessionBusy,
    Unauthorized,
    Unreachable,
)
from .events import (
    ApprovalRequested,
    LapStarted,
    OtherEvent,
    RunEvent,
    RunFinished,
    RunStarted,
    TextDelta,
    TextReset,
    ToolFinished,
    ToolStarted,
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
from .models import Model, Price
from .ordering import in_order
from .run import ParentCall, Run, RunError, Started
from .schedules import Schedule
from .sessions import Escalation, Session
from .tokens import Token, aws_token
from .waits import Awaited, Decision, DecisionItem, MessageItem, RefusalItem

__all__ = [
    "Agent",
    "AgentSummary",
    "Alias",
    "Approval",
    "ApprovalRequested",
    "AskedCall",
    "Awaited",
    "Begins",
    "CallItem",
    "CompactionItem",
    "Conflict",
    "DeadLetter",
    "DeadLetterList",
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
    "LapStarted",
    "LateItem",
    "Memory",
    "MessageItem",
    "Model",
    "NotFound",
    "OtherEvent",
    "OtherItem",
    "ParentCall",
    "PreconditionFailed",
    "Price",
    "Principal",
    "Problem",
    "Redriven",
    "RefusalItem",
    "RememberedSession",
    "Route",
    "Run",
    "RunError",
    "RunEvent",
    "RunFinished",
    "RunStarted",
    "Schedule",
    "ServerError",
    "Session",
    "SessionBusy",
    "Started",
    "TextDelta",
    "TextReset",
    "Token",
    "Tool",
    "ToolFinished",
    "ToolStarted",
    "Unauthorized",
    "Unreachable",
    "Usage",
    "UserItem",
    "Version",
    "aws_token",
    "in_order",
]
