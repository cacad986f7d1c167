"""Signed requests to Bedrock's own HTTP APIs, for which botocore has no client."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError

from freehold.errors import ModelRejected, ModelUnavailable
from freehold.values.model import Host

from .model_http import Answer, keep_alive_pool, post

if TYPE_CHECKING:
    from botocore.credentials import Credentials, ReadOnlyCredentials

_SIGNING_NAMES: dict[Host, str] = {"bedrock-runtime": "bedrock", "bedrock-mantle": "bedrock-mantle"}
_THIS_MACHINE = ("127.0.0.1", "localhost", "::1")


class BedrockHttp:
    """Signs with SigV4 and sends once. Credentials are asked for at each call, because they rotate."""

    def __init__(
        self,
        credentials: Callable[[], Credentials | None],
        region: str,
        endpoints: Mapping[Host, str],
        pool: urllib3.PoolManager | None = None,
    ) -> None:
        self.region = region
        self._credentials, self._endpoints = credentials, endpoints
        self._pool = pool or keep_alive_pool()

    def post(
        self,
        host: Host,
        path: str,
        body: bytes,
        timeout_seconds: float,
        *,
        hear: Callable[[bytes], None] | None = None,
    ) -> Answer:
        """Any answer of the server; raises `ModelUnavailable` where none came and `ModelRejected` unsigned.

        `hear` gets the body of a 200 as it comes.
        """
        url = _safe(self._endpoints[host]) + path
        keys = self._frozen()
        request = AWSRequest(
            method="POST",
            url=url,
            data=body,
            headers={
                "content-type": "application/json",
                "accept": "application/json",
                "user-agent": "Freehold",
                "x-amz-content-sha256": hashlib.sha256(body).hexdigest(),
            },
        )
        SigV4Auth(keys, _SIGNING_NAMES[host], self.region).add_auth(request)
        headers = {name: str(value) for name, value in request.headers.items()}
        secrets = [secret for secret in (keys.token, headers["Authorization"]) if secret]
        return post(self._pool, url, body, headers, timeout_seconds, secrets=secrets, hear=hear)

    def _frozen(self) -> ReadOnlyCredentials:
        try:
            found = self._credentials()
            keys = found.get_frozen_credentials() if found else None
        except BotoCoreError as error:
            raise ModelUnavailable(f"the AWS credentials could not be read: {error}") from error
        if keys is None:
            raise ModelRejected("a model on Bedrock needs AWS credentials, and none were found")
        return keys


def _safe(endpoint: str) -> str:
    """The endpoint, if what is sent there stays secret."""
    parts = urlsplit(endpoint)
    if parts.scheme == "https" and parts.hostname:
        return endpoint.rstrip("/")
    if parts.scheme == "http" and parts.hostname in _THIS_MACHINE:
        return endpoint.rstrip("/")
    raise ModelRejected(f"a Bedrock endpoint must be https (http on this machine only), not {endpoint!r}")
