"""Who else takes part in a run, as people write it: approvers, a person who takes over, other agents."""

from __future__ import annotations

import re
from typing import Annotated, Literal, cast

from pydantic import AfterValidator, Field, model_validator

from freehold.configuration.part import Json, Name, Part, refused
from freehold.configuration.paths import choices

APPROVER_SCOPES = ("run", "read", "approve", "admin")

_PRINCIPAL = re.compile(r"[a-z]{1,20}:[!-~]{1,256}")
_TARGET = re.compile(
    r"arn:aws(-[a-z-]+)?:(sqs|sns):[a-z]{2}(-[a-z]+)+-[0-9]:[0-9]{12}:[A-Za-z0-9_-]{1,256}(\.fifo)?"
)


def _approver(value: str) -> str:
    kind, _, scope = value.partition(":")
    if kind == "scope" and scope not in APPROVER_SCOPES:
        raise refused(f"the scope must be {choices(APPROVER_SCOPES)}")
    if not _PRINCIPAL.fullmatch(value):
        raise refused("must be a principal, such as key:0123456789ab, or a scope, such as scope:approve")
    return value


def _target(value: str) -> str:
    if not _TARGET.fullmatch(value):
        raise refused(
            "must be the ARN of a queue or a topic: arn:aws:sqs:REGION:ACCOUNT:NAME or arn:aws:sns:REGION:ACCOUNT:NAME"
        )
    return value


class Approvals(Part):
    expire_after_seconds: Annotated[int, Field(ge=60, le=2_592_000)] = 259_200
    approvers: Annotated[
        list[Annotated[str, AfterValidator(_approver)]], Field(min_length=1, max_length=50)
    ] = ["scope:approve"]
    not_requester: bool = True


class Escalation(Part):
    enabled: bool = False
    when: Annotated[str, Field(max_length=1_000)] = ""
    target: Annotated[str, AfterValidator(_target)] | None = None


class AgentCollaborator(Part):
    agent: Name
    alias: Name | None = None
    collaboration_instruction: Annotated[str, Field(min_length=1, max_length=4_000)]
    relay_conversation_history: Literal["TO_COLLABORATOR", "DISABLED"] = "DISABLED"
    collaborator_name: Name | None = None

    @model_validator(mode="before")
    @classmethod
    def _is_named_as_here(cls, data: object) -> object:
        if isinstance(data, dict) and "agentDescriptor" in cast("Json", data):
            raise refused(
                'names an agent of Amazon Bedrock by agentDescriptor; write {"agent": NAME, "alias": NAME} instead'
            )
        return cast("object", data)
