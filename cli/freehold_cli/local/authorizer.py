"""Who asks, as the deployed authorizer says: what API Gateway does before it passes a call on to a stream."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from typing import Any, cast
from weakref import WeakValueDictionary

import httpx

from freehold_cli.local.endpoint import ACCOUNT, REGION

# As long as API Gateway keeps an answer.
_KEPT_SECONDS = 60.0
_MOST_KEPT = 1_000
_FUNCTION = re.compile("functions/(.+)/invocations")
# A Lambda that is asked for the first time takes its time.
_TIMEOUT = 30.0


class AuthorizerFailed(Exception):
    """Nobody knows whether the token is good."""


class Authorizer:
    """Asks the authorizer of an API of the local AWS, and keeps what it answers for a minute."""

    def __init__(
        self, aws_url: str, client: httpx.AsyncClient, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._aws_url = aws_url
        self._client = client
        self._clock = clock
        self._asking: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()
        self._kept: dict[tuple[str, str], tuple[float, dict[str, Any]]] = {}

    async def context(self, api: str, token: str) -> dict[str, Any] | None:
        """What it tells of the bearer of `token`; None where it lets nobody in.

        Raises `AuthorizerFailed`, and `httpx.HTTPError`.
        """
        # Many who come at once with one token are one question, for which nobody else waits.
        asking = self._asking.setdefault((api, token), asyncio.Lock())
        async with asking:
            kept = self._kept.get((api, token))
            if kept is not None and kept[0] > self._clock():
                return kept[1]
            found = await self._asked(api, token)
            if found is not None:
                if len(self._kept) >= _MOST_KEPT:
                    self._kept.clear()
                self._kept[api, token] = (self._clock() + _KEPT_SECONDS, found)
            return found

    async def _asked(self, api: str, token: str) -> dict[str, Any] | None:
        arn = f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{api}/v1/GET/runs"
        event = {"type": "TOKEN", "authorizationToken": token, "methodArn": arn}
        function = await self._function(api)
        answer = await self._client.post(
            f"{self._aws_url}/2015-03-31/functions/{function}/invocations", json=event, timeout=_TIMEOUT
        )
        answer.raise_for_status()
        if "x-amz-function-error" in answer.headers:
            # API Gateway goes by this word as well.
            if answer.json().get("errorMessage") == "Unauthorized":
                return None
            raise AuthorizerFailed
        policy = cast("dict[str, Any]", answer.json())
        allowed = {each["Effect"] for each in policy["policyDocument"]["Statement"]} == {"Allow"}
        return policy["context"] if allowed else None

    async def _function(self, api: str) -> str:
        listed = await self._client.get(f"{self._aws_url}/restapis/{api}/authorizers")
        listed.raise_for_status()
        authorizers = cast("dict[str, Any]", listed.json())
        (uri,) = (each["authorizerUri"] for each in authorizers.get("item") or authorizers["items"])
        found = _FUNCTION.search(uri)
        return found[1] if found else ""
