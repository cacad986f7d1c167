"""`freehold up --models aws`: the local stack asks Bedrock as the user, and its Lambdas learn no credentials.

Bedrock is one of our own on 127.0.0.1, which answers to nothing but the user's signature.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.credentials import Credentials

from bedrock_server import BedrockServer
from freehold_cli.local.stack import LocalStack, StackInfo
from model_server import ask, say
from product_stack import ROOT, function, share_build

pytestmark = pytest.mark.stack

REGION = "eu-west-1"
USER = Credentials("AKIDUSER", "secret-of-the-user", "session/token+of=user")
PROFILE = f"""
[profile work]
region = {REGION}
aws_access_key_id = {USER.access_key}
aws_secret_access_key = {USER.secret_key}
aws_session_token = {USER.token}
"""
SECRETS = [USER.secret_key, USER.token, USER.access_key]
CLAUDE, GPT = "global.anthropic.claude-haiku-4-5-20251001-v1:0", "openai.gpt-5.5"
TOOLS = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Tools:
    Type: AWS::Serverless::Function
    Properties: {Runtime: python3.13, Handler: app.handler, CodeUri: handler}
Outputs: {ToolsArn: {Value: !GetAtt Tools.Arn}}
"""
HANDLER = """
import os
def handler(event, context):
    if event.get("tell") == "environment":
        return dict(os.environ)
    answer = {"functionResponse": {"responseBody": {"TEXT": {"body": "it is here"}}}}
    answer |= {"actionGroup": event["actionGroup"], "function": event["function"]}
    return {"messageVersion": "1.0", "response": answer}
"""

Freehold = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def bedrock() -> Iterator[BedrockServer]:
    with BedrockServer(USER, REGION) as server:
        yield server


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("bedrock") / "home"
    share_build(home)
    return home


@pytest.fixture(scope="module")
def profile(home: Path) -> Path:
    file = home.parent / "aws-config"
    file.write_text(PROFILE)
    return file


@pytest.fixture(scope="module")
def freehold(home: Path, profile: Path, bedrock: BedrockServer) -> Iterator[Freehold]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "FREEHOLD_HOME": str(home)}
    environment |= {"AWS_CONFIG_FILE": str(profile), "AWS_PROFILE": "work", **bedrock.environment}
    environment |= {"AWS_EC2_METADATA_DISABLED": "true"}

    def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [ROOT / ".venv" / "bin" / "freehold", *arguments],
            env=environment | more,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    yield run
    run("down")


@pytest.fixture(scope="module")
def stack(freehold: Freehold, home: Path) -> LocalStack:
    up = freehold("up", "--detach", "--models", "aws")
    assert up.returncode == 0, up.stderr
    return LocalStack(home, ROOT)


@pytest.fixture(scope="module")
def tools(stack: LocalStack, home: Path) -> str:
    folder = home.parent / "tools"
    (folder / "handler").mkdir(parents=True)
    (folder / "template.yaml").write_text(TOOLS)
    (folder / "handler" / "app.py").write_text(HANDLER)
    return stack.deploy(folder, "tools")["ToolsArn"]


def applied(freehold: Freehold, folder: Path, name: str, model: str, tools: str) -> str:
    group = {
        "actionGroupName": "suite",
        "actionGroupExecutor": {"lambda": tools},
        "functionSchema": {"functions": [function("look", idempotent=True)]},
    }
    agent = {"agentName": name, "foundationModel": model, "instruction": "Do.", "actionGroups": [group]}
    (folder / f"{name}.json").write_text(json.dumps(agent))
    done = freehold("apply", str(folder / f"{name}.json"))
    assert done.returncode == 0, done.stderr
    return name


def running(stack: LocalStack) -> StackInfo:
    info = stack.running()
    assert info is not None
    return info


@pytest.mark.parametrize(
    ("name", "model", "path"),
    [
        ("claude", CLAUDE, f"/model/{CLAUDE.replace(':', '%3A')}/converse-stream"),
        ("gpt", GPT, "/openai/v1/responses"),
    ],
)
def test_an_agent_asks_bedrock_as_the_user(
    freehold: Freehold, bedrock: BedrockServer, tools: str, tmp_path: Path, name: str, model: str, path: str
):
    bedrock.script([ask(("look", {"note": "x"})), say("Found.")])
    before = len(bedrock.received)
    agent = applied(freehold, tmp_path, name, model, tools)

    asked = freehold("ask", agent, "Look for x.", "--json")

    assert asked.returncode == 0, asked.stdout + asked.stderr
    run: dict[str, Any] = json.loads(asked.stdout)
    assert (run["status"], run["output"]) == ("COMPLETED", "Found.")
    first, second = bedrock.received[before:]
    assert {first.path, second.path} == {path}
    assert "it is here" in second.body.decode()
    scope = f"{USER.access_key}/{first.headers['x-amz-date'][:8]}/{REGION}/"
    assert all(f"Credential={scope}" in received.headers["authorization"] for received in (first, second))


def test_no_lambda_has_the_users_secrets_and_nobody_sees_the_relays(
    stack: LocalStack, tools: str, home: Path
):
    told = json.dumps({"tell": "environment"})
    answer = stack.aws.client("lambda").invoke(FunctionName=tools, Payload=told)["Payload"].read().decode()
    environment: dict[str, str] = json.loads(answer)
    token = environment["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"].split("/")[3]
    commands = [
        subprocess.run(
            ["ps", "-ww", "-o", "command=", "-p", str(process.pid)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for process in running(stack).processes
    ]
    logs = [path.read_text(errors="replace") for path in (home / "logs").iterdir()]

    assert [secret for secret in SECRETS if secret in answer] == []
    assert not {"AWS_PROFILE", "AWS_CONFIG_FILE"} & set(environment)
    assert len(commands) == 4
    assert [text for text in (*commands, *logs) if token in text] == []


def test_the_relay_logs_models_and_outcomes(freehold: Freehold, stack: LocalStack, home: Path):
    assert "POST bedrock-runtime/model/" in (home / "logs" / "bedrock-relay.log").read_text()


def test_a_running_stack_takes_the_same_models_again_and_no_other_region(
    freehold: Freehold, stack: LocalStack
):
    before = running(stack)

    again = freehold("up", "--detach", "--models", "aws")
    elsewhere = freehold("up", "--detach", "--models", "aws", AWS_REGION="us-west-2")

    assert again.returncode == 0, again.stderr
    assert elsewhere.returncode == 2
    assert "freehold down" in elsewhere.stderr
    assert running(stack).processes == before.processes


def test_a_run_without_credentials_says_so_and_the_next_one_finds_them(
    freehold: Freehold, bedrock: BedrockServer, tools: str, profile: Path, tmp_path: Path
):
    agent = applied(freehold, tmp_path, "forgetful", CLAUDE, tools)
    profile.write_text("[profile work]\n")
    refused = freehold("ask", agent, "Hello?", "--json")
    profile.write_text(PROFILE)
    bedrock.script([say("Hello.")])
    answered = freehold("ask", agent, "Hello?", "--json")

    assert refused.returncode == 1
    assert "credentials" in json.loads(refused.stdout)["error"]["message"]
    assert json.loads(answered.stdout)["output"] == "Hello."


def test_without_credentials_nothing_is_started(freehold: Freehold, tmp_path: Path):
    nothing = {"AWS_CONFIG_FILE": os.devnull, "AWS_PROFILE": "", "FREEHOLD_HOME": str(tmp_path / "home")}

    result = freehold("up", "--detach", "--models", "aws", **nothing)

    assert result.returncode == 2, result.stderr
    assert "aws sso login" in result.stderr
    assert not (tmp_path / "home").exists()


def test_a_stack_that_ends_takes_its_relay_along_and_leaves_no_secret_of_the_user(
    freehold: Freehold, stack: LocalStack, tools: str, home: Path
):
    info = running(stack)

    assert freehold("down").returncode == 0

    assert info.relay_pid is not None
    assert not any(process.lives() for process in info.processes)
    files = [path for path in home.rglob("*") if path.is_file() and home / "build" not in path.parents]
    assert any(path.is_relative_to(home / "state") for path in files)
    assert [path for path in files if any(secret.encode() in path.read_bytes() for secret in SECRETS)] == []
