"""The agent configuration as people write it: fields, types and limits; not what follows from them."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from freehold.configuration.http_executor import HttpExecutor
from freehold.configuration.mcp_executor import McpExecutor
from freehold.configuration.part import Json, Name, Part, refused
from freehold.configuration.participants import AgentCollaborator, Approvals, Escalation
from freehold.configuration.tool_options import ToolOptions
from freehold.configuration.triggers import MOST_TRIGGERS, TriggerPart

MODEL_APIS = ("converse", "responses", "openai_compatible", "rehearsal")
ParameterType = Literal["string", "number", "integer", "boolean", "array"]

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]")
_FUNCTION = re.compile(r"[A-Za-z0-9_-]{1,64}")
_QUALIFIER = re.compile(r"\$LATEST|[A-Za-z0-9_-]{1,128}")


def _lambda_arn(value: str) -> str:
    parts = value.split(":")
    if len(parts) not in (7, 8) or parts[0] != "arn" or not re.fullmatch(r"aws(-[a-z-]+)?", parts[1]):
        raise refused(
            "must be a Lambda function ARN: arn:aws:lambda:REGION:ACCOUNT:function:NAME, or …:NAME:QUALIFIER"
        )
    rules = (
        (parts[2] == "lambda", "names the service lambda third"),
        (_REGION.fullmatch(parts[3]), "has a region like us-east-1"),
        (re.fullmatch(r"[0-9]{12}", parts[4]), "has an account of 12 digits"),
        (parts[5] == "function", "names a function (…:function:NAME)"),
        (_FUNCTION.fullmatch(parts[6]), "has a function name of 1 to 64 letters, digits, - and _"),
        (len(parts) == 7 or _QUALIFIER.fullmatch(parts[-1]), "ends with a version, an alias or $LATEST"),
    )
    for kept, rule in rules:
        if not kept:
            raise refused(f"must be a Lambda function ARN that {rule}")
    return value


def _bucket(value: str) -> str:
    if not _BUCKET.fullmatch(value):
        raise refused("must be the name of an S3 bucket: 3 to 63 of lower-case letters, digits, - and .")
    return value


def _s3_uri(value: object) -> object:
    if not isinstance(value, str):
        return value
    bucket, _, key = value.removeprefix("s3://").partition("/")
    if not value.startswith("s3://") or not key:
        raise refused(
            'must be "s3://BUCKET/KEY", {"s3": {"s3BucketName", "s3ObjectKey"}} or {"payload": TEXT}'
        )
    return {"s3": {"s3BucketName": bucket, "s3ObjectKey": key}}


def _model(value: object) -> object:
    if not isinstance(value, str | dict):
        raise refused('must be the id of a model, or {"model", "api"}')
    return {"model": value} if isinstance(value, str) else cast("Json", value)


LambdaArn = Annotated[str, AfterValidator(_lambda_arn)]
Count = Annotated[int, Field(ge=1)]


class S3Object(Part):
    s3_bucket_name: Annotated[str, AfterValidator(_bucket)]
    s3_object_key: Annotated[str, Field(min_length=1, max_length=1024)]


class ApiSchema(Part):
    s3: S3Object | None = None
    payload: Annotated[str, Field(min_length=1)] | None = None
    file: str | None = None
    operations: (
        Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1, max_length=128)] | None
    ) = None

    @model_validator(mode="after")
    def _is_one_source(self) -> ApiSchema:
        if self.file is not None:
            raise refused(
                "has a file; `freehold apply` reads it and sends its text as payload, the API cannot"
            )
        if (self.s3 is None) == (self.payload is None):
            raise refused("must have exactly one of s3 and payload")
        return self


class Parameter(Part):
    type: ParameterType
    description: Annotated[str, Field(max_length=1_000)] = ""
    required: bool = False


class Function(ToolOptions):
    name: Name
    description: Annotated[str, Field(max_length=1_200)] = ""
    parameters: dict[str, Parameter] | None = None
    input_schema: Json | None = None

    @model_validator(mode="after")
    def _has_one_schema(self) -> Function:
        if self.parameters is not None and self.input_schema is not None:
            raise refused("must not have both parameters and inputSchema")
        return self


class FunctionSchema(Part):
    functions: Annotated[list[Function], Field(min_length=1, max_length=128)]


class Executor(Part):
    lambda_arn: Annotated[LambdaArn | None, Field(alias="lambda")] = None
    custom_control: Literal["RETURN_CONTROL"] | None = None
    http: HttpExecutor | None = None
    mcp: McpExecutor | None = None

    @model_validator(mode="after")
    def _is_one_executor(self) -> Executor:
        given = [self.lambda_arn, self.custom_control, self.http, self.mcp]
        if sum(one is not None for one in given) != 1:
            raise refused("must have exactly one of lambda, customControl, http and mcp")
        return self


class ActionGroup(Part):
    action_group_name: Name
    description: Annotated[str, Field(max_length=200)] = ""
    action_group_state: Literal["ENABLED", "DISABLED"] = "ENABLED"
    parent_action_group_signature: Literal["AMAZON.UserInput"] | None = None
    action_group_executor: Executor | None = None
    api_schema: Annotated[ApiSchema, BeforeValidator(_s3_uri)] | None = None
    function_schema: FunctionSchema | None = None


class FoundationModel(Part):
    model: Annotated[str, Field(min_length=1, max_length=2048)]
    api: Literal["converse", "responses", "openai_compatible", "rehearsal"] | None = None


Model = Annotated[FoundationModel, BeforeValidator(_model)]


class InferenceConfiguration(Part):
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    maximum_length: Count | None = None
    stop_sequences: Annotated[list[Annotated[str, Field(min_length=1)]], Field(max_length=4)] = []
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None = None


class SessionSummary(Part):
    max_recent_sessions: Annotated[int, Field(ge=1, le=100)] = 20


class Memory(Part):
    enabled_memory_types: Annotated[list[Literal["SESSION_SUMMARY"]], Field(min_length=1, max_length=1)]
    storage_days: Annotated[int, Field(ge=1, le=365)] = 30
    session_summary_configuration: SessionSummary = SessionSummary()


class ContextConfiguration(Part):
    window_tokens: Annotated[int, Field(ge=2_000)] | None = None
    compact_at: Annotated[float, Field(ge=0.1, le=0.9)] = 0.6


class RunLimits(Part):
    max_laps: Annotated[int, Field(ge=1, le=1_000)] = 25
    max_tokens: Count | None = None
    max_cost_usd: Annotated[float, Field(gt=0)] | None = None
    timeout_seconds: Annotated[int, Field(ge=1, le=86_400)] = 900
    max_concurrent_tools: Annotated[int, Field(ge=1, le=40)] = 10
    same_call_repeats: Annotated[int, Field(ge=1, le=100)] = 3


class DataPolicy(Part):
    inference: Literal["any", "aws-only"] = "any"
    regions: list[str] = []
    log_content: Literal["full", "redacted", "none"] = "full"


class AgentDocument(Part):
    agent_name: Name
    foundation_model: Model
    fallback_models: Annotated[list[Model], Field(max_length=5)] = []
    instruction: Annotated[str, Field(min_length=1, max_length=100_000)]
    description: Annotated[str, Field(max_length=200)] = ""
    tags: Annotated[
        dict[Annotated[str, Field(min_length=1, max_length=128)], Annotated[str, Field(max_length=256)]],
        Field(max_length=50),
    ] = {}
    # Each group is validated by itself, so that a fault in one does not hide those of the others.
    action_groups: Annotated[list[Any], Field(max_length=50)] = []
    inference_configuration: InferenceConfiguration = InferenceConfiguration()
    memory_configuration: Memory | None = None
    context_configuration: ContextConfiguration = ContextConfiguration()
    guardrail_configuration: Json | None = None
    idle_session_ttl: Annotated[int, Field(ge=60, le=31_536_000, alias="idleSessionTTLInSeconds")] = 86_400
    limits: RunLimits = RunLimits()
    execution_mode: Literal["durable", "fast"] = "durable"
    approvals: Approvals = Approvals()
    on_unknown_outcome: Literal["report", "ask"] = "report"
    escalation: Escalation = Escalation()
    built_in_tools: list[Literal["read_more", "current_time"]] = []
    triggers: Annotated[list[TriggerPart], Field(max_length=MOST_TRIGGERS)] = []
    agent_collaborators: Annotated[list[AgentCollaborator], Field(max_length=20)] = []
    agent_collaboration: Literal["SUPERVISOR", "DISABLED"] = "SUPERVISOR"
    data_policy: DataPolicy = DataPolicy()
