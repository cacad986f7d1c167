"""What is meant for a stack in an account, on the local stack: `make e2e`, and docs/deploy.md from key to answer."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from freehold_cli.local.stack import STACK, LocalStack
from product_stack import ROOT, share_build

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """As `freehold up` starts it."""
    home = tmp_path_factory.mktemp("e2e") / "home"
    share_build(home)
    made = LocalStack(home, ROOT)
    try:
        made.start(parameters={"ModelSource": "rehearsal"}, progress=lambda _: None)
        yield made
    finally:
        made.stop()


def make_e2e(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--silent", "e2e", *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_suite_for_deployed_stacks_passes(stack: LocalStack):
    running = stack.running()
    assert running is not None
    # As in a shell that has worked with another stack.
    elsewhere = {"FREEHOLD_URL": "http://127.0.0.1:9/v1", "FREEHOLD_KEY": "fh_of_another_stack"}

    done = make_e2e(f"STACK={STACK}", f"URL={running.url}", **elsewhere, **stack.aws.environment())

    assert done.returncode == 0, done.stdout + done.stderr
    assert " skipped" not in done.stdout
    left = stack.aws.client("cloudformation").list_stacks(StackStatusFilter=["CREATE_COMPLETE"])
    assert [each["StackName"] for each in left["StackSummaries"]] == [STACK]


def test_without_a_stack_it_says_what_to_give():
    done = make_e2e()

    assert done.returncode != 0
    assert "make e2e STACK=" in done.stdout


def test_the_page_on_deploying_leads_from_the_first_key_to_an_answer(stack: LocalStack):
    """What `sam` and the AWS CLI do on the page, the local stack has done or the environment says."""
    page = (ROOT / "docs" / "deploy.md").read_text()
    sections = page[page.index("## 3. The first key") : page.index("A short suite shows")]
    fences = "".join(re.findall(r"```bash\n(.*?)```", sections, re.DOTALL)).replace("\\\n", " ")
    kept = [line for line in fences.splitlines() if re.match(r"freehold |curl |export FREEHOLD_KEY=", line)]
    script = "\n".join(kept).replace("freehold-dev", STACK)
    stack.deploy(ROOT / "examples" / "customer-support", "customer-support")
    running = stack.running()
    assert running is not None

    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=ROOT,
        env={
            "PATH": f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}",
            "FREEHOLD_URL": f"{running.url}/v1",
            "REQUESTS_ARN": running.outputs["RequestsArn"],
            "RULE_ARN": running.outputs["RunRequestedRule"],
            **stack.aws.environment(),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert len(kept) == 10
    assert done.returncode == 0, done.stdout + done.stderr
    assert "stack answers at" in done.stdout
    assert done.stdout.count("COMPLETED") == 2
    assert "ORD-10042" in done.stdout


def test_what_is_missing_comes_back_from_a_restored_table(stack: LocalStack):
    """The script of the page; what restores a table is AWS's, so the copy is made here."""
    page = (ROOT / "docs" / "deploy.md").read_text()
    (script,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    dynamodb, running = stack.aws.client("dynamodb"), stack.running()
    assert running is not None
    table, copy = running.outputs["SessionsTable"], "freehold-sessions-restored"
    keys = [("pk", "HASH"), ("sk", "RANGE")]
    dynamodb.create_table(
        TableName=copy,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in keys],
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],
    )

    def item(number: int, text: str) -> dict[str, Any]:
        return {"pk": {"S": "CONV#restored#C1"}, "sk": {"S": f"RUN#{number:06d}"}, "body": {"S": text}}

    for number in (1, 2):
        dynamodb.put_item(TableName=copy, Item=item(number, "as it was"))
    dynamodb.put_item(TableName=table, Item=item(2, "as it is"))
    given = {"SESSIONS_TABLE": table, **stack.aws.environment()}

    subprocess.run([sys.executable, "-c", script], env=os.environ | given, check=True)

    found = dynamodb.query(
        TableName=table,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": "CONV#restored#C1"}},
    )
    assert found["Items"] == [item(1, "as it was"), item(2, "as it is")]
