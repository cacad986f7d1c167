"""OpenAI's models on Bedrock, over the Responses API that both of its endpoints serve."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, Protocol

from freehold.errors import ContextTooLong, ModelRejected, ModelThrottled, ModelUnavailable
from freehold.ports import Tell
from freehold.values.model import Host, ModelEntry, ModelReply, ModelRequest

from .model_http import Answer, parsed, server_message
from .openai_parts import refuses_streams, too_long
from .responses_reply import read_response
from .responses_request import responses_request
from .responses_stream import ResponseStream
from .spoken import Spoken

PATH = "/openai/v1/responses"
# For a second request, where the first one took its time to be refused.
LEAST_SECONDS = 1.0
_ACTIONS: dict[Host, str] = {
    "bedrock-runtime": "bedrock:InvokeModel",
    "bedrock-mantle": "bedrock-mantle:CreateInference",
}
# How Bedrock says that it does not serve a model here, or not in this way.
_NOT_HERE = ("isn't supported on this route", "does not exist", "not found", "identifier is invalid")


class Sender(Protocol):
    """Signs a request, sends it once and gives back whatever was answered."""

    region: str

    def post(
        self,
        host: Host,
        path: str,
        body: bytes,
        timeout_seconds: float,
        *,
        hear: Callable[[bytes], None] | None = None,
    ) -> Answer: ...


class Responses:
    """One attempt per `reply`, and nothing stored on the other side."""

    def __init__(self, sender: Sender, entry: ModelEntry) -> None:
        self._sender, self._entry = sender, entry

    def reply(self, request: ModelRequest, tell: Tell | None = None) -> ModelReply:
        if tell is None:
            return self._whole(request, request.timeout_seconds)
        spoken, began = Spoken(tell), time.monotonic()
        arriving = ResponseStream(self._entry.host, spoken)
        answer = self._post(request, request.timeout_seconds, arriving)
        if refuses_streams(answer):
            left = request.timeout_seconds - (time.monotonic() - began)
            reply = self._whole(request, max(LEAST_SECONDS, left))
        else:
            reply = self._read(answer, request, arriving.response)
        return spoken.settled(reply)

    def _whole(self, request: ModelRequest, seconds: float) -> ModelReply:
        answer = self._post(request, seconds)
        return self._read(answer, request, lambda content: parsed(content, self._entry.host))

    def _read(
        self, answer: Answer, request: ModelRequest, response: Callable[[bytes], dict[str, Any]]
    ) -> ModelReply:
        if answer.status != 200:
            raise self._failure(answer)
        return read_response(response(answer.content), request.model, self._entry.host, answer.content)

    def _post(self, request: ModelRequest, seconds: float, arriving: ResponseStream | None = None) -> Answer:
        asked = responses_request(request, self._entry) | ({"stream": True} if arriving else {})
        body, hear = json.dumps(asked).encode(), arriving.hear if arriving else None
        return self._sender.post(self._entry.host, PATH, body, seconds, hear=hear)

    def _failure(self, answer: Answer) -> Exception:
        status, words = answer.status, server_message(answer.content)
        name = answer.headers.get("x-amzn-requestid")
        message = f"{self._entry.host} answered {status}{f' (request {name})' if name else ''}"
        if status == 429 or "Throttling" in answer.headers.get("x-amzn-errortype", ""):
            return ModelThrottled(message, words=words)
        # 424 is how Bedrock says that the model itself failed.
        if status in (408, 409, 424, 425) or status >= 500:
            return ModelUnavailable(message, words=words)
        if status == 413 or too_long(answer.content.decode("utf-8", "replace")):
            return ContextTooLong(message, words=words)
        return ModelRejected(f"{message}{self._advice(status, words)}", words=words)

    def _advice(self, status: int, words: str) -> str:
        model, host, region = self._entry.id, self._entry.host, self._sender.region
        if status in (401, 403):
            return (
                f". The caller needs valid credentials that may {_ACTIONS[host]}, and the account needs access"
                f" to {model} in {region}: after access was given, calls can fail for up to 15 minutes"
            )
        if status == 404 or any(said in words for said in _NOT_HERE):
            return f". Is {model} offered by {host} in {region}?"
        return ""
