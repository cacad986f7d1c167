"""What a configuration becomes, and which fields are taken, warned about or refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from freehold.errors import Problem
from freehold.values.agent import Approvals, Context, Inference, Limits, Memory, ModelChoice

from .conftest import LAMBDA, Workbench

CUSTOMER_SUPPORT = {
    "agentName": "customer-support-agent",
    "foundationModel": "openai.gpt-5.5-v1",
    "instruction": "You are a customer support agent for Acme Corp. Answer questions about orders, returns, "
    "and product availability. Escalate complex refund disputes to a human agent.",
    "actionGroups": [
        {
            "actionGroupName": "order-lookup",
            "apiSchema": "s3://my-bucket/order-api-schema.json",
            "actionGroupExecutor": {"lambda": LAMBDA},
        }
    ],
    "memoryConfiguration": {"enabledMemoryTypes": ["SESSION_SUMMARY"], "storageDays": 30},
}


def test_the_contracts_customer_support_agent_compiles_as_it_stands(bench: Workbench):
    compiled = bench.compile(CUSTOMER_SUPPORT, name="customer-support-agent")

    assert [tool.name for tool in compiled.agent.tools] == ["findBook", "lend", "renew", "head_desk"]
    assert {tool.lambda_arn for tool in compiled.agent.tools} == {LAMBDA}
    assert compiled.agent.memory == Memory(storage_days=30, max_recent_sessions=20)
    assert compiled.warnings == ()


def test_a_schema_read_from_s3_stands_in_the_source_as_payload(bench: Workbench):
    compiled = bench.compile(CUSTOMER_SUPPORT)

    assert compiled.source["actionGroups"][0]["apiSchema"] == {"payload": bench.library}
    assert CUSTOMER_SUPPORT["actionGroups"][0]["apiSchema"] == "s3://my-bucket/order-api-schema.json"
    assert bench.compile(compiled.source) == compiled


def test_both_ways_to_name_an_s3_object_give_the_same_agent(bench: Workbench):
    s3 = {"s3BucketName": "my-bucket", "s3ObjectKey": "order-api-schema.json"}
    groups = [bench.group(apiSchema={"s3": s3}, actionGroupName="order-lookup")]

    compiled = bench.compile({**CUSTOMER_SUPPORT, "actionGroups": groups})

    assert compiled.agent == bench.compile(CUSTOMER_SUPPORT).agent


def test_the_smallest_agent_gets_the_documented_defaults(bench: Workbench):
    agent = bench.compile(bench.document()).agent

    assert (agent.name, agent.instruction, agent.tools) == ("helper", "Help.", ())
    assert agent.model == ModelChoice("openai.gpt-5.5-v1")
    assert (agent.limits, agent.inference) == (Limits(), Inference())
    assert (agent.memory, agent.context) == (None, Context(window_tokens=None, compact_at=0.6))
    assert (agent.mode, agent.idle_session_ttl_seconds) == ("durable", 86_400)
    assert agent.approvals == Approvals(259_200, ("scope:approve",), not_requester=True)
    assert (agent.on_unknown_outcome, agent.escalation_target) == ("report", "")


def test_every_setting_arrives_in_the_agent(bench: Workbench):
    limits = {"maxLaps": 7, "maxTokens": 9_000, "maxCostUsd": 0.1, "timeoutSeconds": 60}
    document = bench.document(
        foundationModel={"model": "openai.gpt-5.5-v1", "api": "openai_compatible"},
        description="Helps",
        tags={"team": "blue"},
        executionMode="fast",
        idleSessionTTLInSeconds=600,
        limits={**limits, "maxConcurrentTools": 40, "sameCallRepeats": 1},
        inferenceConfiguration={
            "temperature": 0,
            "topP": 0.5,
            "maximumLength": 100,
            "stopSequences": ["END"],
            "reasoningEffort": "low",
        },
        memoryConfiguration={
            "enabledMemoryTypes": ["SESSION_SUMMARY"],
            "storageDays": 7,
            "sessionSummaryConfiguration": {"maxRecentSessions": 3},
        },
        contextConfiguration={"windowTokens": 32_000, "compactAt": 0.25},
        approvals={
            "expireAfterSeconds": 60,
            "approvers": ["key:0123456789ab", "scope:admin"],
            "notRequester": False,
        },
        onUnknownOutcome="ask",
    )

    agent = bench.compile(document).agent

    assert agent.limits == Limits(7, 9_000, Decimal("0.1"), 60, 40, 1)
    assert agent.inference == Inference(0.0, 0.5, 100, ("END",), "low")
    assert (agent.description, agent.tags, agent.mode) == ("Helps", {"team": "blue"}, "fast")
    assert agent.idle_session_ttl_seconds == 600
    assert (agent.memory, agent.context) == (Memory(7, 3), Context(32_000, 0.25))
    assert agent.approvals == Approvals(60, ("key:0123456789ab", "scope:admin"), not_requester=False)
    assert agent.on_unknown_outcome == "ask"


def test_fields_of_classic_without_use_are_accepted_and_named(bench: Workbench):
    group = bench.group(functionSchema={"functions": [{"name": "f"}]}, clientToken="t" * 33)
    unused = {"agentResourceRoleArn": "arn:aws:iam::1:role/x", "promptOverrideConfiguration": {"any": [1]}}

    compiled = bench.compile(bench.document(actionGroups=[group], **unused))

    assert compiled.warnings == (
        "agentResourceRoleArn is not used by Freehold",
        "promptOverrideConfiguration is not used by Freehold",
        "actionGroups[0].clientToken is not used by Freehold",
    )


@pytest.mark.parametrize(
    ("field", "asked"),
    [
        ("guardrailConfiguration", {"guardrailIdentifier": "g", "guardrailVersion": "1"}),
        ("dataPolicy", {"logContent": "none"}),
    ],
)
def test_a_valid_field_without_its_behaviour_is_refused(bench: Workbench, field: str, asked: Any):
    (problem,) = bench.problems(bench.document(**{field: asked}))

    assert problem.path == field
    assert problem.message.startswith("is not supported in this version")


def test_a_field_that_asks_for_the_default_is_no_request(bench: Workbench):
    document = bench.document(
        onUnknownOutcome="report",
        escalation={"enabled": False},
        builtInTools=[],
        triggers=[],
        agentCollaborators=[],
        agentCollaboration="SUPERVISOR",
        approvals={},
        dataPolicy={"inference": "any", "logContent": "full"},
        guardrailConfiguration=None,
        limits=None,
    )

    assert bench.compile(document).agent == bench.compile(bench.document()).agent


def test_the_address_and_the_document_must_name_the_same_agent(bench: Workbench):
    assert bench.problems(bench.document(), name="other") == [
        Problem("agentName", 'is "helper", but the address names "other"')
    ]


@pytest.mark.parametrize(
    ("given", "choice"),
    [
        ("openai.gpt-5.5-v1", ModelChoice("openai.gpt-5.5-v1")),
        ({"model": "unpriced"}, ModelChoice("unpriced")),
        ({"model": "llama3:8b", "api": "openai_compatible"}, ModelChoice("llama3:8b", "openai_compatible")),
        (
            "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123",
            ModelChoice(
                "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123", "converse"
            ),
        ),
    ],
)
def test_a_model_may_be_named_in_four_ways(bench: Workbench, given: Any, choice: ModelChoice):
    assert bench.compile(bench.document(foundationModel=given)).agent.model == choice


def test_an_unknown_model_needs_its_api(bench: Workbench):
    (problem,) = bench.problems(bench.document(foundationModel="gpt-9"))

    assert problem.path == "foundationModel"
    assert '{"model": "gpt-9", "api": …}' in problem.message
    assert "converse, responses, openai_compatible or rehearsal" in problem.message


@pytest.mark.parametrize("model", ["unpriced", {"model": "mine", "api": "openai_compatible"}])
def test_money_cannot_be_limited_without_a_price(bench: Workbench, model: Any):
    (problem,) = bench.problems(bench.document(foundationModel=model, limits={"maxCostUsd": 1}))

    assert problem.path == "limits.maxCostUsd"
    assert "price" in problem.message


def test_fast_is_refused_where_a_round_of_tools_may_take_too_long(bench: Workbench):
    document = bench.with_functions({"name": "quick"}, {"name": "slow", "timeoutSeconds": 131})

    (problem,) = bench.problems({**document, "executionMode": "fast"})

    assert problem.path == "executionMode"
    assert "110 s for the model" in problem.message
    assert "at most 130 for slow (131 s)" in problem.message
    assert "quick" not in problem.message


def test_a_disabled_slow_tool_does_not_stand_against_fast(bench: Workbench):
    functions = {"functions": [{"name": "slow", "timeoutSeconds": 300}]}
    group = bench.group(functionSchema=functions, actionGroupState="DISABLED")

    agent = bench.compile(bench.document(actionGroups=[group], executionMode="fast")).agent

    assert [(tool.name, tool.enabled) for tool in agent.tools] == [("slow", False)]


def test_more_than_128_tools_are_refused_over_all_groups(bench: Workbench):
    def group(name: str, count: int) -> dict[str, Any]:
        functions = [{"name": f"{name}{index}"} for index in range(count)]
        return bench.group(actionGroupName=name, functionSchema={"functions": functions})

    full = bench.document(actionGroups=[group("a", 100), group("b", 28)])
    over = bench.document(actionGroups=[group("a", 100), group("b", 29)])

    assert len(bench.compile(full).agent.tools) == 128
    assert bench.problems(over) == [
        Problem("actionGroups", "make 129 tools; at most 128 are allowed in one agent")
    ]


def test_every_problem_of_every_group_is_reported_at_once(bench: Workbench):
    groups = [
        bench.group(actionGroupName="a", apiSchema="s3://my-bucket/missing.json"),
        bench.group(actionGroupName="a", functionSchema={"functions": [{"name": "f", "timeoutSeconds": 0}]}),
        bench.group(actionGroupName="b"),
    ]

    problems = bench.problems(bench.document(actionGroups=groups, limits={"maxLaps": 0}, approvals={}))

    assert [problem.path for problem in problems] == [
        "limits.maxLaps",
        "actionGroups[0].apiSchema",
        "actionGroups[1].functionSchema.functions[0].timeoutSeconds",
        "actionGroups[2]",
    ]
