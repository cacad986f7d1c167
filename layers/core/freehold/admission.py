"""Who is calling: a bearer key becomes a principal that every later step can trust."""

from __future__ import annotations

from typing import Any

from .adapters.api_keys import ApiKeys


class Unauthorized(Exception):
    """API Gateway answers 401 when an authorizer raises exactly this message."""

    def __init__(self) -> None:
        super().__init__("Unauthorized")


def admit(token: str, method_arn: str, keys: ApiKeys, *, now: int) -> dict[str, Any]:
    """An API Gateway policy with `{tenant, callerType, callerId, scopes}` as context.

    Raises `Unauthorized`, the same for a malformed, unknown, revoked or expired key.
    """
    scheme, _, text = token.partition(" ")
    key = keys.verify(text.strip(), now=now) if scheme.lower() == "bearer" else None
    if key is None:
        raise Unauthorized
    # arn:aws:execute-api:region:account:api/stage/METHOD/path: one answer serves every method and path.
    api, stage, *_ = method_arn.split("/")
    allowed = {"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": f"{api}/{stage}/*"}
    return {
        "principalId": f"key:{key.key_id}",
        "policyDocument": {"Version": "2012-10-17", "Statement": [allowed]},
        "context": {
            "tenant": key.tenant,
            "callerType": "key",
            "callerId": key.key_id,
            "scopes": " ".join(key.scopes),
        },
    }
