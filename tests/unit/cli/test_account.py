"""AWS directly, on moto's."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from freehold.adapters.api_keys import ApiKeys
from freehold.adapters.table import Table
from freehold.errors import Invalid
from freehold.values.run import Principal
from freehold_cli.account import AwsAccount
from freehold_cli.settings import WrongUse

SETTINGS = {"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


@pytest.fixture
def session() -> Iterator[boto3.Session]:
    with mock_aws():
        yield boto3.Session("test", "test", region_name="us-east-1")


def test_outputs_of_a_stack_by_key(session: boto3.Session):
    topic = {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "news"}}
    template = {"Resources": {"Topic": topic}, "Outputs": {"TopicArn": {"Value": {"Ref": "Topic"}}}}
    session.client("cloudformation").create_stack(StackName="s", TemplateBody=json.dumps(template))

    assert AwsAccount(SETTINGS).outputs("s") == {"TopicArn": "arn:aws:sns:us-east-1:123456789012:news"}


def test_a_stack_that_does_not_exist_is_named(session: boto3.Session):
    with pytest.raises(WrongUse, match="'nowhere'"):
        AwsAccount(SETTINGS).outputs("nowhere")


def test_a_model_key_becomes_the_secrets_present_value(session: boto3.Session):
    secrets = session.client("secretsmanager")
    secrets.create_secret(Name="model-key", SecretString="none")

    AwsAccount(SETTINGS).put_secret("model-key", "sk-1")

    assert secrets.get_secret_value(SecretId="model-key")["SecretString"] == "sk-1"


@pytest.fixture
def dynamodb(session: boto3.Session) -> Any:
    """With a table for agents and keys."""
    client = session.client("dynamodb")
    names = [{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")]
    schema = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
    client.create_table(
        TableName="agents", AttributeDefinitions=names, KeySchema=schema, BillingMode="PAY_PER_REQUEST"
    )
    return client


def test_the_first_key_has_every_scope(dynamodb: Any):
    text = AwsAccount(SETTINGS).make_key("agents", "local admin")

    kept = json.dumps(dynamodb.scan(TableName="agents")["Items"])
    assert text.startswith("fh_local_")
    assert "admin" in kept
    assert text not in kept


def test_a_key_is_made_for_a_tenant_with_scopes_and_an_end(dynamodb: Any):
    account, now = AwsAccount(SETTINGS), int(time.time())

    text = account.make_key("agents", "first", tenant="main", scopes=["admin"], expires_in_days=2)

    found = ApiKeys(Table(dynamodb, "agents")).verify(text, now=now)
    assert found is not None
    assert (found.tenant, found.scopes) == ("main", ("admin",))
    assert found.expires_at is not None
    assert 2 * 86_400 <= found.expires_at - now < 2 * 86_400 + 60


def test_a_key_says_by_whose_credentials_it_was_made(dynamodb: Any):
    account = AwsAccount(SETTINGS)
    text = account.make_key("agents", "first", by=account.caller())

    found = ApiKeys(Table(dynamodb, "agents")).verify(text, now=int(time.time()))

    assert found is not None
    assert found.created_by == Principal("iam", "arn:aws:sts::123456789012:user/moto")


def test_a_scope_that_does_not_exist_makes_no_key(dynamodb: Any):
    with pytest.raises(Invalid, match="scopes"):
        AwsAccount(SETTINGS).make_key("agents", "first", scopes=["everything"])

    assert dynamodb.scan(TableName="agents")["Items"] == []


def test_a_schema_is_read_from_any_bucket_that_the_account_may_read(session: boto3.Session):
    s3 = session.client("s3")
    s3.create_bucket(Bucket="apis")
    s3.put_object(Bucket="apis", Key="shop.json", Body="größe".encode())

    assert AwsAccount(SETTINGS).read("apis", "shop.json") == "größe"
    with pytest.raises(Invalid, match=r"s3://apis/none\.json could not be read"):
        AwsAccount(SETTINGS).read("apis", "none.json")
