"""Who comes in without a key, on the local stack: AWS's own identities through the deployed API."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from freehold.values.access import AccessEntry
from freehold_cli.account import AwsAccount
from freehold_client import Freehold, Unauthorized, aws_token
from model_server import say
from product_stack import TENANT, Product

pytestmark = pytest.mark.stack

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
}


def session_of(product: Product, role: str) -> tuple[str, AwsAccount]:
    """The role's ARN, and what acts as a session of it named ann."""
    arn = product.aws("iam").create_role(
        RoleName=role, Path="/staff/", AssumeRolePolicyDocument=json.dumps(TRUST)
    )["Role"]["Arn"]
    made: Any = product.aws("sts").assume_role(RoleArn=arn, RoleSessionName="ann")["Credentials"]
    keys = {
        "AWS_ACCESS_KEY_ID": made["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": made["SecretAccessKey"],
        "AWS_SESSION_TOKEN": made["SessionToken"],
    }
    return arn, AwsAccount(product.stack.aws.environment() | keys)


def test_a_session_of_a_role_asks_under_its_own_name(product: Product):
    role, account = session_of(product, "support")
    entries = AwsAccount(product.stack.aws.environment()).access(product.outputs["AgentsTable"])
    entries.grant(AccessEntry("iam", role, TENANT, int(time.time()), ("run", "read")))
    agent = product.agent()
    product.model.script([say("Hello.")])

    token = aws_token(product.url, account.sign)
    with Freehold(product.url, lambda: token.token) as client:
        run = client.runs.get(client.runs.start(agent, "hi").run_id)

    assert (token.tenant, token.scopes) == (TENANT, ("run", "read"))
    assert token.principal.endswith(":assumed-role/support/ann")
    assert f"{run.principal.type}:{run.principal.id}" == token.principal


def test_a_role_that_nobody_let_in_gets_no_token(product: Product):
    role, account = session_of(product, "stranger")

    with pytest.raises(Unauthorized, match=role.replace("/staff", "")):
        aws_token(product.url, account.sign)
