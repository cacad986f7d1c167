"""`template.yaml`: least privilege, deadlines, dead letters, and an end for everything that is kept."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

import pytest

from .deployment import ROOT, folder, functions, resources, template, value
from .source import read, sources

FUNCTIONS = functions()
# X-Ray and log delivery know no resources: the one statement that may have them all.
EVERYWHERE = {"LogsAndTraces"}
GIVEN_BY_LAMBDA = {"AWS_REGION"}


def statements(given: Any) -> Iterator[dict[str, Any]]:
    """Every statement of policies below `given`, conditions' branches included."""
    if isinstance(given, dict):
        if "Effect" in given:
            yield given
        else:
            for inner in given.values():
                yield from statements(inner)
    elif isinstance(given, list):
        for inner in given:
            yield from statements(inner)


def listed(given: Any) -> list[Any]:
    return given if isinstance(given, list) else [given]


def allowing() -> list[tuple[str, dict[str, Any]]]:
    """What the template allows, with the resource that says so."""
    return [
        (name, statement)
        for name, resource in template()["Resources"].items()
        for statement in statements(resource)
        if statement["Effect"] == "Allow" and "AssumeRole" not in str(statement["Action"])
    ]


@pytest.mark.parametrize(
    ("name", "statement"), allowing(), ids=lambda given: given if isinstance(given, str) else ""
)
def test_no_statement_allows_more_than_it_names(name: str, statement: dict[str, Any]):
    actions, places = listed(statement["Action"]), listed(statement["Resource"])

    assert statement["Sid"]
    assert not [action for action in actions if "*" in action]
    assert statement["Sid"] in EVERYWHERE or "*" not in places
    assert all(":" in action for action in actions)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_has_a_role_of_its_own(name: str):
    """SAM makes one for each function that brings no role."""
    assert "Role" not in FUNCTIONS[name]
    assert list(statements(FUNCTIONS[name]["Policies"]))
    assert all(isinstance(policy, dict) for policy in FUNCTIONS[name]["Policies"]), (
        "managed policies are too wide"
    )


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_runs_where_its_layers_were_built_for(name: str):
    function = FUNCTIONS[name]

    assert (function["Runtime"], function["Architectures"]) == ("python3.13", ["arm64"])
    assert function["Handler"] == "app.lambda_handler"
    assert function["Timeout"]
    assert len(function["Layers"]) == 2
    assert (ROOT / function["CodeUri"] / "app.py").is_file()


def test_every_folder_of_functions_is_deployed():
    folders = {source.path.parent.name for source in sources("functions")}

    assert {folder(function) for function in FUNCTIONS.values()} == folders


def test_every_log_has_an_end():
    logs = resources("AWS::Logs::LogGroup").values()
    named = str([log["LogGroupName"] for log in logs])

    assert all(log["RetentionInDays"] for log in logs)
    for name in FUNCTIONS:
        assert f"/aws/lambda/${{{name}}}" in named


@pytest.mark.parametrize("table", ["SessionsTable", "AgentsTable"])
def test_a_table_ends_its_items_and_can_be_restored(table: str):
    given = resources("AWS::DynamoDB::Table")[table]
    resource = template()["Resources"][table]

    assert given["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert given["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
    assert given["SSESpecification"]["SSEEnabled"] is True
    assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_every_asynchronous_edge_has_dead_letters():
    asynchronous = [
        (name, event)
        for name, function in FUNCTIONS.items()
        for event in function.get("Events", {}).values()
        if event["Type"] != "Api"
    ]
    assert asynchronous
    for name, event in asynchronous:
        assert event["Properties"]["DeadLetterConfig"]["Arn"], f"{name}'s {event['Type']} has none"
        assert FUNCTIONS[name]["EventInvokeConfig"]["DestinationConfig"]["OnFailure"], f"{name} has none"


def test_data_is_private_and_travels_over_tls():
    bucket = resources("AWS::S3::Bucket")["ContentBucket"]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}

    for kind, guarded in (("AWS::S3::BucketPolicy", 1), ("AWS::SQS::QueuePolicy", 1)):
        found = [each for policy in resources(kind).values() for each in statements(policy)]
        plain = [
            each
            for each in found
            if each.get("Condition", {}).get("Bool") == {"aws:SecureTransport": "false"}
        ]
        assert [each["Effect"] for each in plain] == ["Deny"] * guarded


def test_a_run_is_not_taken_for_lost_while_a_step_may_still_be_at_work():
    defaults = {name: parameter.get("Default") for name, parameter in template()["Parameters"].items()}

    assert defaults["RunToolLambdaSeconds"] < defaults["RunToolStateSeconds"] < defaults["PatienceSeconds"]
    assert defaults["RetentionDays"] + 2 < defaults["ContentDays"]


def test_every_call_of_the_api_is_authorized_and_the_cache_forgets_within_a_minute():
    auth = resources("AWS::Serverless::Api")["Api"]["Auth"]
    authorizer = auth["Authorizers"][auth["DefaultAuthorizer"]]
    events = [event for function in FUNCTIONS.values() for event in function.get("Events", {}).values()]

    assert authorizer["FunctionPayloadType"] == "TOKEN"
    assert authorizer["Identity"]["ReauthorizeEvery"] <= 60
    assert not [event for event in events if event["Type"] == "Api" and "Auth" in event["Properties"]]


# -- settings


def calls(function: ast.AST, *, of: str) -> Iterator[str]:
    """`name` of each `of.name(…)` under a node."""
    for node in ast.walk(function):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == of:
            yield node.attr


def settings_of_wiring() -> dict[str, set[str]]:
    """The settings that each function of wiring reads, by itself or through others of the module."""
    made = {function.name: function for function in read("layers/core/freehold/wiring.py").functions()}

    def reads(name: str, seen: frozenset[str]) -> set[str]:
        found: set[str] = set()
        for node in ast.walk(made[name]):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "setting":
                found.add(ast.literal_eval(node.args[0]))
            # A name is enough: some are handed on without being called.
            elif isinstance(node, ast.Name) and node.id in made and node.id not in seen | {name, "setting"}:
                found |= reads(node.id, seen | {name})
        return found

    return {name: reads(name, frozenset()) for name in made if name != "setting"}


def settings_used(folder_name: str) -> set[str]:
    """The settings that the function in this folder can come to read."""
    files = [read(f"functions/{folder_name}/app.py")]
    if folder_name == "api":
        files += sources("layers/core/freehold/http")
    named = {name for file in files for name in calls(file.tree, of="wiring")}
    known = settings_of_wiring()
    return set().union(*(known[name] for name in named if name in known))


def test_the_settings_of_wiring_are_found():
    """Found by reading the code, so this says what is meant to be found."""
    assert settings_of_wiring()["turn"] >= {
        "SESSIONS_TABLE",
        "CONTENT_BUCKET",
        "MODEL_URL",
        "MODEL_KEY_SECRET",
    }
    assert settings_used("authorizer") == {"AGENTS_TABLE"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_is_given_each_setting_that_it_reads_and_no_other(name: str):
    function = FUNCTIONS[name]
    used = settings_used(folder(function)) - GIVEN_BY_LAMBDA
    own = set(resources("AWS::Serverless::Function")[name].get("Environment", {}).get("Variables", {}))
    given = {
        variable
        for variable in function["Environment"]["Variables"]
        if not variable.startswith("POWERTOOLS_")
    }

    assert used <= given
    assert own <= used


def test_no_setting_that_all_functions_get_is_read_by_none():
    shared = set(template()["Globals"]["Function"]["Environment"]["Variables"])
    used = set().union(*(settings_used(folder(function)) for function in FUNCTIONS.values()))

    assert {name for name in shared - used if not name.startswith("POWERTOOLS_")} == set()


def test_no_setting_is_read_anywhere_but_in_wiring():
    elsewhere = [
        source.name
        for source in sources("layers/core", "functions")
        if "os.environ" in source.text and source.path.stem not in ("wiring", "observability")
    ]

    assert elsewhere == []


def test_lambda_times_are_the_parameters_own():
    assert (
        value(FUNCTIONS["RunToolFunction"]["Timeout"])
        == template()["Parameters"]["RunToolLambdaSeconds"]["Default"]
    )
