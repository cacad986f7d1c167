"""API Gateway's authorizer: bearer credential to principal."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from freehold import wiring
from freehold.admission import Unauthorized, admit
from freehold.observability import counted, handler
from freehold.wiring import identity


@handler
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """A policy for the whole API, because the answer is cached for every path of the credential (60 s)."""
    token, method = event["authorizationToken"], event["methodArn"]
    with counted(Unauthorized, "CredentialsRefused"):
        return admit(token, method, identity.credentials(), now=wiring.now() // 1000)
