"""A Bedrock for tests: a real boto3 client whose answers are given beforehand.

Every answer passes botocore's validator, and every request that and the rules of `converse_rules`, or the test fails.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

import boto3
from botocore.config import Config
from botocore.stub import Stubber

from converse_rules import converse_problems
from freehold.adapters.converse import Converse
from freehold.values.model import ModelEntry, ModelReply, ModelRequest, ToolSpec, UserMessage

OPUS = ModelEntry("us.anthropic.claude-opus-4-7", "converse", effort="anthropic", sampling="none")
BOOK = ToolSpec("get_book", "Get a book", {"type": "object", "properties": {"id": {"type": "integer"}}})
REQUEST = ModelRequest(OPUS.id, "Be kind.", (UserMessage("hello"),), (BOOK,), timeout_seconds=31.9)


def client(**more: Any) -> Any:
    config = Config(retries={"total_max_attempts": 1}).merge(more.pop("config", Config()))
    return boto3.client("bedrock-runtime", region_name="us-east-1", config=config, **more)


def use(tool_use_id: str, name: str = "get_book", **more: Any) -> dict[str, Any]:
    return {"toolUse": {"toolUseId": tool_use_id, "name": name, "input": {"id": 1}, **more}}


def answer(
    *content: dict[str, Any], stop: str = "end_turn", usage: dict[str, int] | None = None
) -> dict[str, Any]:
    return {
        "output": {"message": {"role": "assistant", "content": list(content)}},
        "stopReason": stop,
        "usage": {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15} | (usage or {}),
        "metrics": {"latencyMs": 7},
    }


class Bedrock:
    """`seconds` and `requests` are what clients were asked for and sent; all answers must be used up in the end."""

    def __init__(self) -> None:
        self.client = client()
        self.stubber = Stubber(self.client)
        self.seconds: list[int] = []
        self.requests: list[dict[str, Any]] = []
        self.client.meta.events.register("provide-client-params.*.Converse", self._sent)

    def __enter__(self) -> Self:
        self.stubber.activate()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        if kind is None:
            self.stubber.assert_no_pending_responses()

    def _sent(self, params: dict[str, Any], **_: Any) -> None:
        self.requests.append(params)
        assert converse_problems(params) == []

    def answers(self, *content: dict[str, Any], **more: Any) -> None:
        self.stubber.add_response("converse", answer(*content, **more))

    def fails(self, code: str, message: str = "", status: int = 400) -> None:
        self.stubber.add_client_error("converse", code, message, status)

    def reply(self, request: ModelRequest = REQUEST) -> ModelReply:
        def client_for(seconds: int) -> Any:
            self.seconds.append(seconds)
            return self.client

        return Converse(client_for, OPUS).reply(request)
