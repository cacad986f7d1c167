"""AWS directly, on moto's."""

from __future__ import annotations

import json
from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

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


def test_the_first_key_has_every_scope(session: boto3.Session):
    dynamodb = session.client("dynamodb")
    names = [{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")]
    schema = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
    dynamodb.create_table(
        TableName="agents", AttributeDefinitions=names, KeySchema=schema, BillingMode="PAY_PER_REQUEST"
    )

    text = AwsAccount(SETTINGS).make_key("agents", "local admin")

    kept = json.dumps(dynamodb.scan(TableName="agents")["Items"])
    assert text.startswith("fh_local_")
    assert "admin" in kept
    assert text not in kept
