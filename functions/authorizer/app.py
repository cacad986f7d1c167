"""API Gateway's authorizer: bearer key to principal."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from freehold import wiring
from freehold.admission import admit
from freehold.observability import handler


@handler
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """A policy for the whole API, because the answer is cached for every path of the key (60 s)."""
    return admit(event["authorizationToken"], event["methodArn"], wiring.api_keys(), now=wiring.now() // 1000)
