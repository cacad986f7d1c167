"""The HTTP API: routes only. What each call does is in `freehold.http`."""

from __future__ import annotations

import json
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response, content_types
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.middlewares import NextMiddleware
from aws_lambda_powertools.utilities.typing import LambdaContext

from freehold.errors import NotFound
from freehold.http import agents, keys, runs
from freehold.http.caller import Caller
from freehold.http.problems import PROBLEM_JSON, problem
from freehold.observability import handler, logger

app = APIGatewayRestResolver()


def with_request_id(app: APIGatewayRestResolver, next_middleware: NextMiddleware) -> Response[Any]:
    response: Response[Any] = next_middleware(app)
    response.headers["x-request-id"] = app.current_event.request_context.request_id
    return response


app.use(middlewares=[with_request_id])  # pyright: ignore[reportUnknownMemberType]


def caller() -> Caller:
    return Caller.of(app.current_event.request_context.authorizer.raw_event)


def answer(body: dict[str, Any], status: int = 200) -> Response[str]:
    return Response(status, content_types.APPLICATION_JSON, json.dumps(body, ensure_ascii=False))


@app.exception_handler(Exception)
def on_error(error: Exception) -> Response[str]:
    status, document = problem(error, path=app.current_event.path)
    if status >= 500:
        logger.exception("request failed")
    headers = {"Retry-After": "1"} if status == 503 else {}
    return Response(status, PROBLEM_JSON, json.dumps(document), headers=headers)


@app.not_found  # pyright: ignore[reportUnknownMemberType, reportUntypedFunctionDecorator]
def on_unknown_route(error: NotFoundError) -> Response[str]:
    return on_error(NotFound(f"no call {app.current_event.http_method} {app.current_event.path}"))


@app.put("/agents/<name>")
def apply_agent(name: str) -> Response[str]:
    return answer(agents.apply(caller(), name, app.current_event.body))


@app.get("/agents")
def list_agents() -> Response[str]:
    return answer(agents.listed(caller()))


@app.get("/agents/<name>")
def get_agent(name: str) -> Response[str]:
    return answer(agents.get(caller(), name))


@app.delete("/agents/<name>")
def delete_agent(name: str) -> Response[str]:
    agents.delete(caller(), name)
    return Response(204)


@app.post("/agents/<name>/versions")
def freeze_agent(name: str) -> Response[str]:
    return answer(agents.freeze(caller(), name), 201)


@app.get("/agents/<name>/versions")
def list_versions(name: str) -> Response[str]:
    return answer(agents.versions(caller(), name))


@app.get("/agents/<name>/versions/<version>")
def get_version(name: str, version: str) -> Response[str]:
    return answer(agents.version(caller(), name, version))


@app.put("/agents/<name>/aliases/<alias>")
def put_alias(name: str, alias: str) -> Response[str]:
    return answer(agents.put_alias(caller(), name, alias, app.current_event.body))


@app.get("/agents/<name>/aliases")
def list_aliases(name: str) -> Response[str]:
    return answer(agents.aliases(caller(), name))


@app.get("/agents/<name>/aliases/<alias>")
def get_alias(name: str, alias: str) -> Response[str]:
    return answer(agents.alias(caller(), name, alias))


@app.post("/agents/<name>/runs")
def start_run(name: str) -> Response[str]:
    key = app.current_event.headers.get("Idempotency-Key")
    status, body = runs.start(caller(), name, app.current_event.body, key)
    return answer(body, status)


@app.get("/runs")
def list_runs() -> Response[str]:
    return answer(runs.listed(caller(), app.current_event.query_string_parameters))


@app.get("/runs/<run_id>")
def get_run(run_id: str) -> Response[str]:
    return answer(runs.get(caller(), run_id))


@app.post("/runs/<run_id>/cancel")
def cancel_run(run_id: str) -> Response[str]:
    return answer(runs.cancel(caller(), run_id), 202)


@app.get("/sessions/<session_id>/items")
def list_items(session_id: str) -> Response[str]:
    return answer(runs.items(caller(), session_id, app.current_event.query_string_parameters))


@app.post("/keys")
def create_key() -> Response[str]:
    return answer(keys.create(caller(), app.current_event.body), 201)


@app.get("/keys")
def list_keys() -> Response[str]:
    return answer(keys.listed(caller()))


@app.delete("/keys/<key_id>")
def revoke_key(key_id: str) -> Response[str]:
    keys.revoke(caller(), key_id)
    return Response(204)


@handler
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
