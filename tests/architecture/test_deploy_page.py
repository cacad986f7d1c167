"""What docs/deploy.md says can be checked without an account: commands, names and sums."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from functools import cache

import pytest
import yaml
from botocore import xform_name
from botocore.session import Session
from typer.main import get_command

from freehold.observability.metrics import MODEL_METRICS, SERVICE_METRICS
from freehold_cli.main import app

from . import deploy_page
from .deploy_page import TEXT, bill, commands, count
from .deployment import ROOT, template
from .test_build import SAM

OF_THE_AWS_CLI = {"output", "query", "region", "profile"}
# What the AWS CLI makes of a boolean parameter.
NEGATED = "no-"
BILLS = ("idle", "busy", "model")


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
    assigned = set(re.findall(r"\b([A-Z]\w+)=", re.sub(r"[A-Z_]{3,}=|OutputKey==", "", TEXT)))
    asked = set(re.findall(r"OutputKey=='(\w+)'", TEXT))

    assert {"ModelSource", "BedrockModels"} <= listed <= parameters
    assert assigned <= parameters
    assert asked == {"ApiUrl"} <= outputs


def test_every_environment_is_configured_with_the_stack_it_is_said_to_have():
    configured = tomllib.loads((ROOT / "samconfig.toml").read_text())

    for name in set(re.findall(r"--config-env (\w+)", TEXT)):
        stack = configured[name]["global"]["parameters"]["stack_name"]
        assert f"`{stack}`" in TEXT


def test_what_is_kept_after_the_stack_is_named_with_its_removal():
    kept = {
        name
        for name, resource in template()["Resources"].items()
        if str(resource.get("DeletionPolicy", "")).startswith("Retain")
    }

    assert kept == {"AgentsTable", "ContentBucket", "Key", "SessionsTable"}
    section = TEXT[TEXT.index("## Uninstall") :]
    assert {"`AgentsTable`", "`ContentBucket`", "`KeyArn`", "`SessionsTable`"} <= set(
        re.findall(r"`\w+`", section)
    )
    assert {"AgentsTable", "ContentBucket", "KeyArn", "SessionsTable"} <= set(template()["Outputs"])


# -- costs


@pytest.mark.parametrize("heading", BILLS)
def test_the_bills_add_up(heading: str):
    rows, total = bill(heading)

    assert {row.what: row.cost for row in rows} == {row.what: row.dollars for row in rows}
    assert total == round(sum(row.cost for row in rows), 2)


def test_the_bills_count_what_the_template_has():
    idle = {row.what: row for row in bill("idle")[0]}
    busy = {row.what: row for row in bill("busy")[0]}
    sweeps = 730 * 60
    (sweeper,) = [each for name, each in template()["Resources"].items() if name == "SweepFunction"]

    assert idle["KMS key"].many == count("AWS::KMS::Key")
    assert idle["secret"].many == count("AWS::SecretsManager::Secret")
    assert idle["dashboard"].many == count("AWS::CloudWatch::Dashboard")
    assert idle["metrics that alarms watch"].many == deploy_page.watched_metrics()
    assert sweeper["Properties"]["Events"]["EveryMinute"]["Properties"]["Schedule"] == "rate(1 minute)"
    assert idle["the sweeper: invocations"].many == idle["traces"].many == sweeps
    assert busy["metrics of one model and of the service, all in use"].many == len(
        MODEL_METRICS | SERVICE_METRICS
    )
    assert busy["the idle stack"].price == bill("idle")[1]


def test_the_prices_are_those_that_the_bench_counts_with():
    prices = json.loads((ROOT / "bench" / "prices.json").read_text())
    per_million, per_second = prices["perMillion"], prices["perGbSecond"]
    rows = {row.what: row.price for heading in BILLS for row in bill(heading)[0]}

    assert prices["date"] == "2026-11"
    assert (
        rows["the sweeper: invocations"]
        == rows["Lambda for the looks: requests"]
        == per_million["Lambda requests"]
    )
    assert rows["its reads, 16 shards each minute"] == per_million["DynamoDB read units"]
    assert rows["its time, 0.5 s of 512 MB assumed"] == per_second["Lambda arm64"]


def test_the_model_of_the_example_costs_what_the_catalog_says():
    catalog = yaml.safe_load((ROOT / "layers" / "core" / "freehold" / "models.yaml").read_text())
    (price,) = [each["price"] for each in catalog["models"] if each["id"] == "openai.gpt-5.5"]
    rows = {row.what: row.price for row in bill("model")[0]}

    assert rows == {"tokens in": float(price["input"]), "tokens out": float(price["output"])}
