"""What Converse is told to cache, and what a cache like Bedrock's makes of it over a whole conversation."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.credentials import Credentials

from bedrock_server import BedrockServer
from converse_rules import converse_problems
from freehold.adapters.converse import Converse
from freehold.adapters.converse_request import converse_request
from freehold.errors import ModelRejected
from freehold.value import replace
from freehold.values.model import (
    AssistantMessage,
    Message,
    ModelEntry,
    ModelReply,
    ModelRequest,
    ToolMessage,
    ToolOutcome,
    UserMessage,
)
from model_server import Reply, ask, say
from prompt_cache import MARK, PromptCache, without_marks
from stubbed_bedrock import BOOK, OPUS, REQUEST, Bedrock

CLAUDE = replace(OPUS, cache="tools")
NOVA = ModelEntry("us.amazon.nova-pro-v1:0", "converse", cache="messages")
USER = Credentials("AKIDUSER", "secret-of-the-user")
REGION = "eu-west-1"
LONG = "All that there is to know of a book and of those who lent it. " * 80
ONE_CALL = ask(("get_book", {"id": 1}))
MANY_CALLS = ask(*(("get_book", {"id": i}) for i in range(14)))


def talk(entry: ModelEntry, script: Sequence[Reply]) -> tuple[list[ModelReply], list[dict[str, Any]]]:
    """A conversation in which every call is answered and every answer is followed by another question."""
    with BedrockServer(USER, REGION) as bedrock:
        client = boto3.client(
            "bedrock-runtime",
            region_name=REGION,
            endpoint_url=bedrock.environment["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"],
            aws_access_key_id=USER.access_key,
            aws_secret_access_key=USER.secret_key,
            config=Config(retries={"total_max_attempts": 1}),
        )
        model = Converse(lambda seconds: client, entry)
        bedrock.script(script)
        told: list[Message] = [UserMessage(f"Question 0. {LONG}")]
        replies: list[ModelReply] = []
        for i in range(len(script)):
            replies.append(model.reply(ModelRequest(entry.id, LONG, tuple(told), (BOOK,))))
            told += [AssistantMessage(replies[-1].text, replies[-1].calls), _what_follows(replies[-1], i + 1)]
        client.close()
        return replies, [{"modelId": entry.id, **request.json} for request in bedrock.received]


def _what_follows(reply: ModelReply, step: int) -> Message:
    if reply.calls:
        return ToolMessage(tuple(ToolOutcome(use.id, f"Result {step}. {LONG}") for use in reply.calls))
    return UserMessage(f"Question {step}. {LONG}")


def marks(request: dict[str, Any]) -> list[str]:
    """What is marked: `tools`, `system`, and messages by their place."""
    held = {
        "tools": request.get("toolConfig", {}).get("tools", []),
        "system": request.get("system", []),
        **{str(i): message["content"] for i, message in enumerate(request["messages"])},
    }
    return [name for name, blocks in held.items() if MARK in blocks]


def test_each_request_reads_from_the_cache_all_that_the_one_before_it_said():
    replies, _ = talk(CLAUDE, [ONE_CALL, say("a"), ONE_CALL, MANY_CALLS, say("b"), say("c"), ONE_CALL])

    usages = [reply.usage for reply in replies]
    assert usages[0].cached_tokens == 0
    assert usages[0].cache_written_tokens == usages[0].input_tokens > 0
    for before, after in pairwise(usages):
        assert after.cached_tokens == before.input_tokens
        assert after.cached_tokens + after.cache_written_tokens == after.input_tokens


def test_the_share_that_is_cached_grows_with_the_conversation():
    replies, _ = talk(CLAUDE, [say("yes")] * 12)

    shares = [reply.usage.cached_tokens / reply.usage.input_tokens for reply in replies]
    assert shares == sorted(shares)
    assert shares[-1] > 0.9


@pytest.mark.parametrize("entry", [CLAUDE, NOVA], ids=lambda entry: entry.id)
def test_what_was_sent_once_is_sent_again_to_the_letter(entry: ModelEntry):
    _, sent = talk(entry, [ONE_CALL, say("a"), MANY_CALLS, say("b")])

    for before, after in pairwise(map(without_marks, sent)):
        assert after["messages"][: len(before["messages"])] == before["messages"]
        assert (after["system"], after["toolConfig"]) == (before["system"], before["toolConfig"])


def test_claude_is_told_of_tools_instruction_and_the_ends_of_this_request_and_the_last():
    _, sent = talk(CLAUDE, [ONE_CALL, say("a"), say("b")])

    assert [marks(request) for request in sent] == [
        ["tools", "system", "0"],
        ["tools", "system", "0", "2"],
        ["tools", "system", "2", "4"],
    ]


def test_nova_is_told_of_nothing_in_its_tools_and_after_their_results():
    replies, sent = talk(NOVA, [ONE_CALL, say("a"), say("b"), say("c")])

    assert [marks(request) for request in sent] == [
        ["system", "0"],
        ["system", "0"],
        ["system", "0", "4"],
        ["system", "4", "6"],
    ]
    assert replies[-1].usage.cached_tokens == replies[-2].usage.input_tokens


@pytest.mark.parametrize(
    ("entry", "request_"),
    [
        (replace(CLAUDE, cache=None), REQUEST),
        (CLAUDE, replace(REQUEST, purpose="memory")),
        (CLAUDE, replace(REQUEST, purpose="compaction")),
    ],
    ids=["a model that takes no marks", "a summary", "a compaction"],
)
def test_nothing_is_marked_where_no_cache_would_pay(entry: ModelEntry, request_: ModelRequest):
    assert marks(converse_request(request_, entry)) == []


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("ValidationException", "Malformed input request: extraneous key [cachePoint] is not permitted"),
        ("AccessDeniedException", "You invoked an unsupported model or your request did not allow prompt caching."),
    ],
)  # fmt: skip
def test_a_model_that_refuses_marks_is_asked_again_without(code: str, words: str):
    with Bedrock() as bedrock:
        bedrock.fails(code, words)
        bedrock.answers({"text": "hello"})

        reply = Converse(lambda seconds: bedrock.client, CLAUDE).reply(REQUEST)

    assert reply.text == "hello"
    assert [marks(request) for request in bedrock.requests] == [["tools", "system", "0"], []]


def test_what_is_refused_without_marks_is_not_asked_again():
    with Bedrock() as bedrock:
        bedrock.fails("ValidationException", "prompt caching is not allowed here")

        with pytest.raises(ModelRejected):
            bedrock.reply(REQUEST)

    assert len(bedrock.requests) == 1


def message(role: str, *content: dict[str, Any]) -> dict[str, Any]:
    return {"role": role, "content": list(content)}


TEXT = {"text": "hello"}
USE = {"toolUse": {"toolUseId": "a", "name": "get_book", "input": {}}}
RESULT = {"toolResult": {"toolUseId": "a", "content": [TEXT]}}
TOOL = {"toolSpec": {"name": "get_book", "inputSchema": {"json": {"type": "object"}}}}
THOUGHT = {"reasoningContent": {"reasoningText": {"text": "Two books."}}}
SAID = message("user", TEXT, MARK)


@pytest.mark.parametrize(
    ("entry", "wrong", "told"),
    [
        (CLAUDE, {"messages": [message("user", TEXT, MARK, *[TEXT, MARK] * 4)]}, "5 cache points"),
        (CLAUDE, {"messages": [message("user", MARK, TEXT)]}, "has nothing before it"),
        (CLAUDE, {"messages": [message("user", TEXT, MARK, MARK)]}, "has nothing before it"),
        (CLAUDE, {"messages": [SAID], "system": [MARK]}, "has nothing before it"),
        (CLAUDE, {"messages": [message("user", TEXT, {"cachePoint": {}})]}, "Missing required parameter"),
        (CLAUDE, {"messages": [message("user", TEXT, {"cachePoint": {"type": "x"}})]}, "none of"),
        (
            CLAUDE,
            {"messages": [SAID, message("assistant", THOUGHT, MARK, TEXT), message("user", TEXT)]},
            "after reasoning",
        ),
        (NOVA, {"messages": [SAID], "toolConfig": {"tools": [TOOL, MARK]}}, "no cachePoint in tools"),
        (
            NOVA,
            {
                "messages": [SAID, message("assistant", USE), message("user", RESULT, MARK)],
                "toolConfig": {"tools": [TOOL]},
            },
            "after a toolResult",
        ),
        (ModelEntry("openai.gpt-oss-120b-1:0", "converse"), {"messages": [SAID]}, "takes no cachePoint"),
    ],
)
def test_the_rules_for_marks_can_be_broken(entry: ModelEntry, wrong: dict[str, Any], told: str):
    assert told in "; ".join(converse_problems({"modelId": entry.id, **wrong}))


def test_the_cache_of_the_tests_keeps_what_is_long_enough_and_looks_back_twenty_blocks():
    cache = PromptCache(least=100)

    def count(blocks: int, text: str = "x" * 40) -> tuple[int, int]:
        content = [{"text": text} for _ in range(blocks)]
        counted = cache.count({"modelId": "m", "messages": [message("user", *content, MARK)]})
        return counted.read, counted.written

    _, one = count(1, "x" * 400)
    assert count(1) == (0, 0)
    assert count(1, "x" * 400) == (one, 0)
    _, eight = count(8)
    assert count(28)[0] == eight
    assert count(49)[0] == 0
