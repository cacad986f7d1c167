"""Models on Bedrock through Converse: Claude, Nova, gpt-oss and whatever else an inference profile names."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, cast

from botocore.eventstream import ParserError
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    LoginError,
    NoAuthTokenError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)
from urllib3.exceptions import HTTPError

from ..errors import ContextTooLong, ModelRejected, ModelThrottled, ModelUnavailable
from ..ports import Tell
from ..value import replace
from ..values.model import AssistantMessage, Message, ModelEntry, ModelReply, ModelRequest
from ..values.text import without_arns
from .converse_reply import read_reply
from .converse_request import converse_request
from .converse_stream import gathered
from .model_http import STREAMS, ended_at, in_time
from .spoken import Spoken

if TYPE_CHECKING:
    from types_boto3_bedrock_runtime import BedrockRuntimeClient

# Both come with other statuses than 429, too.
THROTTLED = ("ThrottlingException", "ServiceQuotaExceededException")
# In mid-stream they have no status of their own.
PASSING = ("InternalServerException", "ModelStreamErrorException", "ServiceUnavailableException")
# What the service says about these may quote the request, and with it the session token.
UNSIGNED = re.compile("Token|Signature|UnrecognizedClient|RequestExpired")
NO_CREDENTIALS = (
    LoginError,
    NoAuthTokenError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)
TOO_LONG = re.compile(
    r"(input|prompt|conversation|request) (body )?(is )?too (long|large)|context[ _](limit|window|length)"
    r"|too many (total text bytes|input tokens)|input tokens? (count )?.{0,20}exceed|reduce the length",
    re.IGNORECASE,
)
ABOUT_REASONING = re.compile(
    r"signature|thinking`? block|redacted_thinking|reasoning ?content", re.IGNORECASE
)
# Of a mark in a place where this model takes none, or of a model that takes none at all.
ABOUT_CACHE = re.compile(r"cache ?point|prompt caching", re.IGNORECASE)
REFUSALS = ("ValidationException", "AccessDeniedException")
HINTS = {
    "AccessDeniedException": "the function's role needs bedrock:InvokeModel for it, and the account access to the"
    " model in this Region; what was granted just now may take 15 minutes",
    "ResourceNotFoundException": "it may have reached its end of life, or not be offered in this Region",
}
SHOWN = 500


class Converse:
    """`Model`. `client_for` gives a client that makes one attempt, and whose reads wait for so many seconds."""

    def __init__(self, client_for: Callable[[int], BedrockRuntimeClient], entry: ModelEntry) -> None:
        self._client_for, self._entry = client_for, entry

    def reply(self, request: ModelRequest, tell: Tell | None = None) -> ModelReply:
        deadline = time.monotonic() + request.timeout_seconds
        spoken = Spoken(tell) if tell else None
        try:
            try:
                reply = self._ask(request, self._entry, deadline, spoken)
            except ClientError as error:
                # Signatures go stale where a turn was cut from the history, and would end the session for good. A
                # cache only saves, so a model whose rules have changed is asked without. Not each one streams,
                # and not each role may ask it to.
                bare = _without_reasoning(request) if _speaks_of(error, ABOUT_REASONING) else request
                plain = replace(self._entry, cache=None) if _speaks_of(error, ABOUT_CACHE) else self._entry
                streamed = None if _speaks_of(error, STREAMS) else spoken
                same = (bare, plain, streamed) == (request, self._entry, spoken)
                if same or (spoken and spoken.begun):
                    raise
                reply = self._ask(bare, plain, deadline, streamed)
        except ClientError as error:
            # What it says of a signature quotes the request, and with it the session token.
            raise _named(error, request.model) from None
        except BotoCoreError as error:
            # Its words may hold an endpoint's address, which is a secret where a relay stands behind it.
            raise _unsent(error, request) from None
        except (HTTPError, OSError, ParserError) as error:
            raise _broken_off(error, request) from None
        return spoken.settled(reply) if spoken else reply

    def _ask(
        self, request: ModelRequest, entry: ModelEntry, deadline: float, spoken: Spoken | None
    ) -> ModelReply:
        client = self._client_for(max(1, int(deadline - time.monotonic())))
        parameters = converse_request(request, entry)
        try:
            if spoken:
                answer = self._streamed(client.converse_stream(**parameters), request, deadline, spoken)
            else:
                answer = cast("dict[str, Any]", client.converse(**parameters))
            return read_reply(answer, request.model)
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
            # botocore takes the body's JSON for what the service model says it is.
            raise ModelUnavailable(
                f"{request.model} answered with something that is no reply ({type(error).__name__})"
            ) from error

    def _streamed(
        self, answer: Any, request: ModelRequest, deadline: float, spoken: Spoken
    ) -> dict[str, Any]:
        stream = answer["stream"]

        def in_due_time() -> Generator[dict[str, Any]]:
            for event in stream:
                in_time(deadline)
                yield event
            in_time(deadline)

        try:
            with ended_at(deadline, getattr(stream, "_raw_stream", None)):
                return gathered(in_due_time(), request.model, spoken)
        finally:
            stream.close()


def _without_reasoning(request: ModelRequest) -> ModelRequest:
    def bare(message: Message) -> Message:
        return replace(message, reasoning=None) if isinstance(message, AssistantMessage) else message

    return replace(request, messages=tuple(bare(message) for message in request.messages))


def _code_and_message(error: ClientError) -> tuple[str, str]:
    details = error.response.get("Error", {})
    code = details.get("Code", "")
    # In mid-stream they begin in lower case.
    return code[:1].upper() + code[1:], without_arns(" ".join(details.get("Message", "").split()))[:SHOWN]


def _speaks_of(error: ClientError, subject: re.Pattern[str]) -> bool:
    code, message = _code_and_message(error)
    return code in REFUSALS and subject.search(message) is not None


def _named(error: ClientError, model: str) -> Exception:
    code, message = _code_and_message(error)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if UNSIGNED.search(code):
        return ModelRejected(f"Bedrock does not accept the AWS credentials ({code}): sign in again")
    told = f"Bedrock answered {code} for {model}{f' ({HINTS[code]})' if code in HINTS else ''}"
    if code in THROTTLED or status == 429:
        return ModelThrottled(told, words=message)
    if status in (408, 424) or status >= 500 or code in PASSING:
        return ModelUnavailable(told, words=message)
    if status == 413 or (code == "ValidationException" and TOO_LONG.search(message)):
        return ContextTooLong(told, words=message)
    return ModelRejected(told, words=message)


def _unsent(error: BotoCoreError, request: ModelRequest) -> Exception:
    if isinstance(error, NO_CREDENTIALS):
        return ModelRejected(
            f"there are no AWS credentials to ask {request.model} with ({type(error).__name__})"
        )
    if isinstance(error, NoRegionError):
        return ModelRejected(f"no Region is set to ask {request.model} in")
    if isinstance(error, ParamValidationError):
        # The rest of its words are the conversation itself.
        where = str(error).split(", value:")[0].split(":", 1)[-1]
        return ModelRejected(f"the request does not fit Converse: {' '.join(where.split())[:SHOWN]}")
    return ModelUnavailable(
        f"no answer from Bedrock for {request.model} within {request.timeout_seconds:g} s"
        f" ({type(error).__name__})"
    )


def _broken_off(error: Exception, request: ModelRequest) -> ModelUnavailable:
    told = f"no whole answer from Bedrock for {request.model} within {request.timeout_seconds:g} s"
    return ModelUnavailable(f"{told} ({type(error).__name__})")
