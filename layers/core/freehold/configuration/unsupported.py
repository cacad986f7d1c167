"""What the contract has and this version has not: refused by name, never stored and ignored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freehold.configuration.document import DataPolicy, Escalation
from freehold.configuration.paths import at
from freehold.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freehold.configuration.document import ActionGroup, AgentDocument, ToolOptions

NOT_YET = "is not supported in this version"

UNUSED_IN_AGENT = (
    *("agentResourceRoleArn", "customerEncryptionKeyArn", "orchestrationType", "customOrchestration"),
    *("promptOverrideConfiguration", "clientToken", "agentId", "agentArn", "agentVersion", "agentStatus"),
    *("createdAt", "updatedAt", "preparedAt", "failureReasons", "recommendedActions"),
)
UNUSED_IN_GROUP = (
    *("clientToken", "agentId", "agentVersion", "actionGroupId", "createdAt", "updatedAt"),
    "parentActionGroupSignatureParams",
)


def refused(agent: AgentDocument) -> Iterator[Problem]:
    """The fields of `agent` that ask for what is not there yet."""
    asked = {
        "guardrailConfiguration": agent.guardrail_configuration is not None,
        "approvals": agent.approvals is not None,
        "onUnknownOutcome": agent.on_unknown_outcome == "ask",
        "escalation": agent.escalation != Escalation(),
        "triggers": bool(agent.triggers),
        "agentCollaborators": bool(agent.agent_collaborators),
        "agentCollaboration": agent.agent_collaboration != "DISABLED",
        "dataPolicy": agent.data_policy != DataPolicy(),
    }
    instead = {
        "onUnknownOutcome": "; leave it out, or write report",
        "agentCollaboration": "; leave it out, or write DISABLED",
        "dataPolicy": "; leave it out, or write its defaults",
    }
    for name, is_asked in asked.items():
        if is_asked:
            yield Problem(name, NOT_YET + instead.get(name, "; leave it out"))


def refused_in_group(group: ActionGroup, path: str) -> Iterator[Problem]:
    """The fields of an action group that ask for what is not there yet."""
    if group.parent_action_group_signature is not None:
        yield Problem(at(path, "parentActionGroupSignature"), NOT_YET)
    executor = group.action_group_executor
    if executor:
        asked = {"customControl": executor.custom_control, "http": executor.http, "mcp": executor.mcp}
        for name, value in asked.items():
            if value is not None:
                yield Problem(at(path, "actionGroupExecutor", name), f"{NOT_YET}; use lambda")


def refused_options(options: ToolOptions, path: str, prefix: str = "") -> Iterator[Problem]:
    """What is said about one tool and is not there yet. `prefix` is `x-` in an OpenAPI operation."""
    asked = {
        "requireConfirmation": options.require_confirmation,
        "requireApproval": options.require_approval,
    }
    for name, value in asked.items():
        if value == "ENABLED":
            yield Problem(at(path, prefix + name), NOT_YET)
