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
WIRING = sources("layers/core/freehold/wiring")
# Others do not pay for what one function needs. Live runs behind the Lambda Web Adapter, a layer of AWS's.
MORE_LAYERS = {
    "AuthorizerFunction": ["IdentityLayer"],
    "LiveFunction": ["LiveLayer", "LambdaAdapterLayerArm64"],
    "RunMcpToolFunction": ["McpLayer"],
}
# Read by what starts the function.
OF_THE_WEB_ADAPTER = {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/bootstrap", "AWS_LWA_INVOKE_MODE": "response_stream"}
GIVEN_BY_LAMBDA = {"AWS_REGION"}
# Read by the package that makes logs, metrics and traces.
OF_OBSERVABILITY = {"LOG_CONTENT", "POWERTOOLS_LOG_LEVEL", "POWERTOOLS_SERVICE_NAME"}
# Read once, where the clients of all functions are made.
OF_CLIENTS = {"STORE_PATIENCE"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_runs_where_its_layers_were_built_for(name: str):
    function = FUNCTIONS[name]

    assert (function["Runtime"], function["Architectures"]) == ("python3.13", ["arm64"])
    assert function["Handler"] == ("run.sh" if name == "LiveFunction" else "app.lambda_handler")
    assert function["Timeout"]
    layers = ["CoreLayer", "DependencyLayer", *MORE_LAYERS.get(name, [])]
    assert [layer_named(layer) for layer in function["Layers"]] == layers
    assert (ROOT / function["CodeUri"] / "app.py").is_file()


def layer_named(layer: dict[str, Any]) -> str:
    """One of ours by its logical id, another by the name in its ARN, which stands where no parameter gives one."""
    return layer["Ref"] if "Ref" in layer else layer["Fn::If"][2]["Fn::Sub"].split(":")[-2]


def test_live_runs_behind_the_web_adapter():
    """What it starts has to be there, and to be run."""
    function = FUNCTIONS["LiveFunction"]
    script = ROOT / function["CodeUri"] / function["Handler"]
    variables = function["Environment"]["Variables"]

    assert script.stat().st_mode & 0o111 == 0o111
    assert script.read_text().startswith("#!/")
    assert variables.items() >= OF_THE_WEB_ADAPTER.items()


def test_a_stream_ends_by_itself_within_the_minute_for_which_the_authorizers_answer_holds():
    function = FUNCTIONS["LiveFunction"]
    source_text = (ROOT / function["CodeUri"] / "app.py").read_text()
    (seconds,) = re.findall(r"^STREAM_SECONDS = ([0-9.]+)$", source_text, re.MULTILINE)
    calls = source()["Resources"]["Api"]["Properties"]["DefinitionBody"]["paths"]
    integration = calls["/runs/{run}/events"]["get"]["x-amazon-apigateway-integration"]

    assert float(seconds) <= 60
    assert float(seconds) + 15 <= function["Timeout"] <= 90
    assert function["Timeout"] < integration["timeoutInMillis"] / 1000 <= 100


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


def names_of_wiring(tree: ast.AST) -> Iterator[str]:
    """The functions of wiring that a node names: of the package, of one of its modules, or imported by name."""
    parts = {"wiring", *(module.path.stem for module in WIRING)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in parts:
            yield node.attr
        elif isinstance(node, ast.ImportFrom) and "wiring" in (node.module or "").split("."):
            yield from (alias.name for alias in node.names)


def settings_of_wiring() -> dict[str, set[str]]:
    """The settings that each function of wiring reads, by itself or through others of the package."""
    made = {function.name: function for module in WIRING for function in module.functions()}

    def reads(name: str, seen: frozenset[str]) -> set[str]:
        found: set[str] = set()
        named = set(names_of_wiring(made[name]))
        for node in ast.walk(made[name]):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "setting":
                found.add(ast.literal_eval(node.args[0]))
            # A name is enough: some are handed on without being called.
            elif isinstance(node, ast.Name):
                named.add(node.id)
        for other in named & made.keys() - seen - {name, "setting"}:
            found |= reads(other, seen | {name})
        return found

    return {name: reads(name, frozenset()) for name in made if name != "setting"}


def settings_used(folder_name: str) -> set[str]:
    """The settings that the function in this folder can come to read."""
    files = [read(f"functions/{folder_name}/app.py")]
    http = {source.path.stem: source for source in sources("layers/core/freehold/http")}
    for file in files:
        # The list grows while it is gone through: a module of `http` may import another.
        named = {each.rpartition(".")[2] for each in file.imports()} | {
            each.split(".")[-2] for each in file.imports() if "." in each
        }
        files += [http[name] for name in sorted(named & http.keys()) if http[name] not in files]
    named = {name for file in files for name in names_of_wiring(file.tree)}
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
    assert {"AGENTS_TABLE", "OIDC_ISSUER"} <= settings_used("authorizer")
    assert "SESSIONS_TABLE" not in settings_used("authorizer")
    assert {"EVENTS_TABLE", "ALLOWED_ORIGINS"} <= settings_used("live")
    assert {"DEAD_LETTERS", "REPLY_TARGETS", "EVENT_BUS"} <= settings_used("ingest")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_is_given_each_setting_that_it_reads_and_no_other(name: str):
    function = FUNCTIONS[name]
    used = settings_used(folder(function)) - GIVEN_BY_LAMBDA
    own = set(resources("AWS::Serverless::Function")[name].get("Environment", {}).get("Variables", {}))
    given = set(function["Environment"]["Variables"]) - OF_OBSERVABILITY

    assert used <= given
    assert own - OF_THE_WEB_ADAPTER.keys() - OF_CLIENTS <= used


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
