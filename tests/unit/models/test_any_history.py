"""Any prefix of any history is a request that OpenAI's types accept and that its APIs would not refuse."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming

from freehold.adapters.openai_compatible import request_body
from freehold.adapters.responses_request import responses_request
from freehold.context import NOTES_HEAD, NOTES_TAKEN
from freehold.values.agent import Inference
from freehold.values.history import History
from freehold.values.memory import Notes, Summary
from freehold.values.model import AssistantMessage, ModelEntry, ToolMessage, ToolSpec, Usage, UserMessage
from freehold.values.run import Call, Lap, Principal, Result, Run
from responses_rules import responses_problems
from sdk_types import request_problem

from .histories import (
    GPT,
    INFERENCES,
    SAMPLED,
    SUMMARIES,
    TEXTS,
    TOOLS,
    compactions,
    conversations,
    prefixes,
    sent,
)


@pytest.mark.parametrize("entry", [GPT, SAMPLED], ids=["a small window", "no images"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    conversation=conversations(),
    tools=TOOLS,
    inference=INFERENCES,
    instruction=TEXTS,
    summaries=SUMMARIES,
    data=st.data(),
)
def test_any_prefix_of_any_history_is_a_request_that_both_apis_accept(
    entry: ModelEntry,
    conversation: tuple[list[History], History],
    tools: list[ToolSpec],
    inference: Inference,
    instruction: str,
    summaries: list[Summary],
    data: st.DataObject,
):
    for past, current in prefixes(*conversation):
        request = sent(
            *(past, current, entry),
            tools=tools,
            inference=inference,
            instruction=instruction,
            compaction=data.draw(compactions(current)),
            summaries=summaries,
        )

        response_body = as_read(responses_request(request, entry))
        chat_body = as_read(request_body(request, of_openai=True))

        assert request_problem(ResponseCreateParamsNonStreaming, response_body) is None
        assert responses_problems(response_body) == []
        assert request_problem(CompletionCreateParamsNonStreaming, chat_body) is None
        assert chat_problems(chat_body["messages"]) == []


def test_notes_and_results_that_were_cut_are_among_what_is_tried():
    asked = Run(
        "t", "C1", 1, "s", "a", "1", "d", "DRAFT", "durable", "RUNNING", Principal("key", "k"), "test", "hi", 0, 900
    )  # fmt: skip
    lap = Lap(1, "id", 0, "m", "", (Call("f", "{}"),), Usage(), 0, "end")
    history = History(asked, (lap,), {(1, 0): Result(1, 0, "f", "success", "x" * 3_000, 0)})
    known = Summary("t", "a", "m", "s0", "C0", "1", 0, 0, 1, notes=Notes(("Parcels",)))

    request = sent(
        *([], history, GPT),
        tools=[],
        inference=Inference(),
        instruction="",
        compaction=None,
        summaries=[known],
    )

    notes, taken, question, call, results = request.messages
    assert isinstance(notes, UserMessage)
    assert notes.text.startswith(NOTES_HEAD)
    assert taken == AssistantMessage(NOTES_TAKEN)
    assert (question, isinstance(call, AssistantMessage)) == (UserMessage("hi"), True)
    assert isinstance(results, ToolMessage)
    assert "cut here" in results.outcomes[0].content


def as_read(body: dict[str, Any]) -> dict[str, Any]:
    """As the server reads it."""
    return json.loads(json.dumps(body, allow_nan=False))


def chat_problems(messages: list[dict[str, Any]]) -> list[str]:
    """What no type of chat completions says: outcomes follow their calls at once, users alternate, nothing is blank."""
    problems: list[str] = []
    waiting: list[str] = []
    before = "system"
    for message in messages:
        role, calls = message["role"], message.get("tool_calls", [])
        content = message["content"]
        if role == "tool":
            if not waiting or waiting.pop(0) != message["tool_call_id"]:
                problems.append("an outcome that belongs to no call before it")
        elif waiting:
            problems.append(f"a {role} speaks before every call has its outcome")
        if role == before == "user":
            problems.append("the user speaks twice in a row")
        if not calls and not (content.strip() if isinstance(content, str) else content):
            problems.append(f"a {role} says nothing")
        given = [json.loads(call["function"]["arguments"]) for call in calls]
        if not all(isinstance(arguments, dict) for arguments in given):
            problems.append("arguments that are no JSON object")
        waiting.extend(call["id"] for call in calls)
        before = role
    return problems + (["calls without an outcome"] if waiting else [])


@pytest.mark.parametrize(
    ("messages", "problem"),
    [
        ([{"role": "user", "content": "a"}, {"role": "user", "content": "b"}], "twice in a row"),
        ([{"role": "user", "content": " "}], "says nothing"),
        ([{"role": "tool", "content": "a", "tool_call_id": "x"}], "belongs to no call"),
        ([{"role": "assistant", "content": None, "tool_calls": [
            {"id": "x", "function": {"arguments": "[]"}}]}], "no JSON object; calls without an outcome"),
        ([{"role": "assistant", "content": None, "tool_calls": [{"id": "x", "function": {"arguments": "{}"}}]},
          {"role": "user", "content": "a"}], "speaks before"),
    ],
)  # fmt: skip
def test_the_rules_for_chat_completions_can_be_broken(messages: list[dict[str, Any]], problem: str):
    assert problem in "; ".join(chat_problems(messages))
