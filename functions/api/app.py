"""The HTTP API. Which calls there are, and what each does, is in `freehold.http`."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn, cast
from urllib.parse import unquote

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, CORSConfig, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.middlewares import NextMiddleware
from aws_lambda_powertools.utilities.typing import LambdaContext

from freehold import wiring
from freehold.errors import NotFound, StaleWrite
from freehold.http import cors, paths
from freehold.http.call import Call
from freehold.http.caller import asker
from freehold.http.problems import PROBLEM_JSON, headers, problem
from freehold.http.routes import ROUTES, Route
from freehold.observability import handler, logger, observed

ENCODED_SLASH = re.compile("%2f", re.IGNORECASE)
JSON = "application/json"
AN_HOUR = 3600


class Origins(CORSConfig):
    """Those of the stack's settings, which are there once a request is."""

    def allowed_origin(self, extracted_origin: str) -> str | None:
        return wiring.allowed_origin(extracted_origin)

    def to_dict(self, origin: str | None) -> dict[str, str]:
        return super().to_dict(origin) | cors.headers(origin)


app = APIGatewayRestResolver(cors=Origins(allow_headers=list(cors.SENT), max_age=AN_HOUR))


def check_address(app: APIGatewayRestResolver, next_middleware: NextMiddleware) -> Response[Any]:
    paths.check_path(app.current_event.path)
    paths.check_named_once(app.current_event.raw_event.get("multiValueQueryStringParameters") or {})
    return cast("Response[Any]", next_middleware(app))


app.use(middlewares=[check_address])  # pyright: ignore[reportUnknownMemberType]


@app.exception_handler(Exception)
def on_error(error: Exception) -> Response[str]:
    status, document = problem(error, path=app.current_event.path)
    who = asker(app.current_event.raw_event["requestContext"])
    if status >= 500 or isinstance(error, StaleWrite):
        # It may have done a part.
        logger.exception("request failed", extra=who)
    elif status in (403, 404):
        # Also of what is another tenant's, which is written down nowhere else.
        logger.info("request refused", extra=who | {"reason": document["type"]})
    return Response(status, PROBLEM_JSON, json.dumps(document), headers=headers(error))


@app.not_found  # pyright: ignore[reportUnknownMemberType, reportUntypedFunctionDecorator]
def on_unknown_route(error: NotFoundError) -> NoReturn:
    raise NotFound(f"no call {app.current_event.http_method} {app.current_event.path}")


def serve(route: Route) -> None:
    @app.route(route.path, method=route.method)  # pyright: ignore[reportUnknownMemberType, reportUntypedFunctionDecorator]
    def answer(**ids: str) -> Response[str]:
        event = app.current_event
        call = Call(
            ids=ids,
            query=event.query_string_parameters,
            body=event.body,
            headers=event.headers,
            context=event.raw_event["requestContext"],
            ends=lambda: observed(wiring.endings()),
        )
        done = route.answer(call)
        for message, told in done.noted.items():
            logger.info(message, extra=told)
        body = "" if done.body is None else json.dumps(done.body, ensure_ascii=False)
        return Response(done.status, None if done.body is None else JSON, body, headers=dict(done.headers))


for each in ROUTES:
    serve(each)


@handler
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    # API Gateway hands the path over as it was sent, with its percent signs and what a domain of one's own has
    # before it. A "/" inside an id keeps its own, which no id may have.
    path = unquote(ENCODED_SLASH.sub("%252F", event["path"].removeprefix("/v1")))
    answer = app.resolve({**event, "path": path}, context)
    answer["multiValueHeaders"]["x-request-id"] = [event["requestContext"]["requestId"]]
    return answer
