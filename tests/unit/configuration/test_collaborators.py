"""Other agents stand beside an agent's own tools."""

from __future__ import annotations

import re
from typing import Any

import pytest

from freehold.adapters.argument_check import check_arguments
from freehold.errors import Problem
from freehold.values.agent import Collaborator, Tool

from .conftest import Workbench


def _with(bench: Workbench, *collaborators: dict[str, Any], **changed: Any) -> dict[str, Any]:
    return bench.document(agentCollaborators=list(collaborators), **changed)


def _asks(agent: str, **changed: Any) -> dict[str, Any]:
    return {"agent": agent, "collaborationInstruction": f"Knows {agent}."} | changed


def _tools(bench: Workbench, *collaborators: dict[str, Any]) -> list[Tool]:
    return list(bench.compile(_with(bench, *collaborators)).agent.tools)


def test_another_agent_is_a_tool_that_takes_a_message(bench: Workbench):
    (tool,) = _tools(bench, _asks("billing"))

    assert (tool.name, tool.description, tool.action_group) == ("billing", "Knows billing.", "collaborators")
    assert (tool.collaborator, tool.executor) == (Collaborator("billing"), "agent")
    assert (tool.waits, tool.idempotent, tool.lambda_arn) == (("agent",), True, "")
    assert check_arguments(tool, '{"message": "Is 7 paid?"}') is None
    assert "required" in (check_arguments(tool, "{}") or "")


def test_alias_history_and_a_name_of_its_own_arrive_in_the_tool(bench: Workbench):
    asked = _asks(
        "billing", alias="live", relayConversationHistory="TO_COLLABORATOR", collaboratorName="ask-invoices"
    )

    (tool,) = _tools(bench, asked)

    assert tool.name == "ask-invoices"
    assert tool.collaborator == Collaborator("billing", "live", relays=True)


def test_a_long_name_is_shortened_and_stays_apart(bench: Workbench):
    first, second = _tools(bench, *(_asks("b" * 99 + end) for end in "xy"))

    assert re.fullmatch(r"b{55}_[0-9a-f]{8}", first.name)
    assert first.name != second.name


def test_what_the_model_does_not_see_of_an_instruction_is_warned_of(bench: Workbench):
    compiled = bench.compile(_with(bench, _asks("billing", collaborationInstruction="Word. " * 300)))

    assert len(compiled.agent.tools[0].description) <= 1_000
    assert compiled.warnings == (
        "agentCollaborators[0].collaborationInstruction has 1,799 characters; the model sees the first 1,000",
    )


def test_a_supervisor_is_what_an_agent_with_collaborators_is(bench: Workbench):
    plain = bench.compile(_with(bench, _asks("billing")))
    supervisor = bench.compile(_with(bench, _asks("billing"), agentCollaboration="SUPERVISOR"))

    assert supervisor.agent == plain.agent
    assert supervisor.warnings == ()


def test_collaboration_that_is_disabled_offers_none_and_says_so(bench: Workbench):
    compiled = bench.compile(_with(bench, _asks("billing"), agentCollaboration="DISABLED"))

    assert [(tool.name, tool.enabled) for tool in compiled.agent.tools] == [("billing", False)]
    assert compiled.warnings == ("agentCollaborators are not offered, since agentCollaboration is DISABLED",)


def test_an_agent_cannot_ask_itself(bench: Workbench):
    assert bench.problems(_with(bench, _asks("billing"), _asks("helper"))) == [
        Problem("agentCollaborators[1].agent", 'is "helper", this agent itself; name another one')
    ]


def test_a_collaborator_of_classic_is_refused_with_what_to_write(bench: Workbench):
    asked = {"agentDescriptor": {"aliasArn": "arn:aws:bedrock:x"}, "collaborationInstruction": "Knows all"}

    (problem,) = bench.problems(_with(bench, asked))

    assert problem.path == "agentCollaborators[0]"
    assert 'write {"agent": NAME, "alias": NAME} instead' in problem.message


@pytest.mark.parametrize(
    ("others", "maker"),
    [
        ({"agentCollaborators": [_asks("billing"), _asks("billing", alias="old")]}, "agentCollaborators[0]"),
        (
            {"builtInTools": ["read_more"], "agentCollaborators": [_asks("books"), _asks("read_more")]},
            "builtInTools[0]",
        ),
        (
            {
                "escalation": {"enabled": True},
                "agentCollaborators": [_asks("books"), _asks("escalate_to_human")],
            },
            "escalation",
        ),
    ],
)
def test_a_collaborator_named_as_another_tool_is_told_how_to_differ(
    bench: Workbench, others: dict[str, Any], maker: str
):
    name = others["agentCollaborators"][1]["agent"]

    assert bench.problems(bench.document(**others)) == [
        Problem(
            "agentCollaborators[1]",
            f'makes the tool "{name}", as {maker} does; give it another collaboratorName',
        )
    ]


def test_a_collaborator_named_as_a_function_is_told_how_to_differ(bench: Workbench):
    document = bench.with_functions({"name": "billing"}) | {"agentCollaborators": [_asks("billing")]}

    (problem,) = bench.problems(document)

    assert problem == Problem(
        "agentCollaborators[0]",
        'makes the tool "billing", as the action group "orders" does; give it another collaboratorName',
    )


def test_the_same_agent_may_stand_for_two_tools(bench: Workbench):
    new, old = _tools(bench, _asks("billing"), _asks("billing", alias="old", collaboratorName="billing_old"))

    assert (new.name, old.name) == ("billing", "billing_old")
