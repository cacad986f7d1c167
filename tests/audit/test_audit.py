"""checkov, parliament and cfn-lint's serverless rules on what SAM makes of the templates. `make audit` installs them.

Each of them is shown mistakes as well: a tool that is fed wrongly finds nothing. It runs once over all templates,
since most of its time goes into its start.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from architecture.mutants import MUTANTS
from architecture.rules.reading import statements
from rendering import ROOT, Template, configuration, rendered, source, transformed

BIN = ROOT / ".venv-audit" / "bin"
HERE = Path(__file__).parent
# The template as each environment deploys it, and the one that users copy.
TEMPLATES: dict[str, tuple[Template, Mapping[str, str]]] = {
    **{name: (source(), configuration(name)) for name in ("default", "dev", "prod")},
    "example": (source(ROOT / "examples" / "customer-support" / "template.yaml"), {}),
}
WRONG = "wrong"
Found = Mapping[str, set[str]]


def run(tool: str, *arguments: str, within: Path) -> str:
    """What the tool prints. Nothing leads it to a network, to credentials or to another configuration."""
    assert (BIN / tool).exists(), "`make audit` installs the tools into .venv-audit and runs this"
    environment = {"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(within), "LANG": "C.UTF-8"}
    environment |= {"AWS_DEFAULT_REGION": "us-east-1", "BC_SKIP_MAPPING": "TRUE"}
    done = subprocess.run(
        [str(BIN / tool), *arguments],
        cwd=within,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout


def written(folder: Path, mistakes: Iterable[str]) -> Path:
    """All templates, and one with all of these mistakes."""
    wrong = source()
    for mistake in mistakes:
        MUTANTS[mistake][0](wrong)
    for name, given in (TEMPLATES | {WRONG: (wrong, configuration("prod"))}).items():
        (folder / f"{name}.json").write_text(json.dumps(transformed(*given), indent=1))
    return folder


# -- checkov

SEEN_BY_CHECKOV = {
    "a table without its key": "CKV_AWS_119",
    "no point-in-time recovery": "CKV_AWS_28",
    "dead letters without the key": "CKV_AWS_27",
    "a secret without the key": "CKV_AWS_149",
    "a log without the key": "CKV_AWS_158",
    "a log without an end": "CKV_AWS_66",
    "a public bucket": "CKV_AWS_54",
    "no versions": "CKV_AWS_21",
    "a key that is not rotated": "CKV_AWS_7",
    "everything allowed": "CKV_AWS_62",
    "no concurrency reserved": "CKV_AWS_115",
    "no access log": "CKV_AWS_76",
}


@pytest.fixture(scope="module")
def checkov(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """Failed checks by template."""
    folder = written(tmp_path_factory.mktemp("checkov"), SEEN_BY_CHECKOV)
    offline = ("--skip-download", "--framework", "cloudformation", "--output", "json", "--quiet", "--compact")
    config = ("--config-file", str(HERE / "checkov.yaml"))
    report = json.loads(run("checkov", "--directory", str(folder), *offline, *config, within=folder))
    assert report["summary"]["parsing_errors"] == 0
    found: dict[str, set[str]] = {}
    for check in report["results"]["failed_checks"]:
        found.setdefault(Path(check["file_path"]).stem, set()).add(f"{check['check_id']} {check['resource']}")
    return found


# Who tries things out reserves no concurrency, which a new account could not give, and logs no requests, for which API
# Gateway needs a role of the account's.
TRYING = {"CKV_AWS_115", "CKV_AWS_76"}
MEANT_BY_CHECKOV = {
    "default": TRYING,
    "dev": TRYING,
    "prod": set[str](),
    # Sample rows of an invented shop: no concurrency reserved, and AWS's key rather than one of its own.
    "example": {"CKV_AWS_115", "CKV_AWS_119", "CKV_AWS_158"},
}


@pytest.mark.parametrize("name", TEMPLATES)
def test_checkov_finds_nothing_that_is_not_meant(checkov: Found, name: str):
    assert {told.split()[0] for told in checkov.get(name, set())} == MEANT_BY_CHECKOV[name], checkov.get(name)


@pytest.mark.parametrize("mistake", SEEN_BY_CHECKOV)
def test_checkov_sees_a_mistake(checkov: Found, mistake: str):
    assert SEEN_BY_CHECKOV[mistake] in {told.split()[0] for told in checkov[WRONG]}


# -- parliament

# What it reports and is meant so, by issue and role.
MEANT_BY_PARLIAMENT = {
    # It takes bedrock:InvokeModel to need a resource of each kind; IAM asks for the one that is called.
    ("RESOURCE_MISMATCH", "InvokeModelRole"),
    ("RESOURCE_MISMATCH", "SummarizeMemoryRole"),
    # The same of states:DescribeExecution, where Express executions cannot be described at all.
    ("RESOURCE_MISMATCH", "SweepRole"),
    # bedrock-mantle is younger than its list:
    # https://docs.aws.amazon.com/service-authorization/latest/reference/list_bedrock-mantle.html
    ("UNKNOWN_PREFIX", "InvokeModelRole"),
    ("UNKNOWN_PREFIX", "SummarizeMemoryRole"),
}


# Its list gives the key a type that it cannot read (rule `rules_and_schedules_lead_to_our_queue` looks at it).
UNREADABLE = {"events:TargetArn"}


def policies(template: Template, parameters: Mapping[str, str]) -> dict[str, list[dict[str, object]]]:
    """Statements by role, in plain values."""
    found: dict[str, list[dict[str, object]]] = {}
    for statement in statements(rendered(template, parameters)):
        given = statement.given
        if UNREADABLE & set(statement.conditions):
            given = {name: value for name, value in given.items() if name != "Condition"}
        found.setdefault(statement.where, []).append(given)
    assert found
    return found


def parliament(folder: Path, given: Mapping[str, list[dict[str, object]]]) -> set[tuple[str, str]]:
    """Issues, each with the role it is in."""
    for name, allowed in given.items():
        policy = {"Version": "2012-10-17", "Statement": allowed}
        (folder / f"{name}.json").write_text(json.dumps(policy))
    # From a folder: it reads no single file where there is no terminal.
    arguments = ("--directory", str(folder), "--include_policy_extension", "json", "--json")
    found = [json.loads(line) for line in run("parliament", *arguments, within=folder).splitlines()]
    return {(each["issue"], Path(each["location"]["filepath"]).stem) for each in found}


def test_parliament_finds_nothing_that_is_not_meant(tmp_path: Path):
    given = {
        f"{name}.{role}": allowed
        for name, template in TEMPLATES.items()
        for role, allowed in policies(*template).items()
    }

    found = parliament(tmp_path, given)

    assert found == {
        (issue, f"{name}.{role}")
        for issue, role in MEANT_BY_PARLIAMENT
        for name in TEMPLATES
        if f"{name}.{role}" in given
    }


def test_parliament_sees_mistakes(tmp_path: Path):
    wrong = policies(source(), {})["RunToolRole"]
    by_sid = {statement["Sid"]: statement for statement in wrong}
    by_sid["Snapshots"]["Resource"] = "*"
    by_sid["Content"]["Resource"] = "arn:aws:dynamodb:us-east-1:123456789012:table/agents"
    by_sid["KeyOfTables"]["Action"] = "kms:Decrypted"

    found = {issue for issue, _ in parliament(tmp_path, {"wrong": wrong})}

    assert {"RESOURCE_STAR", "RESOURCE_MISMATCH", "UNKNOWN_ACTION"} <= found


# -- cfn-lint with the rules of cfn-lint-serverless

SEEN_BY_CFN_LINT = {"no traces": "WS5000", "no access log": "ES2000", "no limit of requests": "ES2003"}


@pytest.fixture(scope="module")
def cfn_lint(tmp_path_factory: pytest.TempPathFactory) -> Found:
    folder = written(tmp_path_factory.mktemp("cfn-lint"), SEEN_BY_CFN_LINT)
    files = [str(path) for path in sorted(folder.glob("*.json"))]
    arguments = ("--config-file", str(HERE / "cfn-lint.yaml"), "--format", "parseable", "--", *files)
    found: dict[str, set[str]] = {}
    for line in run("cfn-lint", *arguments, within=folder).splitlines():
        path, *_, rule, message = re.split(r":(?=\S)", line, maxsplit=6)
        found.setdefault(Path(path).stem, set()).add(f"{rule} {message}")
    return found


MEANT_BY_CFN_LINT = {
    # No access log, as above.
    "default": {"ES2000"},
    "dev": {"ES2000"},
    "prod": set[str](),
    # No traces: what its calls take stands in Freehold's own.
    "example": {"WS1000"},
}


@pytest.mark.parametrize("name", TEMPLATES)
def test_cfn_lint_finds_nothing_that_is_not_meant(cfn_lint: Found, name: str):
    found = cfn_lint.get(name, set())
    assert {told.split()[0] for told in found} == MEANT_BY_CFN_LINT[name], found


@pytest.mark.parametrize("mistake", SEEN_BY_CFN_LINT)
def test_cfn_lint_sees_a_mistake(cfn_lint: Found, mistake: str):
    assert SEEN_BY_CFN_LINT[mistake] in {told.split()[0] for told in cfn_lint[WRONG]}
