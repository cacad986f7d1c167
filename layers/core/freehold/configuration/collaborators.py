"""Other agents, offered as tools: a call of one is a run of that agent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freehold.configuration.built_in import Addition
from freehold.configuration.naming import plain_name, with_unique_names
from freehold.configuration.paths import at, show
from freehold.configuration.wording import LONGEST_TOOL, shortened
from freehold.errors import Problem
from freehold.values.agent import Collaborator, Tool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freehold.configuration.document import AgentDocument
    from freehold.configuration.participants import AgentCollaborator

PATH = "agentCollaborators"
ACTION_GROUP = "collaborators"


def collaborator_tools(agent: AgentDocument) -> Iterator[Addition]:
    """A tool for each agent that `agent` may ask."""
    for index, one in enumerate(agent.agent_collaborators):
        (tool,) = with_unique_names([_tool(one, offered=agent.agent_collaboration != "DISABLED")])
        yield Addition(at(PATH, index), tool)


def collaborator_problems(agent: AgentDocument) -> Iterator[Problem]:
    for index, one in enumerate(agent.agent_collaborators):
        if one.agent == agent.agent_name:
            message = f"is {show(one.agent)}, this agent itself; name another one"
            yield Problem(at(PATH, index, "agent"), message)


def collaborator_warnings(agent: AgentDocument) -> Iterator[str]:
    if agent.agent_collaborators and agent.agent_collaboration == "DISABLED":
        yield f"{PATH} are not offered, since agentCollaboration is DISABLED"
    for index, one in enumerate(agent.agent_collaborators):
        length = len(one.collaboration_instruction.strip())
        if length > LONGEST_TOOL:
            where = at(PATH, index, "collaborationInstruction")
            yield f"{where} has {length:,} characters; the model sees the first {LONGEST_TOOL:,}"


def _tool(one: AgentCollaborator, *, offered: bool) -> Tool:
    message = {
        "type": "string",
        "minLength": 1,
        "description": "What the agent has to know and do; it sees nothing else of this conversation.",
    }
    if one.relay_conversation_history == "TO_COLLABORATOR":
        message["description"] = "What the agent has to do; it is shown this conversation as well."
    return Tool(
        name=plain_name(one.collaborator_name or one.agent) or "agent",
        description=shortened(one.collaboration_instruction.strip() or one.agent),
        input_schema={
            "type": "object",
            "properties": {"message": message},
            "required": ["message"],
            "additionalProperties": False,
        },
        action_group=ACTION_GROUP,
        arguments=(),
        lambda_arn="",
        # A run of its own is begun once, however often it is asked for: no mark is needed.
        idempotent=True,
        enabled=offered,
        collaborator=Collaborator(
            one.agent, one.alias, relays=one.relay_conversation_history == "TO_COLLABORATOR"
        ),
    )
