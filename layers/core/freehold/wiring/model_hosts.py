"""The models that this deployment can reach, and how."""

from __future__ import annotations

import os
from functools import cache, lru_cache
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from .clients import CONNECT_SECONDS, client, now, setting

if TYPE_CHECKING:
    from types_boto3_bedrock_runtime import BedrockRuntimeClient

    from ..adapters.bedrock_http import BedrockHttp
    from ..adapters.catalog import Catalog
    from ..adapters.models import ModelChooser
    from ..values.model import Host


@cache
def catalog() -> Catalog:
    from ..adapters.catalog import Catalog

    return Catalog.packaged()


@cache
def models() -> ModelChooser:
    from ..adapters.models import Bedrock, ModelChooser, ModelSettings

    settings = ModelSettings(setting("MODEL_SOURCE"), setting("MODEL_URL"), setting("MODEL_NAME"))
    return ModelChooser(settings, catalog(), model_key, Bedrock(model_client, bedrock_http))


def model_region() -> str:
    """Where Bedrock is asked: the stack's own Region, or the one that it was given."""
    return setting("MODEL_REGION")


def model_client(timeout_seconds: int) -> BedrockRuntimeClient:
    """Times differ with each call, so they are rounded down to a few: each client is made once."""
    return _model_client(timeout_seconds // 10 * 10 or timeout_seconds)


@cache
def _model_client(timeout_seconds: int) -> BedrockRuntimeClient:
    config = Config(
        region_name=model_region(),
        retries={"total_max_attempts": 1},
        connect_timeout=CONNECT_SECONDS,
        read_timeout=timeout_seconds,
        tcp_keepalive=True,
    )
    return client("bedrock-runtime", config)


@cache
def bedrock_http() -> BedrockHttp:
    from ..adapters.bedrock_http import BedrockHttp

    region = model_region()
    # As AWS's own SDKs find a PrivateLink endpoint or another address.
    mantle = os.environ.get("AWS_ENDPOINT_URL_BEDROCK_MANTLE", f"https://bedrock-mantle.{region}.api.aws")
    endpoints: dict[Host, str] = {
        "bedrock-runtime": model_client(CONNECT_SECONDS).meta.endpoint_url,
        "bedrock-mantle": mantle,
    }
    return BedrockHttp(boto3.Session().get_credentials, region, endpoints)


def model_key() -> str | None:
    """The model server's key, at most a minute old; None where the secret holds none."""
    return _model_key_of(now() // 60_000)


@lru_cache(maxsize=1)
def _model_key_of(minute: int) -> str | None:
    found = client("secretsmanager").get_secret_value(SecretId=setting("MODEL_KEY_SECRET"))
    return found["SecretString"].strip() or None
