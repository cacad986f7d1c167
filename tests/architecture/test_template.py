"""`template.yaml` beside the code: folders, layers, times, settings. What it has to hold to is in `rules`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

import pytest

from rendering import ARN, HERE, REGION, Template, configuration, rendered, source, transformed

from .deployment import ROOT, folder, functions, resources, template, value
from .source import read, sources

FUNCTIONS = functions()
# Others do not pay for what one function needs.
MORE_LAYERS = {"RunMcpToolFunction": ["McpLayer"]}
GIVEN_BY_LAMBDA = {"AWS_REGION"}
# Read by the package that makes logs, metrics and traces.
OF_OBSERVABILITY = {"LOG_CONTENT", "POWERTOOLS_LOG_LEVEL", "POWERTOOLS_SERVICE_NAME"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_runs_where_its_layers_were_built_for(name: str):
    function = FUNCTIONS[name]

    assert (function["Runtime"], function["Architectures"]) == ("python3.13", ["arm64"])
    assert function["Handler"] == "app.lambda_handler"
    assert function["Timeout"]
    assert [layer["Ref"] for layer in function["Layers"]] == [
        "CoreLayer",
        "DependencyLayer",
        *MORE_LAYERS.get(name, []),
    ]
    assert (ROOT / function["CodeUri"] / "app.py").is_file()


def test_every_folder_of_functions_is_deployed():
    folders = {source.path.parent.name for source in sources("functions")}

    assert {folder(function) for function in FUNCTIONS.values()} == folders


@pytest.mark.parametrize("environment", ["default", "dev", "prod"])
def test_a_run_is_not_taken_for_lost_while_a_step_may_still_be_at_work(environment: str):
    names = ("RunToolLambdaSeconds", "RunToolStateSeconds", "PatienceSeconds", "RetentionDays", "ContentDays")
    defaults = {name: template()["Parameters"][name]["Default"] for name in names}
    tool, state, patience, retention, content = (
        int(configuration(environment).get(name, default)) for name, default in defaults.items()
    )

    assert tool < state < patience
    assert retention + 2 < content


# -- settings


def calls(function: ast.AST, *, of: str) -> Iterator[str]:
    """`name` of each `of.name(…)` under a node."""
    for node in ast.walk(function):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == of:
            yield node.attr


def settings_of_wiring() -> dict[str, set[str]]:
    """The settings that each function of wiring reads, by itself or through others of the module."""
    modules = sources("layers/core/freehold/wiring")
    made = {function.name: function for module in modules for function in module.functions()}

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
    given = set(function["Environment"]["Variables"]) - OF_OBSERVABILITY

    assert used <= given
    assert own <= used


def test_no_setting_that_all_functions_get_is_read_by_none():
    shared = set(template()["Globals"]["Function"]["Environment"]["Variables"])
    used = set().union(*(settings_used(folder(function)) for function in FUNCTIONS.values()))

    assert shared - used == OF_OBSERVABILITY


def test_what_observability_reads_is_what_the_template_gives_it():
    """Powertools reads the log level by itself; the rest tells Lambda from a test."""
    texts = [source.text for source in sources("layers/core/freehold/observability")]
    read_there = {name for name in OF_OBSERVABILITY for text in texts if f'"{name}"' in text}

    assert read_there == OF_OBSERVABILITY - {"POWERTOOLS_LOG_LEVEL"}


# -- versions


def parameters_in(given: Any) -> set[str]:
    """Names of the template's parameters that a value refers to."""
    if isinstance(given, dict):
        named = {given["Ref"]} if "Ref" in given else set[str]()
        return named.union(*(parameters_in(inner) for inner in given.values())) & set(
            template()["Parameters"]
        )
    if isinstance(given, list):
        return set[str]().union(*(parameters_in(inner) for inner in given))
    return set()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_another_value_of_a_parameter_publishes_a_new_version(name: str):
    """What is part of a version comes to run only with a new one, and only another description makes one."""
    function = FUNCTIONS[name]
    versioned = parameters_in([function["Timeout"], function["MemorySize"], function["Environment"]])
    # Behind a condition: `If` names the parameter, too.
    described = {
        key for key in template()["Parameters"] if f"${{{key}}}" in str(function["VersionDescription"])
    }

    assert versioned == described
    assert function["AutoPublishAlias"] == "live"
    assert function["AutoPublishAliasAllProperties"] is True


def test_the_description_of_a_version_names_the_region_that_is_asked():
    """Blank or by name, it is the same function, and of one function Lambda makes no second version."""

    def described(parameters: dict[str, str]) -> set[str]:
        made = rendered(source(), parameters)["Resources"].values()
        return {each["Properties"]["Description"] for each in made if each["Type"] == "AWS::Lambda::Version"}

    assert described({}) == described({"ModelRegion": REGION})
    assert described({}) != described({"ModelRegion": "eu-west-1"})


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_description_of_a_version_always_fits(name: str):
    text = str(FUNCTIONS[name]["VersionDescription"])
    longest = {
        "Number": lambda _: 6,
        "String": lambda each: each.get("MaxLength") or max(map(len, each["AllowedValues"])),
    }
    parameters = template()["Parameters"]
    # A Region's name has at most 14 characters.
    lengths = [
        14 if key == "ModelRegion" else longest[parameters[key]["Type"]](parameters[key])
        for key in parameters
        if f"${{{key}}}" in text
    ]

    assert sum(lengths) + len(lengths) <= 256


def versions(changed: Template) -> set[str]:
    made = transformed(changed, {})["Resources"]
    return {name for name, resource in made.items() if resource["Type"] == "AWS::Lambda::Version"}


@pytest.mark.parametrize("layer", resources("AWS::Serverless::LayerVersion"))
def test_code_in_a_layer_publishes_new_versions(layer: str):
    """By itself SAM looks at a function's own code alone, and nearly all of ours lies in layers."""
    before, changed = source(), source()
    changed["Resources"][layer]["Properties"]["ContentUri"] = "layers/changed"

    using = [name for name, each in FUNCTIONS.items() if {"Ref": layer} in each["Layers"]]
    assert len(versions(before)) == len(FUNCTIONS)
    assert versions(before) == versions(source())
    assert len(versions(before) - versions(changed)) == len(using) >= 1


# -- environments


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_an_environment_sets_parameters_that_there_are_to_values_that_they_take(environment: str):
    declared = template()["Parameters"]

    for name, given in configuration(environment).items():
        assert name in declared
        allowed = [str(each) for each in declared[name].get("AllowedValues", [given])]
        assert given in allowed, f"{name} takes {', '.join(allowed)}"
        assert re.search(declared[name].get("AllowedPattern", ""), given)


@pytest.mark.parametrize("function", ["desk", "desk:live", "desk:7", "desk:$LATEST", "Desk_1-x"])
def test_a_listed_tool_is_one_function(function: str):
    assert may_be_listed(f"{ARN}:lambda:{HERE}:function:{function}")


@pytest.mark.parametrize("function", ["*", "desk*", "desk:*", "desk::live", "desk:", ":live", "desk:a:b", ""])
def test_a_listed_tool_is_no_pattern(function: str):
    """A * would make a tool of every function, tagged or not."""
    assert not may_be_listed(f"{ARN}:lambda:{HERE}:function:{function}")


def may_be_listed(arn: str) -> bool:
    """CloudFormation asks it of each value of a list."""
    return bool(re.fullmatch(template()["Parameters"]["ToolFunctions"]["AllowedPattern"], arn))


def test_no_setting_is_read_anywhere_but_in_wiring():
    elsewhere = [
        source.name
        for source in sources("layers/core", "functions")
        if "os.environ" in source.text and source.path.parent.name not in ("observability", "wiring")
    ]

    assert elsewhere == []


def test_lambda_times_are_the_parameters_own():
    assert (
        value(FUNCTIONS["RunToolFunction"]["Timeout"])
        == template()["Parameters"]["RunToolLambdaSeconds"]["Default"]
    )
