"""The HTTP API: routes only. What each call does is in `freehold.http`."""

from __future__ import annotations

import json
import re
from functools import partial
from typing import Any, NoReturn, cast
from urllib.parse import unquote

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.middlewares import NextMiddleware
from aws_lambda_powertools.utilities.typing import LambdaContext

from freehold import wiring
from freehold.errors import NotFound
from freehold.http import (
    agents,
    approvals,
    decisions,
    erasures,
    keys,
    memories,
    replays,
    requests,
    runs,
    sessions,
    uploads,
)
from freehold.http.caller import Caller
from freehold.http.problems import PROBLEM_JSON, problem
from freehold.http.shapes import Json
from freehold.observability import handler, logger, observed

ENCODED_SLASH = re.compile("%2f", re.IGNORECASE)
app = APIGatewayRestResolver(serializer=partial(json.dumps, ensure_ascii=False))


def check_path(app: APIGatewayRestResolver, next_middleware: NextMiddleware) -> Response[Any]:
    requests.check_path(app.current_event.path)
    return cast("Response[Any]", next_middleware(app))


app.use(middlewares=[check_path])  # pyright: ignore[reportUnknownMemberType]


def caller() -> Caller:
    return Caller.of(app.current_event.request_context.authorizer.raw_event)


@app.exception_handler(Exception)
def on_error(error: Exception) -> Response[str]:
    status, document = problem(error, path=app.current_event.path)
    if status >= 500:
        logger.exception("request failed")
    elif status in (403, 404):
        # Also of what is another tenant's, which is written down nowhere else.
        who = caller()
        told = {"tenant": who.tenant, "principal": who.principal.name, "reason": document["type"]}
        logger.info("request refused", extra=told)
    headers = {"Retry-After": "1"} if status == 503 else {}
    return Response(status, PROBLEM_JSON, json.dumps(document), headers=headers)


@app.not_found  # pyright: ignore[reportUnknownMemberType, reportUntypedFunctionDecorator]
def on_unknown_route(error: NotFoundError) -> NoReturn:
    raise NotFound(f"no call {app.current_event.http_method} {app.current_event.path}")


@app.put("/agents/<name>")
def apply_agent(name: str) -> Json:
    return agents.apply(caller(), name, app.current_event.body)


@app.get("/agents")
def list_agents() -> Json:
    return agents.listed(caller())


@app.get("/agents/<name>")
def get_agent(name: str) -> Json:
    return agents.get(caller(), name)


@app.delete("/agents/<name>")
def delete_agent(name: str) -> Response[str]:
    agents.delete(caller(), name)
    return Response(204, body="")


@app.post("/agents/<name>/versions")
def freeze_agent(name: str) -> tuple[Json, int]:
    return agents.freeze(caller(), name), 201


@app.get("/agents/<name>/versions")
def list_versions(name: str) -> Json:
    return agents.versions(caller(), name)


@app.get("/agents/<name>/versions/<version>")
def get_version(name: str, version: str) -> Json:
    return agents.version(caller(), name, version)


@app.put("/agents/<name>/aliases/<alias>")
def put_alias(name: str, alias: str) -> Json:
    return agents.put_alias(caller(), name, alias, app.current_event.body)


@app.get("/agents/<name>/aliases")
def list_aliases(name: str) -> Json:
    return agents.aliases(caller(), name)


@app.get("/agents/<name>/aliases/<alias>")
def get_alias(name: str, alias: str) -> Json:
    return agents.alias(caller(), name, alias)


@app.post("/agents/<name>/runs")
def start_run(name: str) -> tuple[Json, int]:
    key = app.current_event.headers.get("Idempotency-Key")
    receiving = wiring.receiving(observed(wiring.endings()))
    return runs.start(caller(), name, app.current_event.body, key, receiving)


@app.get("/runs")
def list_runs() -> Json:
    return runs.listed(caller(), app.current_event.query_string_parameters)


@app.get("/runs/<run_id>")
def get_run(run_id: str) -> Json:
    return runs.get(caller(), run_id)


@app.post("/runs/<run_id>/cancel")
def cancel_run(run_id: str) -> tuple[Json, int]:
    return runs.cancel(caller(), run_id, observed(wiring.endings())), 202


@app.post("/runs/<run_id>/replays")
def replay_run(run_id: str) -> tuple[Json, int]:
    return replays.start(caller(), run_id, app.current_event.body)


@app.post("/runs/<run_id>/decisions")
def decide(run_id: str) -> Json:
    parking = wiring.parking(observed(wiring.endings()))
    return decisions.take(caller(), run_id, app.current_event.body, parking)


@app.post("/runs/<run_id>/uploads")
def begin_upload(run_id: str) -> tuple[Json, int]:
    return uploads.create(caller(), run_id, app.current_event.body), 201


@app.get("/approvals")
def list_approvals() -> Json:
    return approvals.listed(caller(), app.current_event.query_string_parameters)


@app.get("/sessions")
def list_sessions() -> Json:
    return sessions.listed(caller(), app.current_event.query_string_parameters)


@app.get("/sessions/<session_id>")
def get_session(session_id: str) -> Json:
    return sessions.get(caller(), session_id)


@app.get("/sessions/<session_id>/items")
def list_items(session_id: str) -> Json:
    return sessions.items(caller(), session_id, app.current_event.query_string_parameters)


@app.post("/sessions/<session_id>/hand-back")
def hand_back(session_id: str) -> Json:
    parking = wiring.parking(observed(wiring.endings()))
    return sessions.hand_back(caller(), session_id, app.current_event.body, parking)


@app.post("/sessions/<session_id>/end")
def end_session(session_id: str) -> Json:
    return sessions.end(caller(), session_id, observed(wiring.endings()))


@app.delete("/sessions/<session_id>")
def delete_session(session_id: str) -> Json:
    return sessions.delete(caller(), session_id, wiring.erasing(observed(wiring.endings())))


@app.get("/agents/<name>/memories")
def list_memories(name: str) -> Json:
    return memories.listed(caller(), name, app.current_event.query_string_parameters)


@app.get("/agents/<name>/memories/<memory_id>")
def get_memory(name: str, memory_id: str) -> Json:
    return memories.get(caller(), name, memory_id)


@app.delete("/agents/<name>/memories/<memory_id>")
def delete_memory(name: str, memory_id: str) -> Json:
    return memories.delete(caller(), name, memory_id, app.current_event.query_string_parameters)


@app.post("/erasures")
def erase() -> Json:
    erasing = wiring.erasing(observed(wiring.endings()))
    return erasures.create(caller(), app.current_event.body, erasing)


@app.post("/keys")
def create_key() -> tuple[Json, int]:
    return keys.create(caller(), app.current_event.body), 201


@app.get("/keys")
def list_keys() -> Json:
    return keys.listed(caller())


@app.delete("/keys/<key_id>")
def revoke_key(key_id: str) -> Response[str]:
    keys.revoke(caller(), key_id)
    return Response(204, body="")


@handler
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    # API Gateway hands the path over as it was sent, with its percent signs. A "/" inside an id keeps its own,
    # which no id may have.
    path = unquote(ENCODED_SLASH.sub("%252F", event["path"]))
    answer = app.resolve({**event, "path": path}, context)
    answer["multiValueHeaders"]["x-request-id"] = [event["requestContext"]["requestId"]]
    return answer
