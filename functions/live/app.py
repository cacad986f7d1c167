"""Live events of runs as an ASGI application: on Lambda behind the Lambda Web Adapter, elsewhere under uvicorn."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable
from typing import Any
from uuid import uuid4

import anyio
from anyio.to_thread import run_sync
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from freehold.errors import FreeholdError, NotFound
from freehold.http import cors, events
from freehold.http.caller import Caller, asker
from freehold.http.problems import PROBLEM_JSON, headers, problem
from freehold.http.shapes import Json
from freehold.observability import logger
from freehold.wiring.live import watching

# Whether a caller may still read is asked as a stream begins. So none is longer: clients come back by themselves. And
# Lambda notices late or not at all that a client has gone.
STREAM_SECONDS = 60.0
LINE = "\n"
Clock = Callable[[], float]


async def follow(request: Request) -> Response:
    """The run's events from the place on that `Last-Event-ID` names; 204 where none will follow by itself."""
    if request.method != "GET":
        return await nowhere(request)
    context = _context(request)
    sent = _sent(request, context)
    try:
        caller = Caller.of(context["authorizer"])
        follower = events.followed(
            caller, request.path_params["run_id"], request.headers.get("last-event-id"), watching()
        )
        first = await run_sync(follower.news)
    except Exception as error:
        return _refused(error, request, context, sent)
    if follower.watcher.over and not first:
        return Response(status_code=204, headers=sent)
    told = _told(follower, first, sent["x-request-id"])
    return EventSourceResponse(
        told, headers=sent, ping=events.HEARTBEAT_SECONDS, ping_message_factory=_heartbeat, sep=LINE
    )


async def _told(
    follower: events.Follower, news: list[Json], request_id: str, now: Clock = anyio.current_time
) -> AsyncGenerator[ServerSentEvent]:
    """News after news until no more will come. What fails meanwhile ends the stream, and the client comes back."""
    yield ServerSentEvent(retry=events.RETRY_MS, comment="following", sep=LINE)
    until = now() + STREAM_SECONDS
    while True:
        for each in news:
            yield ServerSentEvent(**each, sep=LINE)
        if follower.watcher.over or now() > until:
            return
        await anyio.sleep(follower.watcher.pause_seconds)
        try:
            news = await run_sync(follower.news)
        except FreeholdError as error:
            logger.warning("the stream ended early", extra=_about(follower, error, request_id))
            return
        except Exception as error:
            # The answer has begun: that it breaks off is all that can be told, and what the alarm goes by.
            logger.exception("the stream broke", extra=_about(follower, error, request_id))
            raise


def _about(follower: events.Follower, error: Exception, request_id: str) -> dict[str, str]:
    key, reason = follower.watcher.key, type(error).__name__
    return {"tenant": key.tenant, "run_id": key.run_id, "request_id": request_id, "reason": reason}


def _heartbeat() -> ServerSentEvent:
    return ServerSentEvent(comment="heartbeat", sep=LINE)


def _context(request: Request) -> dict[str, Any]:
    """API Gateway's own, which the adapter puts in the place of whatever a client has sent under this name."""
    return json.loads(request.headers.get("x-amzn-request-context", "{}"))


def _sent(request: Request, context: dict[str, Any]) -> dict[str, str]:
    """What every answer says of itself."""
    named = {"x-request-id": context.get("requestId") or uuid4().hex}
    return named | cors.headers(request.headers.get("origin"))


def _path(request: Request) -> str:
    """As in every other call: without the stage, which API Gateway may name."""
    return request.scope["path"].removeprefix("/v1")


def _refused(error: Exception, request: Request, context: dict[str, Any], sent: dict[str, str]) -> Response:
    status, document = problem(error, path=_path(request))
    who = asker(context) if "authorizer" in context else {}
    if status >= 500:
        logger.exception("request failed", exc_info=error, extra=who)
    elif status in (403, 404) and who:
        logger.info("request refused", extra=who | {"reason": document["type"]})
    return JSONResponse(document, status, {**sent, **headers(error)}, PROBLEM_JSON)


async def nowhere(request: Request) -> Response:
    context = _context(request)
    error = NotFound(f"no call {request.method} {_path(request)}")
    return _refused(error, request, context, _sent(request, context))


async def is_ready(_: Request) -> Response:
    """What the adapter asks before it passes anything on."""
    return Response(status_code=204)


app = Starlette(
    routes=[
        Route("/", is_ready),
        *(Route(f"{stage}/runs/{{run_id}}/events", follow) for stage in ("", "/v1")),
        Route("/{path:path}", nowhere),
    ]
)
