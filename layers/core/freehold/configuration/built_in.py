"""Tools that no action group describes: those that Freehold runs itself, beside those for other agents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freehold.built_in_tools import TOOLS, escalate_when
from freehold.configuration.group import MOST_TOOLS
from freehold.configuration.paths import at, show
from freehold.errors import Problem
from freehold.value import Value, replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from freehold.configuration.document import ActionGroup, AgentDocument
    from freehold.values.agent import Tool


class Addition(Value):
    """A tool that no action group describes; `path` leads to what asks for it."""

    path: str
    tool: Tool


def built_in_tools(agent: AgentDocument) -> Iterator[Addition]:
    """Those that `builtInTools` names, in that order, and the one that `escalation` asks for."""
    for index, name in enumerate(agent.built_in_tools):
        yield Addition(at("builtInTools", index), TOOLS[name])
    if agent.escalation.enabled:
        yield Addition("escalation", escalate_when(agent.escalation.when.strip()))


def ask_user(group: ActionGroup, path: str) -> Addition:
    """The tool of a group with a signature."""
    enabled = group.action_group_state == "ENABLED"
    return Addition(path, replace(TOOLS["ask_user"], action_group=group.action_group_name, enabled=enabled))


def signature_problems(group: ActionGroup, path: str) -> Iterator[Problem]:
    """What stands beside the signature of `group`, and must not."""
    beside = {
        "actionGroupExecutor": group.action_group_executor,
        "apiSchema": group.api_schema,
        "functionSchema": group.function_schema,
    }
    for name, value in beside.items():
        if value is not None:
            message = (
                f"does not go with {group.parent_action_group_signature}, which stands alone; leave it out"
            )
            yield Problem(at(path, name), message)


def addition_problems(added: Sequence[Addition], others: Sequence[Tool]) -> Iterator[Problem]:
    """What is wrong with `added` tools that stand beside `others`, those of the action groups."""
    makers = {tool.name: f"the action group {show(tool.action_group)}" for tool in others}
    named = set(makers)
    for one in added:
        name = one.tool.name
        first = makers.setdefault(name, one.path)
        if first != one.path:
            cure = "rename that one" if name in named else "one is enough"
            if one.tool.collaborator is not None:
                cure = "give it another collaboratorName"
            yield Problem(one.path, f"makes the tool {show(name)}, as {first} does; {cure}")
    made = len(others) + len(added)
    if len(others) <= MOST_TOOLS < made:
        field, _, _ = added[MOST_TOOLS - len(others)].path.partition("[")
        yield Problem(field, f"takes the tools to {made}; at most {MOST_TOOLS} are allowed in one agent")
