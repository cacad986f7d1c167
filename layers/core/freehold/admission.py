"""Who is calling: a bearer credential becomes a principal that every later step can trust."""

from __future__ import annotations

from typing import Any

from .adapters.credentials import Credentials


class Unauthorized(Exception):
    """API Gateway answers 401 when an authorizer raises exactly this message."""

    def __init__(self) -> None:
        super().__init__("Unauthorized")


def admit(authorization: str, method_arn: str, credentials: Credentials, *, now: int) -> dict[str, Any]:
    """An API Gateway policy with `{tenant, callerType, callerId, scopes}` as context; `now` is epoch seconds.

    Raises `Unauthorized`, the same for whatever is wrong with a credential, and `IssuerUnavailable`, which API Gateway
    answers with 503: the credential may be good, so nobody is told to throw it away.
    """
    scheme, _, text = authorization.partition(" ")
    found = credentials.identity(text.strip(), now=now) if scheme.lower() == "bearer" else None
    if found is None:
        raise Unauthorized
    # arn:aws:execute-api:region:account:api/stage/METHOD/path: one answer serves every method and path.
    api, stage, *_ = method_arn.split("/")
    allowed = {"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": f"{api}/{stage}/*"}
    return {
        "principalId": found.principal.name,
        "policyDocument": {"Version": "2012-10-17", "Statement": [allowed]},
        "context": {
            "tenant": found.tenant,
            "callerType": found.principal.type,
            "callerId": found.principal.id,
            "scopes": " ".join(found.scopes),
        },
    }
