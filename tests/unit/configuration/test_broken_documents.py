"""Breaks a full configuration in one place at a time: the error names that place and nothing else."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from .conftest import LAMBDA, Workbench

FULL: dict[str, Any] = {
    "agentName": "helper",
    "description": "Helps",
    "tags": {"team": "blue"},
    "foundationModel": {"model": "openai.gpt-5.5-v1", "api": "openai_compatible"},
    "instruction": "Help.",
    "inferenceConfiguration": {
        "temperature": 0.5,
        "topP": 0.5,
        "maximumLength": 10,
        "stopSequences": ["a"],
        "reasoningEffort": "low",
    },
    "memoryConfiguration": {
        "enabledMemoryTypes": ["SESSION_SUMMARY"],
        "storageDays": 30,
        "sessionSummaryConfiguration": {"maxRecentSessions": 20},
    },
    "contextConfiguration": {"windowTokens": 64_000, "compactAt": 0.6},
    "builtInTools": ["read_more", "current_time"],
    "idleSessionTTLInSeconds": 600,
    "limits": {
        "maxLaps": 25,
        "maxTokens": 1,
        "maxCostUsd": 1.5,
        "timeoutSeconds": 900,
        "maxConcurrentTools": 10,
        "sameCallRepeats": 3,
    },
    "executionMode": "durable",
    "approvals": {"expireAfterSeconds": 3_600, "approvers": ["scope:approve"], "notRequester": True},
    "onUnknownOutcome": "report",
    "escalation": {
        "enabled": True,
        "when": "Refunds are disputed",
        "target": "arn:aws:sqs:us-east-1:123456789012:desk",
    },
    "agentCollaboration": "SUPERVISOR",
    "agentCollaborators": [
        {
            "agent": "billing",
            "alias": "live",
            "collaborationInstruction": "Knows invoices",
            "relayConversationHistory": "DISABLED",
            "collaboratorName": "invoices",
        }
    ],
    "dataPolicy": {"inference": "any", "regions": [], "logContent": "full"},
    "actionGroups": [
        {
            "actionGroupName": "orders",
            "description": "Orders",
            "actionGroupState": "ENABLED",
            "actionGroupExecutor": {"lambda": LAMBDA},
            "apiSchema": {"s3": {"s3BucketName": "my-bucket", "s3ObjectKey": "order-api-schema.json"}},
        },
        {
            "actionGroupName": "returns",
            "actionGroupExecutor": {"lambda": LAMBDA},
            "functionSchema": {
                "functions": [
                    {
                        "name": "open",
                        "description": "Opens a return",
                        "parameters": {
                            "order": {"type": "string", "description": "Number", "required": True}
                        },
                        "requireConfirmation": "ENABLED",
                        "requireApproval": True,
                        "idempotent": False,
                        "timeoutSeconds": 30,
                        "maxAttempts": 1,
                    },
                    {
                        "name": "list",
                        "inputSchema": {"type": "object", "properties": {"n": {"type": "integer"}}},
                    },
                ]
            },
        },
        {
            "actionGroupName": "client",
            "actionGroupExecutor": {"customControl": "RETURN_CONTROL"},
            "functionSchema": {"functions": [{"name": "locate"}]},
        },
        {"actionGroupName": "ask", "parentActionGroupSignature": "AMAZON.UserInput"},
    ],
}
# Free text and free JSON: their content is not judged by the configuration's own shape.
FREE = ("inputSchema.",)


def _places(node: object, path: str = "") -> list[tuple[str, list[str | int]]]:
    """Every field and entry: its path as messages write it, and the steps to it."""
    found: list[tuple[str, list[str | int]]] = []
    if isinstance(node, dict):
        children = [(f"{path}.{key}".removeprefix("."), key, value) for key, value in node.items()]
    elif isinstance(node, list):
        children = [(f"{path}[{index}]", index, value) for index, value in enumerate(node)]
    else:
        children = []
    for here, step, value in children:
        if not any(free in here for free in FREE):
            found.append((here, [step]))
            found += [(inner, [step, *steps]) for inner, steps in _places(value, here)]
    return found


def _put(steps: list[str | int], value: object) -> dict[str, Any]:
    broken = copy.deepcopy(FULL)
    holder: Any = broken
    for step in steps[:-1]:
        holder = holder[step]
    holder[steps[-1]] = value
    return broken


PLACES = _places(FULL)
FIELDS = [(path, steps) for path, steps in PLACES if isinstance(steps[-1], str) and path != "tags.team"]
KNOWN_NAMES = [(path, steps) for path, steps in FIELDS if not path.endswith("parameters.order")]


def test_the_configuration_that_is_broken_below_holds(bench: Workbench):
    compiled = bench.compile(FULL)

    assert len(compiled.agent.tools) == 12
    assert len(PLACES) > 80


@pytest.mark.parametrize(("path", "steps"), PLACES, ids=[path for path, _ in PLACES])
def test_a_value_of_the_wrong_type_is_reported_alone_at_its_path(
    bench: Workbench, path: str, steps: list[str | int]
):
    right: Any = FULL
    for step in steps:
        right = right[step]

    problems = bench.problems(_put(steps, 7 if isinstance(right, list) else ["wrong"]))

    assert [problem.path for problem in problems] == [path]
    assert "must be" in problems[0].message


@pytest.mark.parametrize(("path", "steps"), KNOWN_NAMES, ids=[path for path, _ in KNOWN_NAMES])
def test_a_misspelt_field_is_reported_once_with_the_name_that_was_meant(
    bench: Workbench, path: str, steps: list[str | int]
):
    name = str(steps[-1])
    misspelt = f"{name}s" if len(name) < 5 else name[:2] + name[3:]
    broken = _put(steps, None)
    holder: Any = broken
    good: Any = FULL
    for step in steps[:-1]:
        holder, good = holder[step], good[step]
    del holder[name]
    holder[misspelt] = good[name]

    problems = bench.problems(broken)

    assert f"{path.removesuffix(name)}{misspelt}" in [problem.path for problem in problems]
    meant = next(problem for problem in problems if problem.path.endswith(misspelt))
    assert f"did you mean `{name}`?" in meant.message
    assert len(problems) == 1


@pytest.mark.parametrize(
    ("path", "value", "allowed"),
    [
        ("agentName", "two words", "1 to 100 of letters, digits, - and _"),
        ("agentName", "x" * 101, "1 to 100 of letters"),
        ("instruction", "", "must not be empty"),
        ("instruction", "x" * 100_001, "at most 100,000"),
        ("description", "x" * 201, "at most 200"),
        ("foundationModel.api", "convers", "did you mean `converse`?"),
        ("inferenceConfiguration.temperature", -0.1, "at least 0"),
        ("inferenceConfiguration.topP", 1.1, "at most 1"),
        ("inferenceConfiguration.stopSequences", list("abcde"), "at most 4"),
        ("memoryConfiguration.storageDays", 366, "at most 365"),
        ("memoryConfiguration.enabledMemoryTypes", [], "at least 1"),
        ("memoryConfiguration.sessionSummaryConfiguration.maxRecentSessions", 0, "at least 1"),
        ("memoryConfiguration.sessionSummaryConfiguration.maxRecentSessions", 101, "at most 100"),
        ("contextConfiguration.windowTokens", 1_999, "at least 2,000"),
        ("contextConfiguration.compactAt", 0.09, "at least 0.1"),
        ("contextConfiguration.compactAt", 0.91, "at most 0.9"),
        ("builtInTools[1]", "read_mor", "did you mean `read_more`?"),
        ("builtInTools[1]", "read_more", "as builtInTools[0] does; one is enough"),
        ("idleSessionTTLInSeconds", 59, "at least 60"),
        ("limits.maxLaps", 25.5, "a whole number"),
        ("limits.maxLaps", True, "a whole number"),
        ("limits.maxCostUsd", 0, "more than 0"),
        ("limits.maxConcurrentTools", 41, "at most 40"),
        ("executionMode", "FAST", "did you mean `fast`?"),
        ("tags", {"k" * 129: "v"}, "at most 128"),
        ("actionGroups", [{}] * 51, "at most 50"),
        ("actionGroups[0].actionGroupName", "no spaces", "letters, digits, - and _"),
        ("actionGroups[0].actionGroupState", "OFF", "ENABLED or DISABLED"),
        ("actionGroups[0].apiSchema", "http://x/y", "s3://BUCKET/KEY"),
        ("actionGroups[0].apiSchema", "s3://my-bucket", "s3://BUCKET/KEY"),
        ("actionGroups[0].apiSchema", "s3://my-bucket/none", "does not exist"),
        ("actionGroups[0].apiSchema", {"file": "orders.yaml"}, "freehold apply"),
        ("actionGroups[0].apiSchema", {}, "exactly one of s3 and payload"),
        ("actionGroups[0].apiSchema.s3.s3BucketName", "UPPER", "lower-case"),
        ("actionGroups[0].actionGroupExecutor", {}, "exactly one of lambda"),
        ("actionGroups[1].functionSchema.functions", [], "at least 1"),
        ("actionGroups[1].functionSchema.functions[0].timeoutSeconds", 301, "at most 300"),
        ("actionGroups[1].functionSchema.functions[0].maxAttempts", 11, "at most 10"),
        ("actionGroups[1].functionSchema.functions[1].name", "open", "another function"),
        ("actionGroups[1].functionSchema.functions[0].requireConfirmation", "YES", "ENABLED or DISABLED"),
        ("actionGroups[1].functionSchema.functions[0].requireApproval", 1, "ENABLED or DISABLED"),
        ("actionGroups[2].actionGroupExecutor.customControl", "RETURN_CONTOL", "must be RETURN_CONTROL"),
        ("actionGroups[3].parentActionGroupSignature", "AMAZON.CodeInterpreter", "must be AMAZON.UserInput"),
        ("approvals.expireAfterSeconds", 59, "at least 60"),
        ("approvals.expireAfterSeconds", 2_592_001, "at most 2,592,000"),
        ("approvals.approvers", [], "at least 1"),
        ("approvals.approvers", ["scope:approve"] * 51, "at most 50"),
        ("approvals.approvers[0]", "approve", "such as key:0123456789ab, or a scope"),
        ("approvals.approvers[0]", "scope:boss", "must be run, read, approve or admin"),
        ("approvals.approvers[0]", "key:two words", "must be a principal"),
        ("escalation.when", "x" * 1_001, "at most 1,000"),
        ("escalation.target", "arn:aws:lambda:us-east-1:123456789012:function:x", "arn:aws:sqs:REGION"),
        ("escalation.target", "arn:aws:sns:us-east-1:12345:topic", "arn:aws:sns:REGION"),
        ("escalation.target", "https://sqs.us-east-1.amazonaws.com/1/desk", "a queue or a topic"),
        ("agentCollaboration", "SUPERVISOR_ROUTER", "must be SUPERVISOR or DISABLED"),
        ("agentCollaborators", [{}] * 21, "at most 20"),
        ("agentCollaborators[0].agent", "helper", "this agent itself"),
        ("agentCollaborators[0].agent", "two words", "letters, digits, - and _"),
        ("agentCollaborators[0].collaborationInstruction", "", "must not be empty"),
        ("agentCollaborators[0].collaborationInstruction", "x" * 4_001, "at most 4,000"),
        ("agentCollaborators[0].relayConversationHistory", "ALL", "TO_COLLABORATOR or DISABLED"),
        ("onUnknownOutcome", "asks", "must be report or ask (did you mean `ask`?)"),
        ("actionGroups[1].functionSchema.functions[0].parameters.order.type", "object", "boolean or array"),
        ("actionGroups[1].actionGroupName", "orders", "must be unique"),
    ],
)
def test_a_passed_limit_is_reported_with_what_is_allowed(
    bench: Workbench, path: str, value: object, allowed: str
):
    steps = next(steps for here, steps in PLACES if here == path)

    problems = bench.problems(_put(steps, value))

    assert problems[0].path.startswith(path)
    assert allowed in problems[0].message
    assert len(problems) == 1 or path == "actionGroups"


@pytest.mark.parametrize("path", ["agentName", "foundationModel", "instruction"])
def test_a_required_field_that_is_missing_is_named(bench: Workbench, path: str):
    without = {key: value for key, value in FULL.items() if key != path}

    assert [(p.path, p.message) for p in bench.problems(without)] == [(path, "is required")]
    assert [(p.path, p.message) for p in bench.problems({**FULL, path: None})] == [(path, "is required")]


@pytest.mark.parametrize(
    ("arn", "rule"),
    [
        ("order-lookup", "arn:aws:lambda:REGION:ACCOUNT:function:NAME"),
        ("arn:aws:s3:us-east-1:123456789012:function:x", "names the service lambda"),
        ("arn:aws:lambda:useast1:123456789012:function:x", "a region like us-east-1"),
        ("arn:aws:lambda:us-east-1:12345:function:x", "an account of 12 digits"),
        ("arn:aws:lambda:us-east-1:123456789012:layer:x", "names a function"),
        ("arn:aws:lambda:us-east-1:123456789012:function:a b", "1 to 64 letters"),
        ("arn:aws:lambda:us-east-1:123456789012:function:x:$NEWEST", "a version, an alias or $LATEST"),
        ("arn:aws:lambda:us-east-1:123456789012:function:x\n", "1 to 64 letters"),
    ],
)
def test_an_arn_that_names_no_function_is_refused_with_the_part_that_is_wrong(
    bench: Workbench, arn: str, rule: str
):
    (problem,) = bench.problems(_put(["actionGroups", 0, "actionGroupExecutor", "lambda"], arn))

    assert problem.path == "actionGroups[0].actionGroupExecutor.lambda"
    assert rule in problem.message


@pytest.mark.parametrize("arn", [LAMBDA, f"{LAMBDA}:$LATEST", f"{LAMBDA}:12", f"{LAMBDA}:live-1"])
@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_function_arns_of_every_partition_and_qualifier_are_accepted(
    bench: Workbench, arn: str, partition: str
):
    arn = arn.replace("arn:aws:", f"arn:{partition}:")

    compiled = bench.compile(_put(["actionGroups", 0, "actionGroupExecutor", "lambda"], arn))

    assert compiled.agent.tools[0].lambda_arn == arn


@pytest.mark.parametrize("document", [None, "agent", 7, [], [{}]])
def test_what_is_no_object_is_no_configuration(bench: Workbench, document: object):
    (problem,) = bench.problems(document)

    assert "an agent configuration is an object" in problem.message


@pytest.mark.parametrize(
    ("value", "fault"),
    [(float("nan"), "finite"), (float("inf"), "finite"), ("\ud800", "Unicode"), (b"x", "type bytes")],
)
def test_what_json_cannot_carry_is_refused_where_it_stands(bench: Workbench, value: object, fault: str):
    schema = {"type": "object", "properties": {"n": {"default": value}}}

    (problem,) = bench.problems(bench.with_functions({"name": "f", "inputSchema": schema}))

    where = "actionGroups[0].functionSchema.functions[0].inputSchema.properties.n.default"
    assert (problem.path, fault in problem.message) == (where, True)


def test_a_bottomless_document_is_refused(bench: Workbench):
    deep: dict[str, Any] = {}
    for _ in range(5_000):
        deep = {"a": deep}

    (problem,) = bench.problems(bench.document(tags=deep))

    assert "100 levels" in problem.message


def test_a_flood_of_problems_is_cut_and_counted(bench: Workbench):
    problems = bench.problems(bench.document(**{f"field-number-{index}": 1 for index in range(80)}))

    assert len(problems) == 51
    assert problems[-1].message == "and 30 more problems"
