"""Tokens for AWS principals: the one call that API Gateway lets in by a signature, and not by a bearer credential."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ..errors import Denied
from ..values.access import SCOPES, Scope
from ..wiring import identity, now
from . import requests
from .call import Answer, Call
from .shapes import iso


class TokenBody(requests.Body):
    """`POST /auth/token`. Without `scopes` the token has all of the access entry's."""

    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(SCOPES))] | None = None


def token(call: Call) -> Answer:
    """The one answer that holds the token's text. Each is a new one, so no Idempotency-Key makes two the same."""
    arn: object = call.context["identity"].get("userArn")
    if not isinstance(arn, str):
        raise Denied("sign this call with AWS credentials (Signature Version 4, service execute-api)")
    asked = requests.read(TokenBody, requests.document(call.body or "{}"))
    made = identity.aws_tokens().create(arn, now=now() // 1000, scopes=asked.scopes)
    body = {
        "token": made.text,
        "expiresAt": iso(made.expires_at * 1000),
        "tenant": made.identity.tenant,
        "principal": made.identity.principal.name,
        "scopes": list(made.identity.scopes),
    }
    # One text, since Logs Insights has no name for a list.
    told = {"tenant": body["tenant"], "principal": body["principal"], "token_id": made.token_id}
    told["scopes"] = " ".join(made.identity.scopes)
    return Answer(body, 201, {"Cache-Control": "no-store"}, {"token made": told})
