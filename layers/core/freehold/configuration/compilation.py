"""Compiles an agent's configuration: every problem at once, or the agent as the loop sees it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol, cast

from freehold.configuration.built_in import (
    Addition,
    addition_problems,
    ask_user,
    built_in_tools,
    signature_problems,
)
from freehold.configuration.collaborators import (
    collaborator_problems,
    collaborator_tools,
    collaborator_warnings,
)
from freehold.configuration.document import ActionGroup, AgentDocument
from freehold.configuration.functions import function_tools
from freehold.configuration.group import MOST_TOOLS, Group
from freehold.configuration.http_executor import http_problems, http_server
from freehold.configuration.mcp_executor import McpServers, mcp_problems, mcp_tools
from freehold.configuration.models import model_choice, model_problems, model_warnings
from freehold.configuration.naming import with_unique_names
from freehold.configuration.operations import openapi_tools
from freehold.configuration.paths import at, show
from freehold.configuration.reading import plain_data_problems
from freehold.configuration.selection import excerpt_text
from freehold.configuration.triggers import trigger_problems, trigger_warnings
from freehold.configuration.unsupported import UNUSED_IN_AGENT, UNUSED_IN_GROUP, refused
from freehold.configuration.validation import parse
from freehold.decide import MODEL_TIMEOUT_SECONDS
from freehold.errors import Denied, Invalid, NotFound, Problem
from freehold.value import Value
from freehold.values.agent import Agent, Approvals, Context, Inference, Limits, Memory, Tool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from freehold.configuration.document import ApiSchema
    from freehold.values.model import ModelEntry

MOST_PROBLEMS = 50
FAST_SECONDS = 240


class Compiled(Value):
    """A configuration that holds. `source` is what was sent, schemas that were read put in as payload."""

    agent: Agent
    source: dict[str, Any]
    warnings: tuple[str, ...]


class Schemas(Protocol):
    """Where OpenAPI documents are read from, by bucket and key."""

    def read(self, bucket: str, key: str) -> str:
        """Raises `Invalid`, `NotFound` or `Denied`."""
        ...


def compile_agent(
    document: object,
    *,
    name: str | None,
    schemas: Schemas,
    known_model: Callable[[str], ModelEntry | None],
    region: str | None = None,
    mcp: McpServers | None = None,
) -> Compiled:
    """Check `document` and make its tools; raises `Invalid` with every problem.

    `name` is the URL's; `region` is where Amazon Bedrock is asked, if that is known. Where no `mcp` is given, tools of
    MCP servers are left out, with a warning.
    """
    if not isinstance(document, dict):
        raise Invalid(f"is {show(document)}; an agent configuration is an object")
    problems = plain_data_problems(cast("object", document))
    if problems:
        raise Invalid(problems)
    source = cast("dict[str, Any]", document)
    warnings = _unused(source, UNUSED_IN_AGENT, "")
    used = {key: value for key, value in source.items() if key not in UNUSED_IN_AGENT}
    agent = parse(AgentDocument, used, "", problems, also_known=UNUSED_IN_AGENT)
    groups = _Groups(schemas, mcp, problems, warnings)
    tools = groups.tools(source.get("actionGroups"))
    if agent:
        problems += refused(agent)
        added = [*groups.added, *built_in_tools(agent), *collaborator_tools(agent)]
        problems += addition_problems(added, tools)
        tools += tuple(one.tool for one in added)
        problems += _across(agent, tools, name, known_model)
        warnings += [*collaborator_warnings(agent), *model_warnings(agent, tools, known_model, region)]
    if problems or agent is None:
        raise Invalid(_some(problems))
    warnings += trigger_warnings(agent.triggers, "triggers")
    source = {**source, "actionGroups": groups.source} if groups.source else dict(source)
    return Compiled(_agent(agent, tools, known_model), source, tuple(warnings))


def _some(problems: list[Problem]) -> list[Problem]:
    more = len(problems) - MOST_PROBLEMS
    return [*problems[:MOST_PROBLEMS], Problem("", f"and {more} more problems")] if more > 0 else problems


def _unused(given: dict[str, Any], names: Iterable[str], path: str) -> list[str]:
    return [f"{at(path, name)} is not used by Freehold" for name in names if name in given]


@dataclass
class _Groups:
    """Makes the tools of all action groups and, beside them, the groups with their schemas put in."""

    schemas: Schemas
    mcp: McpServers | None
    problems: list[Problem]
    warnings: list[str]

    def __post_init__(self) -> None:
        self.source: list[Any] = []
        self.added: list[Addition] = []

    def tools(self, given: object) -> tuple[Tool, ...]:
        tools: list[Tool] = []
        names: dict[str, str] = {}
        for index, one in enumerate(cast("list[object]", given) if isinstance(given, list) else []):
            path = at("actionGroups", index)
            group = self._parsed(one, path)
            self.source.append(one)
            if group is None:
                continue
            first = names.setdefault(group.action_group_name, path)
            if first != path:
                message = f"is {show(group.action_group_name)}, as in {first}; it must be unique"
                self.problems.append(Problem(at(path, "actionGroupName"), message))
            tools += self._tools_of(group, path, index)
        if len(tools) > MOST_TOOLS:
            message = f"make {len(tools)} tools; at most {MOST_TOOLS} are allowed in one agent"
            self.problems.append(Problem("actionGroups", message))
        return with_unique_names(tools)

    def _parsed(self, one: object, path: str) -> ActionGroup | None:
        if isinstance(one, dict):
            given = cast("dict[str, Any]", one)
            self.warnings += _unused(given, UNUSED_IN_GROUP, path)
            one = {key: value for key, value in given.items() if key not in UNUSED_IN_GROUP}
        return parse(ActionGroup, one, path, self.problems, also_known=UNUSED_IN_GROUP)

    def _tools_of(self, group: ActionGroup, path: str, index: int) -> list[Tool]:
        if group.parent_action_group_signature is not None:
            self.problems += signature_problems(group, path)
            self.added.append(ask_user(group, path))
            return []
        self.problems += _parts_missing(group, path)
        executor = group.action_group_executor
        made = Group(
            group.action_group_name,
            (executor and executor.lambda_arn) or "",
            group.action_group_state == "ENABLED",
            self.problems,
            self.warnings,
            returns_control=bool(executor and executor.custom_control),
            http=http_server(executor and executor.http),
        )
        if executor and executor.http:
            self.problems += http_problems(executor.http, group, path)
        if executor and executor.mcp:
            self.problems += mcp_problems(executor.mcp, group, path)
            return mcp_tools(executor.mcp, made, self.mcp, at(path, "actionGroupExecutor", "mcp"))
        if group.function_schema:
            return function_tools(group.function_schema, made, at(path, "functionSchema"))
        if group.api_schema:
            return self._operations(group.api_schema, made, at(path, "apiSchema"), index)
        return []

    def _operations(self, schema: ApiSchema, group: Group, path: str, index: int) -> list[Tool]:
        text = schema.payload or ""
        if schema.s3:
            try:
                text = self.schemas.read(schema.s3.s3_bucket_name, schema.s3.s3_object_key)
                if schema.operations:
                    # What is stored and shown is no larger than what is used.
                    text = excerpt_text(text, schema.operations, path)
            except Invalid as error:
                self.problems += [_within(problem, path) for problem in error.problems]
                return []
            except (NotFound, Denied) as error:
                self.problems.append(Problem(path, str(error)))
                return []
            asked = {"operations": schema.operations} if schema.operations else {}
            self.source[index] = {**self.source[index], "apiSchema": {"payload": text} | asked}
        return openapi_tools(text, schema.operations, group, path)


def _within(problem: Problem, path: str) -> Problem:
    """A schema bucket does not know whose document it is asked for."""
    return problem if problem.path.startswith(path) else Problem(path, str(problem))


def _parts_missing(group: ActionGroup, path: str) -> Iterator[Problem]:
    if group.action_group_executor is None:
        yield Problem(
            at(path, "actionGroupExecutor"),
            'is required: {"lambda": ARN}, or one of customControl, http and mcp',
        )
    lists_itself = group.action_group_executor is not None and group.action_group_executor.mcp is not None
    if group.api_schema is None and group.function_schema is None and not lists_itself:
        yield Problem(path, "has no tools: exactly one of apiSchema and functionSchema is required")
    if group.api_schema is not None and group.function_schema is not None:
        yield Problem(path, "has both apiSchema and functionSchema; exactly one is allowed")


def _across(
    agent: AgentDocument,
    tools: tuple[Tool, ...],
    name: str | None,
    known_model: Callable[[str], ModelEntry | None],
) -> Iterator[Problem]:
    """What no field shows by itself."""
    if name is not None and agent.agent_name != name:
        yield Problem("agentName", f"is {show(agent.agent_name)}, but the address names {show(name)}")
    yield from collaborator_problems(agent)
    for index, trigger in enumerate(agent.triggers):
        yield from trigger_problems(trigger, at("triggers", index))
    yield from model_problems(agent, known_model)
    if agent.execution_mode == "fast":
        yield from _too_slow(tools)


def _too_slow(tools: tuple[Tool, ...]) -> Iterator[Problem]:
    """Express ends after five minutes: one model call and one round of tools must fit into 240 s."""
    most = FAST_SECONDS - MODEL_TIMEOUT_SECONDS
    slow = [
        tool for tool in tools if tool.enabled and tool.timeout_seconds > most and not tool.returns_control
    ]
    if slow:
        named = ", ".join(f"{tool.name} ({tool.timeout_seconds} s)" for tool in slow)
        yield Problem(
            "executionMode",
            f"cannot be fast: {MODEL_TIMEOUT_SECONDS} s for the model and a round of tools could pass"
            f" {FAST_SECONDS} s; lower timeoutSeconds to at most {most} for {named}, or use durable",
        )


def _agent(
    document: AgentDocument, tools: tuple[Tool, ...], known_model: Callable[[str], ModelEntry | None]
) -> Agent:
    inference, limits = document.inference_configuration, document.limits
    context, memory = document.context_configuration, document.memory_configuration
    approvals, escalation = document.approvals, document.escalation
    return Agent(
        name=document.agent_name,
        model=model_choice(document.foundation_model, known_model),
        instruction=document.instruction,
        tools=tools,
        description=document.description,
        inference=Inference(
            inference.temperature,
            inference.top_p,
            inference.maximum_length,
            tuple(inference.stop_sequences),
            inference.reasoning_effort,
        ),
        limits=Limits(
            limits.max_laps,
            limits.max_tokens,
            None if limits.max_cost_usd is None else Decimal(str(limits.max_cost_usd)),
            limits.timeout_seconds,
            limits.max_concurrent_tools,
            limits.same_call_repeats,
        ),
        idle_session_ttl_seconds=document.idle_session_ttl,
        mode=document.execution_mode,
        tags=document.tags,
        fallback_models=tuple(model_choice(model, known_model) for model in document.fallback_models),
        memory=memory
        and Memory(memory.storage_days, memory.session_summary_configuration.max_recent_sessions),
        context=Context(context.window_tokens, context.compact_at),
        approvals=Approvals(
            approvals.expire_after_seconds, tuple(approvals.approvers), approvals.not_requester
        ),
        on_unknown_outcome=document.on_unknown_outcome,
        escalation_target=(escalation.target if escalation.enabled else None) or "",
    )
