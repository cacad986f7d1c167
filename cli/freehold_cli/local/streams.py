"""Live events behind the front door: whoever is let in reaches the process that streams them."""

from __future__ import annotations

import asyncio
import json
from typing import cast
from uuid import uuid4

import httpx
from starlette.requests import Request
from starlette.responses import Response

from freehold_cli.local.authorizer import Authorizer, AuthorizerFailed
from freehold_cli.local.passing import answered, outgoing, unavailable

# About as long as the process takes to begin anew after a deployment. Whoever waits for a reply waits as long.
_TRIES, _PAUSE_SECONDS = 10, 0.2
# Until an answer begins; one that has begun may be silent for longer.
_BEGIN_SECONDS = 5.0


class Streams:
    """The process at `url`, which believes what it is told of who asks: `authorizer` says it."""

    def __init__(
        self,
        url: str,
        authorizer: Authorizer,
        client: httpx.AsyncClient,
        begin_seconds: float = _BEGIN_SECONDS,
        pause_seconds: float = _PAUSE_SECONDS,
    ) -> None:
        self._url, self._begin_seconds, self._pause_seconds = url, begin_seconds, pause_seconds
        self._authorizer = authorizer
        self._client = client

    async def answer(self, request: Request, api: str) -> Response | None:
        """None for whom the authorizer does not let in: the API itself tells them so."""
        try:
            context = await self._authorizer.context(api, request.headers.get("authorization", ""))
        except (AuthorizerFailed, httpx.HTTPError) as error:
            return unavailable(f"the credential could not be checked ({type(error).__name__})")
        if context is None:
            return None
        told = json.dumps({"authorizer": context, "requestId": str(uuid4())})
        target = self._url + cast("bytes", request.scope["raw_path"]).decode("ascii")
        for _ in range(_TRIES):
            try:
                sent = outgoing(request, target, b"", x_amzn_request_context=told)
                async with asyncio.timeout(self._begin_seconds):
                    return answered(await self._client.send(sent, stream=True))
            except httpx.ConnectError:
                await asyncio.sleep(self._pause_seconds)
            except (httpx.TransportError, TimeoutError):
                break
        return unavailable("live events do not answer; `freehold status` tells more")
