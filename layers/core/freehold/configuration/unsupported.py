"""What the contract has and this version has not: refused by name, never stored and ignored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freehold.configuration.document import DataPolicy
from freehold.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freehold.configuration.document import AgentDocument

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
        "dataPolicy": agent.data_policy != DataPolicy(),
    }
    instead = {"dataPolicy": "; leave it out, or write its defaults"}
    for name, is_asked in asked.items():
        if is_asked:
            yield Problem(name, NOT_YET + instead.get(name, "; leave it out"))
