"""Tools that are Lambda functions: one attempt each, and an error name for what surely or perhaps happened."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
)

from ..errors import OutcomeUnknown, ToolFailed, ToolThrottled, ToolUnavailable

if TYPE_CHECKING:
    from types_boto3_lambda import LambdaClient

THROTTLED = frozenset(
    (
        "TooManyRequestsException",
        "EC2ThrottledException",
        "ENILimitReachedException",
        "SubnetIPAddressLimitReachedException",
        "ResourceNotReadyException",
        "ResourceConflictException",
    )
)
# Lambda refuses these before the function runs, today and tomorrow.
REFUSED = frozenset(
    (
        "ResourceNotFoundException",
        "InvalidParameterValueException",
        "RequestTooLargeException",
        "InvalidRequestContentException",
        "KMSAccessDeniedException",
        "KMSDisabledException",
        "InvalidRuntimeException",
        "ValidationException",
    )
)


class LambdaTools:
    """`Tools`. `client_for` gives a client whose read timeout fits one tool's own."""

    def __init__(self, client_for: Callable[[int], LambdaClient]) -> None:
        self._client_for = client_for

    def invoke(self, arn: str, event: Mapping[str, Any], *, timeout_seconds: int) -> Any:
        client = self._client_for(timeout_seconds)
        try:
            answer = client.invoke(FunctionName=arn, Payload=json.dumps(event).encode())
            payload = answer["Payload"].read()
        except ClientError as error:
            raise _named(error, arn) from error
        except (EndpointConnectionError, ConnectTimeoutError, NoCredentialsError) as error:
            raise ToolUnavailable(f"Lambda could not be reached for {arn}: {error}") from error
        except BotoCoreError as error:
            raise OutcomeUnknown(f"the answer of {arn} was lost: {error}") from error
        if "FunctionError" in answer:
            raise _function_error(payload)
        try:
            return json.loads(payload)
        except (ValueError, RecursionError) as error:
            raise ToolFailed("the tool's Lambda answered no JSON", words=repr(payload[:200])) from error


def _named(error: ClientError, arn: str) -> Exception:
    details = error.response.get("Error", {})
    code, message = details.get("Code", ""), details.get("Message", "")
    if code in THROTTLED:
        return ToolThrottled(f"{arn} is throttled ({code})")
    if code == "AccessDeniedException":
        return ToolFailed(
            f"the tool {arn} cannot be called ({code}): tag its function with freehold:tool=true, or put its ARN "
            "into the stack's parameter ToolFunctions. Freehold's own functions never may."
        )
    if code in REFUSED:
        return ToolFailed(f"the tool {arn} cannot be called ({code}): {message}")
    return OutcomeUnknown(f"Lambda failed while calling {arn} ({code}): {message}")


def _function_error(payload: bytes) -> Exception:
    """The function ran and raised. A time-out is the one error that leaves open how far it came."""
    try:
        told: Any = json.loads(payload)
        kind, message = str(told.get("errorType", "")), str(told.get("errorMessage", "no message"))
    except (ValueError, AttributeError, RecursionError):
        kind, message = "", payload[:200].decode(errors="replace")
    if "Task timed out" in message or kind in ("Sandbox.Timedout", "Runtime.ExitError", ""):
        return OutcomeUnknown("the tool's Lambda did not finish", words=f"{kind} {message}"[:500])
    return ToolFailed(f"the tool's Lambda raised {kind[:200]}", words=message[:2000])
