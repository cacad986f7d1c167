"""What docs/deploy.md says can be checked without an account: commands and names."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from functools import cache

from botocore import xform_name
from botocore.session import Session
from typer.main import get_command

from freehold_cli.main import app
from rendering import configuration, rendered, source, transformed

from .deploy_page import TEXT, catalog, commands
from .deployment import ROOT, resources, template
from .test_build import SAM

OF_THE_AWS_CLI = {"output", "query", "region", "profile"}
# What the AWS CLI makes of a boolean parameter.
NEGATED = "no-"
LONGEST_NAME_OF_A_STATE_MACHINE = 80
# What Lambda wants to stay unreserved.
UNRESERVED = 100


def options(command: list[str]) -> set[str]:
    return {word.removeprefix("--").partition("=")[0] for word in command if word.startswith("--")}


def named(program: str) -> list[list[str]]:
    found = [command[1:] for command in commands() if command[0] == program]
    assert found
    return found


# -- commands


def test_every_aws_command_is_an_operation_with_these_parameters():
    session = Session()
    for service, operation, *words in named("aws"):
        model = session.get_service_model(service.removesuffix("api"))
        names = {xform_name(name, "-"): name for name in model.operation_names}
        assert operation in names, f"aws {service} {operation}"
        shape = model.operation_model(names[operation]).input_shape
        known = {xform_name(name, "-") for name in (shape.members if shape else ())}
        given = {name.removeprefix(NEGATED) for name in options(words)}
        assert given - known - OF_THE_AWS_CLI == set(), f"aws {service} {operation}"


@cache
def help_of_sam(command: str) -> str:
    done = subprocess.run([SAM, command, "--help"], check=True, capture_output=True, text=True)
    return done.stdout


def test_every_sam_command_has_these_options():
    for words in named("sam"):
        if words == ["--version"]:
            continue
        assert [name for name in options(words) if f"--{name} " not in f"{help_of_sam(words[0])} "] == []


def test_every_command_of_ours_has_these_options():
    for words in named("freehold"):
        command = get_command(app)
        path = [word for word in words if not word.startswith("-")]
        while hasattr(command, "commands"):
            command = command.commands[path.pop(0)]
        known = {option.lstrip("-") for parameter in command.params for option in parameter.opts}
        assert options(words) - known == set(), words


def test_every_target_of_make_is_there():
    rules = set(re.findall(r"^([a-z0-9]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    asked = {word for words in named("make") for word in words if "=" not in word}

    assert asked >= {"build", "e2e", "sam", "setup"}
    assert asked - rules == set()


# -- names


def test_every_parameter_and_output_exists():
    parameters, outputs = set(template()["Parameters"]), set(template()["Outputs"])
    table = TEXT[
        TEXT.index("| parameter | is |") : TEXT.index("sam deploy --config-env dev --parameter-overrides")
    ]
    listed = set(
        re.findall(r"`(\w+)`", "\n".join(line.split("|")[1] for line in table.splitlines() if "|" in line))
    )
    shell = re.sub(r"```python.*?```", "", TEXT, flags=re.DOTALL)
    assigned = set(re.findall(r"\b([A-Z]\w+)=", re.sub(r"[A-Z_]{3,}=|OutputKey==", "", shell)))
    asked = set(re.findall(r"OutputKey=='(\w+)'", TEXT))

    assert {"ModelSource", "BedrockModels"} <= listed <= parameters
    assert assigned <= parameters
    assert asked == {"ApiUrl", "RequestsArn", "RunRequestedRule"} <= outputs


def test_every_environment_is_configured_with_the_stack_it_is_said_to_have():
    configured = tomllib.loads((ROOT / "samconfig.toml").read_text())

    for name in set(re.findall(r"--config-env (\w+)", TEXT)):
        stack = configured[name]["global"]["parameters"]["stack_name"]
        assert f"`{stack}`" in TEXT


def test_what_is_kept_after_the_stack_is_named_with_its_removal():
    kept = {
        resource["Properties"].get("LayerName", name)
        for name, resource in transformed(source(), configuration("prod"))["Resources"].items()
        if str(resource.get("DeletionPolicy", "")).startswith("Retain")
        # A version goes with its function.
        and resource["Type"] != "AWS::Lambda::Version"
    }

    layers = {"CoreLayer", "DependencyLayer", "IdentityLayer", "LiveLayer", "McpLayer"}
    assert kept == {"AgentsTable", "ContentBucket", "Key", "SessionsTable", *layers}
    section = TEXT[TEXT.index("## Uninstall") : TEXT.index("## When something goes wrong")]
    outputs = {"AgentsTable", "ContentBucket", "KeyArn", "SessionsTable"}
    assert outputs | layers <= set(re.findall(r"`(\w+)`", section))
    assert outputs <= set(template()["Outputs"])
    assert f"for layer in {' '.join(sorted(layers))}; do" in section


def test_a_failed_first_deployment_leaves_what_the_page_says():
    made = transformed(source(), configuration("prod"))["Resources"].items()

    kept = {each["Type"] for _, each in made if each.get("DeletionPolicy") == "Retain"}

    assert kept - {"AWS::Lambda::Version"} == {"AWS::Lambda::LayerVersion"}
    assert "Tables, bucket and key are gone with it; versions of the layers stay" in TEXT


def test_the_region_that_is_set_serves_the_model_of_the_example():
    model = json.loads((ROOT / "examples" / "customer-support" / "agent.json").read_text())["foundationModel"]
    (entry,) = [each for each in catalog() if model in (each["id"], *each.get("aliases", ()))]
    (told,) = re.findall(r"model answers in ([\w-]+) and ([\w-]+)\.", TEXT)

    assert list(told) == entry["regions"]
    assert set(re.findall(r"export AWS_REGION=(\S+) AWS_DEFAULT_REGION=(\S+)", TEXT)) == {(told[0], told[0])}


def test_the_concurrency_of_prod_is_what_its_functions_reserve():
    made = rendered(source(), configuration("prod"))["Resources"].values()
    reserved = sum(each.get("Properties", {}).get("ReservedConcurrentExecutions", 0) for each in made)
    (asked,) = [
        int(words[words.index("--desired-value") + 1]) for words in named("aws") if "L-B99A9384" in words
    ]

    assert f"It reserves {reserved} " in TEXT
    assert reserved + UNRESERVED <= asked


def test_a_stacks_name_may_be_as_long_as_the_names_made_of_it_allow():
    made = [each["Name"].removeprefix("${AWS::StackName}") for each in names_of_machines()]

    assert f"at most {LONGEST_NAME_OF_A_STATE_MACHINE - max(map(len, made))} characters" in TEXT


def names_of_machines() -> list[dict[str, str]]:
    return [{"Name": each["Name"]["Fn::Sub"]} for each in resources("AWS::Serverless::StateMachine").values()]
