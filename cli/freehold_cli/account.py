"""AWS directly, for what the HTTP API cannot do: stack outputs, the first key, a model's key."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from freehold.adapters.access import AccessEntries
from freehold.adapters.api_keys import ApiKeys
from freehold.adapters.dead_letters import SqsDeadLetters
from freehold.adapters.schema_buckets import SchemaBuckets
from freehold.adapters.table import Table
from freehold.values.access import SCOPES
from freehold.values.run import Principal

from .settings import LOCAL_TENANT, WrongUse

DAY_SECONDS = 86_400
# An API's own address tells its Region; a domain of one's own does not.
API = re.compile(r"https://[a-z0-9-]+\.execute-api\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?/")


class AwsAccount:
    """The account that `environment` (AWS_* settings) leads to; empty means the user's own configuration."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._session: Any = boto3.Session(
            aws_access_key_id=environment.get("AWS_ACCESS_KEY_ID"),
            aws_secret_access_key=environment.get("AWS_SECRET_ACCESS_KEY"),
            aws_session_token=environment.get("AWS_SESSION_TOKEN"),
            # AWS's own tools know AWS_REGION, and botocore does not.
            region_name=environment.get("AWS_REGION")
            or environment.get("AWS_DEFAULT_REGION")
            or os.environ.get("AWS_REGION"),
        )
        endpoint = environment.get("AWS_ENDPOINT_URL")
        # A company's proxy cannot reach this machine.
        config = Config(proxies={}) if endpoint else None
        self._client = partial(self._session.client, endpoint_url=endpoint, config=config)

    def outputs(self, stack_name: str) -> dict[str, str]:
        """The outputs of a CloudFormation stack by key."""
        client = self._client("cloudformation")
        try:
            stack = client.describe_stacks(StackName=stack_name)["Stacks"][0]
        except ClientError as error:
            told = error.response.get("Error", {}).get("Message", str(error))
            raise WrongUse(f"cannot read the stack {stack_name!r}: {told}") from error
        except BotoCoreError as error:
            raise WrongUse(f"cannot read the stack {stack_name!r}: {error}") from error
        return {
            output["OutputKey"]: output["OutputValue"]
            for output in stack.get("Outputs", [])
            if "OutputKey" in output and "OutputValue" in output
        }

    def make_key(
        self,
        table: str,
        name: str,
        *,
        tenant: str = LOCAL_TENANT,
        scopes: Sequence[str] = SCOPES,
        expires_in_days: int | None = None,
        by: Principal | None = None,
    ) -> str:
        """The text of a new key."""
        now = int(time.time())
        expires = None if expires_in_days is None else now + expires_in_days * DAY_SECONDS
        keys = ApiKeys(Table(self._client("dynamodb"), table))
        made = keys.create(tenant=tenant, name=name, scopes=scopes, now=now, by=by, expires_at=expires)
        return made.text

    def caller(self) -> Principal | None:
        """Who AWS takes us for, as far as it says: nothing is kept from being made by that."""
        try:
            return Principal("iam", self._client("sts").get_caller_identity()["Arn"])
        except (BotoCoreError, ClientError):
            return None

    def access(self, table: str) -> AccessEntries:
        """Which tenant comes in by which door, in a stack's agents table."""
        return AccessEntries(Table(self._client("dynamodb"), table))

    def sign(self, url: str, body: bytes) -> dict[str, str]:
        """Headers by which API Gateway knows who posts `body` to `url`."""
        try:
            found = self._session.get_credentials()
            keys = found.get_frozen_credentials() if found is not None else None
        except (BotoCoreError, ClientError) as error:
            raise WrongUse(f"the AWS credentials cannot be used: {error}") from error
        if keys is None:
            raise WrongUse("there are no AWS credentials", "Log in with `aws sso login`, or set AWS_PROFILE.")
        named = API.match(url)
        region = named["region"] if named else self._session.region_name
        if region is None:
            raise WrongUse(f"no Region is known for {url}", "Set AWS_REGION to the stack's.")
        request = AWSRequest("POST", url, data=body)
        SigV4Auth(keys, "execute-api", region).add_auth(request)
        return dict(request.headers)

    def dead_letters(self, queue_urls: Sequence[str]) -> SqsDeadLetters:
        """Of these queues, whoever they belong to."""
        return SqsDeadLetters(self._client("sqs"), queue_urls)

    def put_secret(self, secret: str, text: str) -> None:
        client = self._client("secretsmanager")
        client.put_secret_value(SecretId=secret, SecretString=text)

    def read(self, bucket: str, key: str) -> str:
        """The OpenAPI document there. Raises `Invalid` where it cannot be had."""
        return SchemaBuckets(self._client("s3"), frozenset({bucket})).read(bucket, key)
