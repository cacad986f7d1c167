"""The local stack as a whole: started, found again, stopped, killed, and deployed to."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from freehold_cli.local.failures import DeploymentFailed, LocalStackError, PortTaken, TemplateInvalid
from freehold_cli.local.processes import OwnProcess, free_port
from freehold_cli.local.stack import LocalStack

pytestmark = pytest.mark.stack

PRODUCT = """
Transform: AWS::Serverless-2016-10-31
Parameters: {Greeting: {Type: String}}
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.13
      Handler: app.handler
      CodeUri: hello
      Environment: {Variables: {GREETING: !Ref Greeting}}
      Events: {Any: {Type: Api, Properties: {RestApiId: !Ref Api, Path: "/{proxy+}", Method: ANY}}}
  Api: {Type: AWS::Serverless::Api, Properties: {StageName: v1}}
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: pk, AttributeType: S}]
      KeySchema: [{AttributeName: pk, KeyType: HASH}]
Outputs:
  ApiId: {Value: !Ref Api}
  Table: {Value: !Ref Table}
"""
HELLO = """
import json, os
def handler(event, context):
    seen = {"greeting": os.environ["GREETING"], "path": event["path"], "body": event["body"],
            "query": event["queryStringParameters"], "headers": event["headers"]}
    return {"statusCode": 201, "headers": {"x-request-id": "7"}, "body": json.dumps(seen)}
"""
BESIDE = """
Transform: AWS::Serverless-2016-10-31
Parameters: {Word: {Type: String, Default: none}}
Resources:
  Tiny:
    Type: AWS::Serverless::LayerVersion
    Metadata: {BuildMethod: python3.13}
    Properties: {ContentUri: layer, CompatibleRuntimes: [python3.13]}
  Tool:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.13
      Architectures: [arm64]
      Handler: app.handler
      CodeUri: tool
      AutoPublishAlias: live
      Layers: [!Ref Tiny]
      Environment: {Variables: {WORD: !Ref Word}}
Outputs: {Tool: {Value: !Ref Tool}}
"""
TOOL = "import os, tiny\ndef handler(event, context):\n    return [tiny.NAME, os.environ['WORD'], 1]\n"


def folder(path: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text)
    return path


def wheel_of(name: str, folder: Path) -> str:
    """A wheel with one module, and the line of a requirements file that pins it."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{name}.py", f"NAME = {name!r}\n")
        wheel.writestr(
            f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
        )
        tags = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        wheel.writestr(f"{name}-1.0.dist-info/WHEEL", tags)
        wheel.writestr(f"{name}-1.0.dist-info/RECORD", "")
    return f"{name} @ {path.as_uri()} --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


def eventually(look: Callable[[], Any]) -> Any:
    end = time.monotonic() + 30
    while not (found := look()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)
    return found


def quiet(_: str) -> None:
    """Nobody watches the progress."""


def start(stack: LocalStack, **options: Any) -> Any:
    return stack.start(parameters={"Greeting": "hello"}, progress=quiet, detached=True, **options)


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder(tmp_path_factory.mktemp("product"), {"template.yaml": PRODUCT, "hello/app.py": HELLO})


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, product: Path) -> Iterator[LocalStack]:
    """A stack for the tests that leave it running."""
    stack = LocalStack(tmp_path_factory.mktemp("home"), product)
    try:
        start(stack)
        yield stack
    finally:
        stack.stop()


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    files = {
        "template.yaml": BESIDE,
        "tool/app.py": TOOL,
        "layer/requirements.txt": wheel_of("tiny", tmp_path),
    }
    return folder(tmp_path / "beside", files)


def answer_of(stack: LocalStack, outputs: dict[str, str], qualifier: str = "live") -> Any:
    called = stack.aws.client("lambda").invoke(FunctionName=outputs["Tool"], Qualifier=qualifier)
    return json.loads(called["Payload"].read())


# ------------------------------------------------------------------------------------- running


def test_the_front_door_passes_requests_and_answers_through(stack: LocalStack):
    info = stack.running()
    assert info is not None

    answer = httpx.post(
        f"{info.url}/v1/agents/a%20b?limit=2",
        json={"a": 1},
        headers={"Idempotency-Key": "k"},
        trust_env=False,
    )

    assert (answer.status_code, answer.headers["x-request-id"]) == (201, "7")
    seen = answer.json()
    assert (seen["greeting"], seen["path"], seen["query"]) == ("hello", "/agents/a b", {"limit": "2"})
    assert json.loads(seen["body"]) == {"a": 1}
    assert seen["headers"]["idempotency-key"] == "k"


def test_a_second_start_finds_the_stack_that_runs(stack: LocalStack, product: Path):
    before = stack.running()

    again = start(stack)

    assert again == before


def test_a_running_stack_does_not_move_to_another_port(stack: LocalStack):
    with pytest.raises(LocalStackError, match="runs at"):
        start(stack, port=free_port())


def test_a_port_that_is_taken_is_refused_with_its_number(stack: LocalStack, product: Path, tmp_path: Path):
    info = stack.running()
    assert info is not None
    taken = int(info.url.rpartition(":")[2])

    with pytest.raises(PortTaken, match=str(taken)):
        start(LocalStack(tmp_path / "home", product), port=taken)


def test_state_and_address_outlive_a_stop(product: Path, tmp_path: Path):
    stack = LocalStack(tmp_path / "home", product)
    before = start(stack)
    key = {"pk": {"S": "kept"}}
    stack.aws.client("dynamodb").put_item(TableName=before.outputs["Table"], Item=key)

    stopped, stopped_again = stack.stop(), stack.stop()
    absent = stack.running()
    after = start(stack)
    found = stack.aws.client("dynamodb").get_item(TableName=after.outputs["Table"], Key=key)
    stack.stop()

    assert (stopped, stopped_again, absent) == (True, False, None)
    assert (after.aws_endpoint, after.outputs) == (before.aws_endpoint, before.outputs)
    assert found["Item"] == key
    assert (tmp_path / "home").stat().st_mode & 0o777 == 0o700
    assert not any(process.lives() for process in after.processes)


def test_a_start_whose_deployment_fails_leaves_nothing_running(product: Path, tmp_path: Path):
    stack = LocalStack(tmp_path / "home", folder(tmp_path / "bad", {"template.yaml": "Resources: {A: {}}"}))

    with pytest.raises((DeploymentFailed, TemplateInvalid)):
        start(stack)

    assert stack.running() is None
    assert not (tmp_path / "home" / "stack.json").exists()


def test_a_killed_parent_takes_its_stack_along(product: Path, tmp_path: Path):
    script = (
        "import sys, time, pathlib\n"
        "from freehold_cli.local.stack import LocalStack\n"
        "stack = LocalStack(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))\n"
        "stack.start(parameters={'Greeting': 'hello'}, progress=lambda _: None, bedrock_region='eu-west-1')\n"
        "time.sleep(600)\n"
    )
    home = tmp_path / "home"
    parent = subprocess.Popen([sys.executable, "-c", script, str(home), str(product)])
    stack = LocalStack(home, product)
    info = eventually(lambda: (seen := stack.running()) and seen.outputs and seen)

    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()

    assert len(info.processes) == 4
    eventually(lambda: not any(process.lives() for process in info.processes))
    saved = home / "state" / "services" / "dynamodb.json"
    assert info.outputs["Table"] in saved.read_text()


def test_stop_spares_a_process_that_is_not_its_own(product: Path, tmp_path: Path):
    """After a reboot the recorded numbers may belong to anybody."""
    home = tmp_path / "home"
    home.mkdir()
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    record = {"url": "http://127.0.0.1:1", "aws_endpoint": "http://127.0.0.1:2", "outputs": {}}
    record |= {"aws_pid": stranger.pid, "front_door_pid": stranger.pid, "instance": "freehold-0123"}
    (home / "stack.json").write_text(json.dumps(record))

    stopped = LocalStack(home, product).stop()

    alive = stranger.poll() is None
    stranger.kill()
    stranger.wait()
    assert (stopped, alive) == (False, True)
    assert not OwnProcess(stranger.pid, "freehold-0123").lives()


# ------------------------------------------------------------------------------------- deploying


def test_a_stack_beside_the_product_runs_with_its_layer(stack: LocalStack, beside: Path):
    outputs = stack.deploy(beside, "beside", {"Word": "given"})

    assert answer_of(stack, outputs) == ["tiny", "given", 1]


def test_a_version_is_published_only_for_changed_code(stack: LocalStack, beside: Path):
    def versions() -> int:
        listed = stack.aws.client("lambda").list_versions_by_function(FunctionName=outputs["Tool"])
        return len(listed["Versions"])

    outputs = stack.deploy(beside, "versions", {"Word": "kept"})
    at_first = versions()
    stack.deploy(beside, "versions")
    unchanged = versions()
    folder(beside, {"tool/app.py": TOOL.replace("1]", "2]")})
    stack.deploy(beside, "versions")

    assert (unchanged, versions()) == (at_first, at_first + 1)
    assert answer_of(stack, outputs) == ["tiny", "kept", 2]


def test_a_function_brings_its_own_requirements(stack: LocalStack, beside: Path):
    folder(beside, {"layer/requirements.txt": "# nothing\n", "layer/other.py": ""})
    folder(beside, {"tool/requirements.txt": wheel_of("tiny", beside)})

    outputs = stack.deploy(beside, "requirements")

    assert answer_of(stack, outputs)[0] == "tiny"


def test_a_requirement_that_is_not_what_was_pinned_is_refused(stack: LocalStack, beside: Path):
    pinned = (beside / "layer" / "requirements.txt").read_text()
    folder(beside, {"layer/requirements.txt": pinned[:-5] + "0000\n"})

    with pytest.raises(TemplateInvalid, match=r"requirements\.txt: pip could not install it"):
        stack.deploy(beside, "tampered")


def test_a_failed_deployment_names_the_resource_and_can_be_mended(stack: LocalStack, tmp_path: Path):
    properties = {"RestApiId": "none", "ResponseType": "UNAUTHORIZED"}
    broken = {"Type": "AWS::ApiGateway::GatewayResponse", "Properties": properties}
    good = {"Type": "AWS::SQS::Queue"}
    path = folder(tmp_path, {"template.yaml": json.dumps({"Resources": {"Broken": broken, "Good": good}})})

    with pytest.raises(DeploymentFailed) as caught:
        stack.deploy(path, "mended")
    folder(path, {"template.yaml": json.dumps({"Resources": {"Good": good}})})
    outputs = stack.deploy(path, "mended")

    assert "Broken (AWS::ApiGateway::GatewayResponse): " in str(caught.value)
    assert outputs == {}


def test_a_missing_parameter_is_refused_before_anything_is_made(stack: LocalStack, product: Path):
    with pytest.raises(TemplateInvalid, match="Greeting"):
        stack.deploy(product, "without-parameters")


def test_nothing_is_deployed_to_a_stack_that_does_not_run(product: Path, tmp_path: Path):
    with pytest.raises(LocalStackError, match="does not run"):
        LocalStack(tmp_path, product).deploy(product, "beside")
