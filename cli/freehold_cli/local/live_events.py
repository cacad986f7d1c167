"""Live events on this machine: the deployed function's application, served as the Lambda Web Adapter serves it on AWS.

It is given what the function is given. After each deployment it begins anew, with what was deployed.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, cast

from botocore.exceptions import BotoCoreError, ClientError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from freehold_cli.local.endpoint import AwsEndpoint
from freehold_cli.local.home import deployed_at
from freehold_cli.local.passing import unavailable
from freehold_cli.local.serving import Options, serve

FUNCTION = "LiveFunction"
_LOOK_SECONDS = 0.2


def settings(
    client: Callable[[str], Any], stack_name: str, pause: Callable[[float], None] = time.sleep
) -> dict[str, str] | None:
    """The function's environment; None where AWS says that it is not there. Asked until there is an answer."""
    while True:
        try:
            resource = client("cloudformation").describe_stack_resource(
                StackName=stack_name, LogicalResourceId=FUNCTION
            )
            name = resource["StackResourceDetail"]["PhysicalResourceId"]
            return client("lambda").get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        except ClientError as error:
            told = error.response.get("ResponseMetadata")
            if told and told["HTTPStatusCode"] < HTTPStatus.INTERNAL_SERVER_ERROR:
                return None
        except BotoCoreError:
            pass
        pause(_LOOK_SECONDS)


def application(function: Path, instance: str, at: int, environment: dict[str, str] | None) -> ASGIApp:
    """The function's application with its environment, and what tells that it serves the deployment of then."""

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok", "instance": instance, "deployedAt": at})

    os.environ.update(environment or {})
    served = _not_yet if environment is None else _loaded(function)
    return Router([Route("/healthz", health, methods=["GET"])], default=served)


def main() -> None:
    """Serve until told to stop, or until something else is deployed: then begin anew."""
    parser = Options("live_events")
    parser.of_deployment()
    parser.add_argument("--function", type=Path, required=True, help="the function's module")
    options = parser.given()
    at = deployed_at(options.outputs)
    environment = settings(AwsEndpoint(options.aws).client, options.outputs.stem) if at else None
    app = application(options.function, options.instance, at, environment)
    threading.Thread(target=_begin_anew, args=(options.outputs, at), daemon=True).start()
    serve(app, options.port, grace_seconds=1)


def _begin_anew(outputs: Path, at: int) -> None:
    """Become the same program again once another deployment is through. Streams break off, and their clients go on."""
    while deployed_at(outputs) == at:
        time.sleep(_LOOK_SECONDS)
    command = [sys.executable, "-m", "freehold_cli.local.live_events", *sys.argv[1:]]
    os.execv(sys.executable, command)  # noqa: S606 - our own module


def _loaded(function: Path) -> ASGIApp:
    spec = spec_from_file_location("live_function", function)
    if spec is None or spec.loader is None:
        raise ImportError(f"{function} is no module")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return cast("ASGIApp", module.app)


async def _not_yet(scope: Scope, receive: Receive, send: Send) -> None:
    await unavailable("the stack is not deployed yet")(scope, receive, send)


if __name__ == "__main__":
    main()
