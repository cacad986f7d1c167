"""Tools whose calls wait: for agreement, for whoever asked, for the user, for a person who takes over."""

from __future__ import annotations

import json
from typing import Any

import pytest

from freehold.adapters.argument_check import check_arguments
from freehold.errors import Problem
from freehold.values.agent import Tool

from .conftest import LAMBDA, Workbench

QUEUE = "arn:aws:sqs:us-east-1:123456789012:desk"
ASK = {"actionGroupName": "ask", "parentActionGroupSignature": "AMAZON.UserInput"}


def _tools(bench: Workbench, **changed: Any) -> tuple[Tool, ...]:
    return bench.compile(bench.document(**changed)).agent.tools


# -- confirmation and approval


@pytest.mark.parametrize("on", ["ENABLED", True])
def test_a_guarded_function_waits_and_no_older_release_would_call_it(bench: Workbench, on: Any):
    function = {"name": "refund", "requireApproval": on}

    (tool,) = bench.compile(bench.with_functions(function)).agent.tools

    assert tool.waits == ("approval",)
    assert (tool.lambda_arn, tool.guarded_lambda) == ("", LAMBDA)


@pytest.mark.parametrize("off", ["DISABLED", False])
def test_a_guard_that_is_off_changes_nothing(bench: Workbench, off: Any):
    function = {"name": "refund", "requireApproval": off, "requireConfirmation": off}

    agent = bench.compile(bench.with_functions(function)).agent

    assert agent == bench.compile(bench.with_functions({"name": "refund"})).agent
    assert (agent.tools[0].lambda_arn, agent.tools[0].guarded_lambda) == (LAMBDA, "")


def test_the_user_confirms_before_an_approver_is_asked(bench: Workbench):
    function = {"name": "refund", "requireApproval": True, "requireConfirmation": "ENABLED"}

    (tool,) = bench.compile(bench.with_functions(function)).agent.tools

    assert tool.guards == tool.waits == ("confirmation", "approval")


def _operation(**extensions: Any) -> str:
    post = {"operationId": "refund", "responses": {"200": {"description": "ok"}}, **extensions}
    paths = {"/refunds": {"post": post}}
    return json.dumps({"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": paths})


def test_an_operation_is_guarded_by_its_extensions(bench: Workbench):
    payload = _operation(**{"x-requireConfirmation": "ENABLED", "x-requireApproval": True})

    (tool,) = bench.compile(bench.with_api(payload)).agent.tools

    assert tool.guards == ("confirmation", "approval")
    assert (tool.lambda_arn, tool.guarded_lambda) == ("", LAMBDA)


# -- return of control


def test_control_returns_for_functions_and_for_operations(bench: Workbench):
    executor = {"actionGroupExecutor": {"customControl": "RETURN_CONTROL"}}
    functions = {"functions": [{"name": "locate", "idempotent": True, "requireConfirmation": True}]}
    groups = [
        bench.group(actionGroupName="phone", functionSchema=functions) | executor,
        bench.group(actionGroupName="shop", apiSchema={"payload": _operation()}) | executor,
    ]

    locate, refund = _tools(bench, actionGroups=groups)

    assert (locate.waits, refund.waits) == (("confirmation", "result"), ("result",))
    for tool in (locate, refund):
        assert tool.executor == "returnControl"
        assert (tool.lambda_arn, tool.guarded_lambda) == ("", "")


def test_a_slow_client_does_not_stand_against_fast(bench: Workbench):
    functions = {"functions": [{"name": "locate", "timeoutSeconds": 300}]}
    executor = {"customControl": "RETURN_CONTROL"}
    groups = [bench.group(functionSchema=functions, actionGroupExecutor=executor)]

    assert _tools(bench, actionGroups=groups, executionMode="fast")[0].waits == ("result",)


# -- asking the user


def test_user_input_makes_a_tool_that_asks_one_question(bench: Workbench):
    (tool,) = _tools(bench, actionGroups=[ASK])

    assert (tool.name, tool.action_group, tool.waits, tool.enabled) == ("ask_user", "ask", ("answer",), True)
    assert check_arguments(tool, '{"question": "Which order?"}') is None
    assert "required" in (check_arguments(tool, "{}") or "")


def test_user_input_may_be_disabled(bench: Workbench):
    (tool,) = _tools(bench, actionGroups=[ASK | {"actionGroupState": "DISABLED"}])

    assert not tool.enabled


def test_user_input_stands_alone(bench: Workbench):
    group = bench.group(functionSchema={"functions": [{"name": "f"}]}) | ASK

    problems = bench.problems(bench.document(actionGroups=[group]))

    told = "does not go with AMAZON.UserInput, which stands alone; leave it out"
    assert problems == [
        Problem("actionGroups[0].actionGroupExecutor", told),
        Problem("actionGroups[0].functionSchema", told),
    ]


def test_one_group_for_user_input_is_enough(bench: Workbench):
    groups = [ASK, ASK | {"actionGroupName": "again"}]

    assert bench.problems(bench.document(actionGroups=groups)) == [
        Problem("actionGroups[1]", 'makes the tool "ask_user", as actionGroups[0] does; one is enough')
    ]


def test_a_function_named_as_the_users_question_is_named(bench: Workbench):
    groups = [bench.group(functionSchema={"functions": [{"name": "ask_user"}]}), ASK]

    assert bench.problems(bench.document(actionGroups=groups)) == [
        Problem(
            "actionGroups[1]",
            'makes the tool "ask_user", as the action group "orders" does; rename that one',
        )
    ]


# -- escalation


def test_an_escalation_tells_the_model_when_and_the_agent_where(bench: Workbench):
    escalation = {"enabled": True, "when": "The customer disputes a refund", "target": QUEUE}

    agent = bench.compile(bench.document(escalation=escalation)).agent

    (tool,) = agent.tools
    assert (tool.name, tool.waits) == ("escalate_to_human", ("handback",))
    assert tool.description == "Hands over to a person: The customer disputes a refund"
    assert check_arguments(tool, '{"reason": "Angry", "summary": "Wants 90 euros"}') is None
    assert "required" in (check_arguments(tool, '{"reason": "Angry"}') or "")
    assert agent.escalation_target == QUEUE


@pytest.mark.parametrize("more", [{}, {"when": None, "target": None}])
def test_an_escalation_needs_neither_when_nor_target(bench: Workbench, more: dict[str, Any]):
    agent = bench.compile(bench.document(escalation={"enabled": True, **more})).agent

    assert agent.tools[0].description.startswith("Hands over to a person, who answers")
    assert agent.escalation_target == ""


def test_no_description_is_longer_than_the_strictest_provider_takes(bench: Workbench):
    (tool,) = _tools(bench, escalation={"enabled": True, "when": "x" * 1_000})

    assert len(tool.description) <= 1_024
    assert "x" * 1_000 in tool.description


def test_an_escalation_that_is_off_is_kept_for_later(bench: Workbench):
    agent = bench.compile(
        bench.document(escalation={"enabled": False, "when": "Never", "target": QUEUE})
    ).agent

    assert agent == bench.compile(bench.document()).agent


@pytest.mark.parametrize(
    "target",
    [
        "arn:aws:sns:eu-central-1:123456789012:desk",
        "arn:aws-us-gov:sqs:us-gov-west-1:123456789012:desk",
        "arn:aws:sqs:us-east-1:123456789012:desk.fifo",
    ],
)
def test_queues_and_topics_of_every_partition_are_targets(bench: Workbench, target: str):
    document = bench.document(escalation={"enabled": True, "target": target})

    assert bench.compile(document).agent.escalation_target == target


# -- all together


def test_every_kind_of_tool_counts_among_those_that_an_agent_may_have(bench: Workbench):
    functions = {"functions": [{"name": f"f{index}"} for index in range(125)]}
    document = bench.document(
        actionGroups=[ASK, bench.group(functionSchema=functions)], escalation={"enabled": True}
    )
    other = {"agent": "other", "collaborationInstruction": "Knows more"}

    full = bench.compile({**document, "agentCollaborators": [other]}).agent
    problems = bench.problems({**document, "builtInTools": ["read_more"], "agentCollaborators": [other]})

    assert len(full.tools) == 128
    assert problems == [
        Problem("agentCollaborators", "takes the tools to 129; at most 128 are allowed in one agent")
    ]
