"""OpenAI's models on Bedrock, over the Responses API that both of its endpoints serve."""

from __future__ import annotations

import json
from typing import Protocol

from freehold.errors import ContextTooLong, ModelRejected, ModelThrottled, ModelUnavailable
from freehold.values.model import Host, ModelEntry, ModelReply, ModelRequest

from .model_http import Answer, server_message
from .openai_parts import too_long
from .responses_reply import read_response
from .responses_request import responses_request

PATH = "/openai/v1/responses"
_ACTIONS: dict[Host, str] = {
    "bedrock-runtime": "bedrock:InvokeModel",
    "bedrock-mantle": "bedrock-mantle:CreateInference",
}
# How Bedrock says that it does not serve a model here, or not in this way.
_NOT_HERE = ("isn't supported on this route", "does not exist", "not found", "identifier is invalid")


class Sender(Protocol):
    """Signs a request, sends it once and gives back whatever was answered."""

    region: str

    def post(self, host: Host, path: str, body: bytes, timeout_seconds: float) -> Answer: ...


class Responses:
    """One attempt per `reply`, never streamed, nothing stored on the other side."""

    def __init__(self, sender: Sender, entry: ModelEntry) -> None:
        self._sender, self._entry = sender, entry

    def reply(self, request: ModelRequest) -> ModelReply:
        host = self._entry.host
        body = json.dumps(responses_request(request, self._entry)).encode()
        answer = self._sender.post(host, PATH, body, request.timeout_seconds)
        if answer.status == 200:
            return read_response(answer.content, request.model, host)
        raise self._failure(answer)

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
