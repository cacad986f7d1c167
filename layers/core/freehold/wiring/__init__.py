"""The composition root: environment in, collaborators out. The only module that chooses adapters.

Each function is built once per Lambda environment.
"""

from __future__ import annotations

import time
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from ..adapters.agents import DynamoAgents
from ..adapters.contents import Contents
from ..adapters.records import Records
from ..adapters.sessions import DynamoSessions
from ..adapters.table import Table
from ..errors import Invalid, ToolFailed
from ..value import replace
from .clients import BRIEF, OBJECTS, READ_MARGIN_SECONDS, client, new_id, now, setting, tool_client, wait
from .model_hosts import catalog, model_region, models
from .origins import allowed_origin
from .tool_servers import http_tools, mcp_client, tool_auth

if TYPE_CHECKING:
    from ..adapters.access import AccessEntries
    from ..adapters.api_keys import ApiKeys
    from ..adapters.conversations import DynamoConversations
    from ..adapters.lists import Lists
    from ..adapters.live_texts import DynamoLiveTexts
    from ..adapters.memories import DynamoMemories
    from ..adapters.schema_buckets import SchemaBuckets
    from ..beginning import BeginCollaborators, Request
    from ..ending import EndCollaborators
    from ..erasing import ErasingCollaborators
    from ..mcp_listing import Listings
    from ..parking import ParkCollaborators
    from ..ports import McpTools, Sessions
    from ..receiving import ReceiveCollaborators
    from ..summarizing import SummaryCollaborators
    from ..tool_call import ToolCollaborators
    from ..turn import Collaborators
    from ..values.agent import PinnedAgent
    from ..values.run import Session

__all__ = [
    "READ_MARGIN_SECONDS",
    "SWEEP_MARGIN_MS",
    "access",
    "agents",
    "allowed_origin",
    "api_keys",
    "catalog",
    "client",
    "contents",
    "endings",
    "erasing",
    "executions",
    "lists",
    "live_texts",
    "mcp_client",
    "mcp_listings",
    "mcp_tools",
    "memories",
    "model_region",
    "new_id",
    "now",
    "parking",
    "patience_ms",
    "receiving",
    "retention_seconds",
    "schemas",
    "sessions",
    "summaries",
    "tool_auth",
    "tool_client",
    "tools",
    "turn",
]

# What a sweep keeps of its time when it goes on to another conversation.
SWEEP_MARGIN_MS = 15_000


@cache
def contents() -> Contents:
    return Contents(client("s3", OBJECTS), setting("CONTENT_BUCKET"))


@cache
def records() -> Records:
    return Records(contents(), retention_seconds())


def retention_seconds() -> int:
    """How long items and objects outlive their writing."""
    return int(setting("RETENTION_DAYS")) * 86_400


@cache
def sessions_table() -> Table:
    return Table(client("dynamodb"), setting("SESSIONS_TABLE"))


@cache
def agents_table() -> Table:
    return Table(client("dynamodb"), setting("AGENTS_TABLE"))


@cache
def sessions() -> DynamoSessions:
    return DynamoSessions(sessions_table(), records())


@cache
def memories() -> DynamoMemories:
    from ..adapters.memories import DynamoMemories

    return DynamoMemories(sessions_table(), records())


@cache
def conversations() -> DynamoConversations:
    from ..adapters.conversations import DynamoConversations

    return DynamoConversations(sessions_table(), records(), contents(), live_texts())


@cache
def live_texts() -> DynamoLiveTexts:
    from ..adapters.live_texts import DynamoLiveTexts

    return DynamoLiveTexts(Table(client("dynamodb"), setting("EVENTS_TABLE")))


@cache
def access() -> AccessEntries:
    from ..adapters.access import AccessEntries

    return AccessEntries(agents_table())


@cache
def lists() -> Lists:
    from ..adapters.lists import Lists

    return Lists(sessions_table(), records())


@cache
def agents() -> DynamoAgents:
    return DynamoAgents(agents_table(), contents())


@cache
def api_keys() -> ApiKeys:
    from ..adapters.api_keys import ApiKeys

    return ApiKeys(agents_table())


@cache
def executions() -> Any:
    from ..adapters.executions import StateMachines, StepFunctions

    machines = StateMachines(
        region=setting("AWS_REGION"),
        account=setting("ACCOUNT_ID"),
        partition=setting("PARTITION"),
        durable=setting("DURABLE_LOOP"),
        fast=setting("FAST_LOOP"),
    )
    return StepFunctions(client("stepfunctions"), machines)


@cache
def summaries() -> SummaryCollaborators:
    """For CompactHistory and SummarizeMemory."""
    from ..summarizing import SummaryCollaborators

    return SummaryCollaborators(sessions(), memories(), agents(), models(), now, new_id)


@cache
def turn() -> Collaborators:
    """For InvokeModel."""
    from ..adapters.argument_check import check_arguments
    from ..adapters.live_texts import DynamoLiveTexts
    from ..turn import Collaborators

    live = DynamoLiveTexts(Table(client("dynamodb", BRIEF), setting("EVENTS_TABLE")))
    return Collaborators(sessions(), memories(), agents(), models(), live, check_arguments, now, new_id)


@cache
def tools() -> ToolCollaborators:
    """For RunTool."""
    from ..adapters.lambda_tools import LambdaTools
    from ..tool_call import ToolCollaborators

    return ToolCollaborators(
        sessions(), agents(), LambdaTools(tool_client), http_tools, _elsewhere, now, new_id
    )


def _elsewhere() -> McpTools:
    """The state machine sends calls of MCP servers' tools to the function that has what they need."""
    raise ToolFailed("tools of MCP servers are not called by this function")


@cache
def mcp_tools() -> ToolCollaborators:
    """For RunMcpTool."""
    return replace(tools(), mcp=mcp_client)


def mcp_listings(tenant: str) -> Listings:
    """What MCP servers list, for an agent that is being applied."""
    from ..adapters.lambda_tools import LambdaTools
    from ..mcp_listing import Listings

    return Listings(LambdaTools(tool_client), setting("MCP_FUNCTION"), tenant, time.monotonic)


@cache
def endings() -> EndCollaborators:
    """For FinishRun, the sweeper and cancel."""
    from ..adapters.event_bus import EventBus
    from ..adapters.waits import DynamoWaits
    from ..ending import EndCollaborators
    from .arrivals import replies

    bus = EventBus(client("events"), setting("EVENT_BUS"))
    waits = DynamoWaits(sessions_table(), records())
    return EndCollaborators(sessions(), waits, agents(), executions(), bus, now, replies())


def parking(ends: EndCollaborators) -> ParkCollaborators:
    """For ParkRun, the sweeper, and whoever decides."""
    from ..adapters.notices import AwsNotices
    from ..parking import ParkCollaborators

    return ParkCollaborators(ends, beginnings(ends.sessions), AwsNotices(client("sqs"), client("sns")))


def receiving(ends: EndCollaborators) -> ReceiveCollaborators:
    """For messages to sessions."""
    from ..receiving import ReceiveCollaborators

    return ReceiveCollaborators(parking(ends), new_id, wait)


def beginnings(sessions: Sessions) -> BeginCollaborators:
    from ..beginning import BeginCollaborators

    return BeginCollaborators(sessions, _pin, now, _new_conversation, wait)


def _pin(request: Request, session: Session | None) -> PinnedAgent:
    pinned = agents().pin(request.tenant, request.agent, request.alias, request.session_id, session)
    if request.images:
        entry = catalog().find(pinned.agent.model.model)
        if entry is not None and not entry.images:
            raise Invalid(f"are not taken by {entry.id}, the model of {request.agent}", path="images")
    return pinned


def _new_conversation() -> str:
    # It takes time to load, and only what begins conversations needs it.
    from ulid import ULID

    return str(ULID())


def erasing(ends: EndCollaborators, *, by: str | None = None) -> ErasingCollaborators:
    """For the sweeper, and whoever asks for something to be erased: `by` cancels the runs that wait there."""
    from ..ending import cancel_run
    from ..erasing import ErasingCollaborators

    return ErasingCollaborators(
        ends.sessions, memories(), conversations(), partial(cancel_run, using=ends, by=by), now
    )


@cache
def schemas() -> SchemaBuckets:
    """The only buckets that OpenAPI documents are read from."""
    from ..adapters.schema_buckets import SchemaBuckets

    names = (name.strip() for name in setting("SCHEMA_BUCKETS").split(","))
    return SchemaBuckets(client("s3", OBJECTS), frozenset(name for name in names if name))


def patience_ms() -> int:
    """How long a run may be silent before the sweeper takes its execution for lost."""
    return int(setting("PATIENCE_SECONDS")) * 1000
