"""The composition root: environment in, collaborators out. The only module that chooses adapters.

Each function is built once per Lambda environment. Clients that call models and tools make one attempt: Step Functions
repeats steps, and a step asks another model, or with less of the conversation, but never the same again. Tables and
buckets are retried by botocore: every write to them is conditional.
"""

from __future__ import annotations

import os
import random
import time
import uuid
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from .adapters.agents import DynamoAgents
from .adapters.contents import Contents
from .adapters.records import Records
from .adapters.sessions import DynamoSessions
from .adapters.table import Table

if TYPE_CHECKING:
    from types_boto3_bedrock_runtime import BedrockRuntimeClient
    from types_boto3_lambda import LambdaClient

    from .adapters.api_keys import ApiKeys
    from .adapters.bedrock_http import BedrockHttp
    from .adapters.catalog import Catalog
    from .adapters.conversations import DynamoConversations
    from .adapters.lists import Lists
    from .adapters.memories import DynamoMemories
    from .adapters.models import ModelChooser
    from .adapters.schema_buckets import SchemaBuckets
    from .ending import EndCollaborators
    from .erasing import ErasingCollaborators
    from .summarizing import SummaryCollaborators
    from .tool_call import ToolCollaborators
    from .turn import Collaborators
    from .values.model import Host

STORE = Config(retries={"mode": "standard", "total_max_attempts": 5}, connect_timeout=2, read_timeout=5)
CONNECT_SECONDS = 5
# A tool's Lambda answers within the tool's own timeout, or this much later its answer counts as lost.
READ_MARGIN_SECONDS = 5
# What a sweep keeps of its time when it goes on to another conversation.
SWEEP_MARGIN_MS = 15_000


def now() -> int:
    """Epoch milliseconds."""
    return time.time_ns() // 1_000_000


def new_id() -> str:
    return uuid.uuid4().hex


def setting(name: str) -> str:
    return os.environ[name]


@cache
def client(service: str, config: Config = STORE) -> Any:
    return boto3.client(service, config=config)  # pyright: ignore


@cache
def tool_client(timeout_seconds: int) -> LambdaClient:
    config = Config(
        retries={"total_max_attempts": 1},
        connect_timeout=CONNECT_SECONDS,
        read_timeout=timeout_seconds + READ_MARGIN_SECONDS,
        tcp_keepalive=True,
    )
    return client("lambda", config)


@cache
def contents() -> Contents:
    return Contents(client("s3"), setting("CONTENT_BUCKET"))


@cache
def records() -> Records:
    return Records(contents(), retention_seconds=int(setting("RETENTION_DAYS")) * 86_400)


@cache
def sessions_table() -> Table:
    return Table(client("dynamodb"), setting("SESSIONS_TABLE"))


@cache
def sessions() -> DynamoSessions:
    return DynamoSessions(sessions_table(), records())


@cache
def memories() -> DynamoMemories:
    from .adapters.memories import DynamoMemories

    return DynamoMemories(sessions_table(), records())


@cache
def conversations() -> DynamoConversations:
    from .adapters.conversations import DynamoConversations

    return DynamoConversations(sessions_table(), records(), contents())


@cache
def lists() -> Lists:
    from .adapters.lists import Lists

    return Lists(sessions_table(), records())


@cache
def agents() -> DynamoAgents:
    return DynamoAgents(Table(client("dynamodb"), setting("AGENTS_TABLE")), contents())


@cache
def api_keys() -> ApiKeys:
    from .adapters.api_keys import ApiKeys

    return ApiKeys(client("dynamodb"), setting("AGENTS_TABLE"))


@cache
def executions() -> Any:
    from .adapters.executions import StateMachines, StepFunctions

    machines = StateMachines(
        region=setting("AWS_REGION"),
        account=setting("ACCOUNT_ID"),
        partition=setting("PARTITION"),
        durable=setting("DURABLE_LOOP"),
        fast=setting("FAST_LOOP"),
    )
    return StepFunctions(client("stepfunctions"), machines)


@cache
def catalog() -> Catalog:
    from .adapters.catalog import Catalog

    return Catalog.packaged()


@cache
def models() -> ModelChooser:
    from .adapters.models import Bedrock, ModelChooser, ModelSettings

    settings = ModelSettings(setting("MODEL_SOURCE"), setting("MODEL_URL"), setting("MODEL_NAME"))
    return ModelChooser(settings, catalog(), model_key, Bedrock(model_client, bedrock_http))


@cache
def summaries() -> SummaryCollaborators:
    """For CompactHistory and SummarizeMemory."""
    from .summarizing import SummaryCollaborators

    return SummaryCollaborators(sessions(), memories(), agents(), models(), now, new_id)


@cache
def turn() -> Collaborators:
    """For InvokeModel."""
    from .adapters.argument_check import check_arguments
    from .turn import Collaborators

    return Collaborators(sessions(), memories(), agents(), models(), check_arguments, now, new_id)


def model_region() -> str:
    """Where Bedrock is asked: the stack's own Region, or the one that it was given."""
    return setting("MODEL_REGION")


def model_client(timeout_seconds: int) -> BedrockRuntimeClient:
    """Times differ with each call, so they are rounded down to a few: each client is made once."""
    return _model_client(timeout_seconds // 10 * 10 or timeout_seconds)


@cache
def _model_client(timeout_seconds: int) -> BedrockRuntimeClient:
    config = Config(
        region_name=model_region(),
        retries={"total_max_attempts": 1},
        connect_timeout=CONNECT_SECONDS,
        read_timeout=timeout_seconds,
        tcp_keepalive=True,
    )
    return client("bedrock-runtime", config)


@cache
def bedrock_http() -> BedrockHttp:
    from .adapters.bedrock_http import BedrockHttp

    region = model_region()
    # As AWS's own SDKs find a PrivateLink endpoint or another address.
    mantle = os.environ.get("AWS_ENDPOINT_URL_BEDROCK_MANTLE", f"https://bedrock-mantle.{region}.api.aws")
    endpoints: dict[Host, str] = {
        "bedrock-runtime": model_client(CONNECT_SECONDS).meta.endpoint_url,
        "bedrock-mantle": mantle,
    }
    return BedrockHttp(boto3.Session().get_credentials, region, endpoints)


def model_key() -> str | None:
    """The model server's key, at most a minute old; None where the secret holds none."""
    return _model_key_of(now() // 60_000)


@lru_cache(maxsize=1)
def _model_key_of(minute: int) -> str | None:
    found = client("secretsmanager").get_secret_value(SecretId=setting("MODEL_KEY_SECRET"))
    return found["SecretString"].strip() or None


@cache
def tools() -> ToolCollaborators:
    """For RunTool."""
    from .adapters.lambda_tools import LambdaTools
    from .tool_call import ToolCollaborators

    return ToolCollaborators(sessions(), agents(), LambdaTools(tool_client), now, new_id)


@cache
def endings() -> EndCollaborators:
    """For FinishRun, the sweeper and cancel."""
    from .adapters.event_bus import EventBus
    from .ending import EndCollaborators

    bus = EventBus(client("events"), setting("EVENT_BUS"))
    return EndCollaborators(sessions(), agents(), executions(), bus, now)


@cache
def erasing() -> ErasingCollaborators:
    """For the sweeper, and whoever asks for something to be erased."""
    from .erasing import ErasingCollaborators

    return ErasingCollaborators(sessions(), memories(), conversations(), now)


@cache
def schemas() -> SchemaBuckets:
    """The only buckets that OpenAPI documents are read from."""
    from .adapters.schema_buckets import SchemaBuckets

    names = (name.strip() for name in setting("SCHEMA_BUCKETS").split(","))
    return SchemaBuckets(client("s3"), frozenset(name for name in names if name))


def patience_ms() -> int:
    """How long a run may be silent before the sweeper takes its execution for lost."""
    return int(setting("PATIENCE_SECONDS")) * 1000


def wait(attempt: int) -> None:
    """Full jitter, up to half a second, before a crowded session is tried again."""
    time.sleep(random.uniform(0, min(0.5, 0.01 * 2**attempt)))  # noqa: S311
