"""Calls of the API as API Gateway passes them on."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from freehold.adapters.api_keys import SCOPES

from .description import faults, misfits
from .lambdas import invoke

TENANT = "acme"


STAGE_ARN = "arn:aws:execute-api:us-east-1:123456789012:api1/v1"


NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def body(self) -> Any:
        return json.loads(self.text)


@dataclass(frozen=True)
class Caller:
    """One key of one tenant, or another principal, calling the API. Each request bears a request id of its own."""

    tenant: str = TENANT
    scopes: tuple[str, ...] = SCOPES
    key_id: str = "0123456789ab"
    caller_type: str = "key"

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """A body that is text already is sent as it is; the path is sent with percent signs, as HTTP has it."""
        text = body if isinstance(body, str) or body is None else json.dumps(body)
        told = invoke("api", self.event(method, path, text, query=query, headers=headers))
        sent = {name: values[-1] for name, values in told["multiValueHeaders"].items()}
        answer = Answer(told["statusCode"], sent, told["body"])
        # Whatever a test is about, openapi.yaml describes it: the body, where it is taken, and the answer.
        wrong = [*faults(method, path, answer.status, sent, answer.text, page="Origin" in (headers or {}))]
        if answer.status < 300:
            wrong += misfits(method, path, text)
        assert wrong == [], f"{method} {path}: {answer.text[:300]}"
        return answer

    def event(
        self,
        method: str,
        path: str,
        body: str | None = None,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """API Gateway's REST proxy event."""
        path = quote(path)
        given = {"Accept": "application/json", "Authorization": "Bearer fh_secret"} | dict(headers or {})
        query = dict(query) if query else None
        return {
            "resource": "/{proxy+}",
            "path": path,
            "httpMethod": method,
            "headers": given,
            "multiValueHeaders": {name: [value] for name, value in given.items()},
            "queryStringParameters": query,
            "multiValueQueryStringParameters": {name: [value] for name, value in query.items()}
            if query
            else None,
            "pathParameters": {"proxy": path.removeprefix("/")},
            "stageVariables": None,
            "requestContext": {
                "accountId": "123456789012",
                "apiId": "api1",
                "authorizer": {
                    "principalId": f"{self.caller_type}:{self.key_id}",
                    "integrationLatency": 12,
                    "tenant": self.tenant,
                    "callerType": self.caller_type,
                    "callerId": self.key_id,
                    "scopes": " ".join(self.scopes),
                },
                "httpMethod": method,
                "identity": {"sourceIp": "127.0.0.1"},
                "path": f"/v1{path}",
                "protocol": "HTTP/1.1",
                "requestId": f"request-{next(NUMBERS)}",
                "requestTimeEpoch": int(time.time() * 1000),
                "resourcePath": "/{proxy+}",
                "stage": "v1",
            },
            "body": body,
            "isBase64Encoded": False,
        }
