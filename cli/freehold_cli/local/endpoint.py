"""Where AWS is on this machine, and how to talk to it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any, Self

REGION = "us-east-1"
ACCOUNT = "000000000000"
_CREDENTIAL = "test"
# The variable that tells the relay its token: a command line is there for all to read.
RELAY_TOKEN = "FREEHOLD_RELAY_TOKEN"  # noqa: S105 - a name


@dataclass(frozen=True, slots=True)
class AwsEndpoint:
    """An AWS that answers at one URL, for one account, with credentials that open nothing else."""

    url: str

    def environment(self) -> dict[str, str]:
        """The variables by which any AWS SDK or CLI finds this endpoint and no other."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": _CREDENTIAL,
            "AWS_SECRET_ACCESS_KEY": _CREDENTIAL,
            "AWS_EC2_METADATA_DISABLED": "true",
            # Some calls put a prefix before the host name, which does not exist for 127.0.0.1.
            "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
        }

    def client(self, service: str) -> Any:
        """A boto3 client that never looks at the user's own AWS configuration."""
        import boto3
        from botocore.config import Config

        session: Any = boto3.Session(
            aws_access_key_id=_CREDENTIAL, aws_secret_access_key=_CREDENTIAL, region_name=REGION
        )
        config = Config(
            inject_host_prefix=False,
            retries={"total_max_attempts": 2},
            s3={"addressing_style": "path"},
            proxies={},
        )
        return session.client(service, endpoint_url=self.url, config=config)


@dataclass(frozen=True, slots=True)
class BedrockRelay:
    """The relay to Amazon Bedrock in a Region. Who knows its token uses the models at the user's expense."""

    region: str
    port: int
    token: str = field(repr=False)

    @classmethod
    def new(cls, region: str, port: int) -> Self:
        """With a token of its own."""
        return cls(region, port, secrets.token_urlsafe(32))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def environment(self) -> dict[str, str]:
        """The variables by which any AWS SDK finds the relay in Bedrock's place."""
        services = {"BEDROCK_RUNTIME": "bedrock-runtime", "BEDROCK_MANTLE": "bedrock-mantle"}
        return {
            f"AWS_ENDPOINT_URL_{name}": f"{self.url}/{self.token}/{path}" for name, path in services.items()
        }
