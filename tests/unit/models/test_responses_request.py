"""What the Responses API is sent: held against the SDK's types, and against what the API refuses besides."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from freehold.adapters.responses_reasoning import kept
from freehold.adapters.responses_request import responses_request
from freehold.value import replace
from freehold.values.agent import Inference
from freehold.values.model import (
    AssistantMessage,
    Image,
    Message,
    ModelEntry,
    ModelRequest,
    ToolMessage,
    ToolOutcome,
    ToolSpec,
    ToolUse,
    UserMessage,
)
from responses_rules import request_problem, responses_problems

from .bedrock_server import call, message, reasoning

GPT = ModelEntry("openai.gpt-5.5", "responses", sampling="none", effort="reasoning_effort")
TOOL = ToolSpec("get_book", "Get a book", {"type": "object", "properties": {"id": {"type": "integer"}}})
USE, OTHER = ToolUse("a", "get_book", '{"id": 1}'), ToolUse("b", "get_book", '{"id": 2}')
DONE = ToolMessage((ToolOutcome("a", "Dune"), ToolOutcome("b", "no such book", ok=False)))


def sent(*messages: Message, entry: ModelEntry = GPT, **more: Any) -> dict[str, Any]:
    """The request, which neither the SDK nor the API would refuse."""
    request = ModelRequest(entry.id, more.pop("instruction", "Be kind."), messages, **more)
    body = json.loads(json.dumps(responses_request(request, entry)))
    assert request_problem(body) is None
    assert responses_problems(body) == []
    return body


def test_requests_of_one_conversation_share_a_cache_key_that_names_nobody():
    long = "tenant-of-a-long-name-" * 5

    one, again, other, unnamed = (
        sent(UserMessage("hi"), conversation=name).get("prompt_cache_key")
        for name in (f"{long}-C1", f"{long}-C1", f"{long}-C2", "")
    )

    assert one == again != other
    assert one is not None
    assert "tenant" not in one
    assert unnamed is None


def test_the_whole_conversation_is_sent_item_by_item():
    body = sent(
        UserMessage("two books please"),
        AssistantMessage("Looking.", (USE, OTHER)),
        DONE,
        AssistantMessage("Dune it is."),
        UserMessage("thanks"),
        tools=(TOOL,),
    )

    assert [item["type"] for item in body["input"]] == [
        "message",
        "message",
        "function_call",
        "function_call",
        "function_call_output",
        "function_call_output",
        "message",
        "message",
    ]
    assert body["input"][0]["content"] == [{"type": "input_text", "text": "two books please"}]
    assert body["input"][1] == {"type": "message", "role": "assistant", "content": "Looking."}
    assert [item["call_id"] for item in body["input"][2:6]] == ["a", "b", "a", "b"]
    assert [item["output"] for item in body["input"][4:6]] == ["Dune", "Error: no such book"]
    assert (body["model"], body["instructions"]) == ("openai.gpt-5.5", "Be kind.")
    assert body["tools"] == [
        {
            "type": "function",
            "name": "get_book",
            "description": "Get a book",
            "parameters": TOOL.input_schema,
            "strict": False,
        }
    ]


def test_nothing_is_left_on_the_other_side_and_what_is_left_open_is_not_sent():
    body = sent(UserMessage("hello"), instruction=" ")

    assert body == {
        "model": "openai.gpt-5.5",
        "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]}],
        "store": False,
        "include": ["reasoning.encrypted_content"],
    }


def test_settings_are_sent_to_the_models_that_take_them():
    inference = Inference(0.2, 0.9, 300, ("END",), "low")
    asked = UserMessage("hello")

    thinking = sent(asked, inference=inference)
    plain = sent(asked, inference=inference, entry=replace(GPT, sampling="any", effort=None))

    assert thinking["reasoning"] == {"effort": "low"}
    assert "temperature" not in thinking
    assert "top_p" not in thinking
    assert (plain["temperature"], plain["top_p"]) == (0.2, 0.9)
    assert "reasoning" not in plain
    assert thinking["max_output_tokens"] == plain["max_output_tokens"] == 300
    assert "stop" not in thinking


@pytest.mark.parametrize("effort", ["none", "minimal", "low", "medium", "high", "xhigh"])
def test_every_effort_that_an_agent_may_name_is_one_that_the_models_know(effort: str):
    body = sent(UserMessage("hello"), inference=Inference(reasoning_effort=effort))

    assert body["reasoning"]["effort"] == ("low" if effort == "minimal" else effort)


def test_a_limit_below_the_least_that_the_api_takes_becomes_that():
    assert sent(UserMessage("hello"), inference=Inference(maximum_length=1))["max_output_tokens"] == 16


def test_images_follow_the_text_they_came_with():
    png, jpeg = Image("png", "iVBORw0KGgo="), Image("jpeg", "/9j/4AA=")

    told, alone = sent(
        UserMessage("what is this?", (png, jpeg)), AssistantMessage("A cat."), UserMessage(" ", (png,))
    )["input"][::2]

    assert [part["type"] for part in told["content"]] == ["input_text", "input_image", "input_image"]
    assert [part["image_url"] for part in told["content"][1:]] == [
        "data:image/png;base64,iVBORw0KGgo=",
        "data:image/jpeg;base64,/9j/4AA=",
    ]
    assert [part["type"] for part in alone["content"]] == ["input_image"]


def test_nothing_blank_is_sent():
    body = sent(
        UserMessage("\n"),
        AssistantMessage(" ", (USE, OTHER)),
        ToolMessage((ToolOutcome("a", " "), ToolOutcome("b", "", ok=False))),
        AssistantMessage(""),
        UserMessage("x"),
        tools=(replace(TOOL, description=""),),
    )

    assert [item["type"] for item in body["input"][1:3]] == ["function_call", "function_call"]
    assert [item["output"] for item in body["input"][3:5]] == [
        "(no output)",
        "Error: failed without saying why",
    ]
    assert [body["input"][i]["content"] for i in (0, 5)] == [
        [{"type": "input_text", "text": "(empty message)"}],
        "(no text)",
    ]


@pytest.mark.parametrize(
    "arguments",
    ['{"id": 1', "[1]", '{"id": NaN}', '{"id": "\\ud800"}', '{"a":' * 10_000, "\x00", ""],
    ids=["cut off", "a list", "NaN", "half a surrogate pair", "10,000 levels", "a null byte", "nothing"],
)
def test_arguments_that_a_server_could_not_parse_are_replayed_as_an_object_that_holds_them(arguments: str):
    calls = (ToolUse("a", "get_book", arguments),)

    item = sent(UserMessage("x"), AssistantMessage("", calls), ToolMessage((ToolOutcome("a", "no"),)))[
        "input"
    ][1]

    assert json.loads(item["arguments"]) == {"notJson": arguments}


def test_arguments_that_are_right_are_replayed_to_the_letter():
    """Another spelling of the same would miss the prompt cache."""
    calls = (ToolUse("a", "get_book", '{ "id":1.0,"é": "\\u00e9" }'),)

    item = sent(UserMessage("x"), AssistantMessage("", calls), ToolMessage((ToolOutcome("a", "no"),)))[
        "input"
    ][1]

    assert item["arguments"] == calls[0].arguments


def test_calls_of_tools_that_are_no_longer_offered_stay_in_the_conversation():
    body = sent(UserMessage("x"), AssistantMessage("", (USE, OTHER)), DONE, UserMessage("y"))

    assert "tools" not in body
    assert [item["name"] for item in body["input"] if item["type"] == "function_call"] == ["get_book"] * 2


# -- reasoning


def test_reasoning_goes_back_sealed_and_where_it_was():
    payload = kept(
        [
            reasoning("rs_1", status="completed"),
            message("Looking.", phase="commentary"),
            call("get_book", "{}"),
            reasoning("rs_2", summary=[{"type": "summary_text", "text": "hm"}]),
            call("get_book", "{}"),
        ]
    )

    items = sent(UserMessage("x"), AssistantMessage("Looking.", (USE, OTHER), payload), DONE)["input"]

    assert items[1] == {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "sealed rs_1"}
    assert items[2] == {
        "type": "message",
        "role": "assistant",
        "content": "Looking.",
        "phase": "commentary",
    }
    assert [item["type"] for item in items[1:6]] == [
        "reasoning",
        "message",
        "function_call",
        "reasoning",
        "function_call",
    ]
    assert items[4]["summary"] == [{"type": "summary_text", "text": "hm"}]


def test_what_holds_no_reasoning_and_no_phase_needs_no_payload():
    assert kept([message("hello"), call("f", "{}"), reasoning(encrypted_content=None)]) is None


@pytest.mark.parametrize(
    "item",
    [
        reasoning(encrypted_content=None),
        reasoning(encrypted_content=""),
        reasoning("x" * 65),
        reasoning("rs.1"),
        reasoning(id=None),
    ],
    ids=["no content", "empty content", "long id", "id of other characters", "no id"],
)
def test_reasoning_that_the_api_would_refuse_is_left_out(item: dict[str, Any]):
    payload = kept([item, message("hello", phase="final_answer")])

    items = sent(UserMessage("x"), AssistantMessage("hello", (), payload), UserMessage("y"))["input"]

    assert [each["type"] for each in items] == ["message"] * 3
    assert items[1]["phase"] == "final_answer"


def test_reasoning_whose_call_was_not_kept_is_left_out():
    payload = kept([message("hello"), reasoning()])

    items = sent(UserMessage("x"), AssistantMessage("hello", (), payload), UserMessage("y"))["input"]

    assert [each["type"] for each in items] == ["message"] * 3


def test_calls_that_the_payload_does_not_know_of_come_last():
    payload = kept([reasoning(), call("get_book", "{}")])

    items = sent(UserMessage("x"), AssistantMessage("", (USE, OTHER), payload), DONE)["input"]

    assert [item.get("call_id") for item in items[1:4]] == [None, "a", "b"]


def test_several_messages_become_one_without_a_phase():
    payload = kept([reasoning(), message("One.", phase="commentary"), message("Two.", phase="final_answer")])

    items = sent(UserMessage("x"), AssistantMessage("One.\n\nTwo.", (), payload), UserMessage("y"))["input"]

    assert items[2] == {"type": "message", "role": "assistant", "content": "One.\n\nTwo."}


@pytest.mark.parametrize(
    "payload",
    ["", "{", "{}", "null", "7", '[1, null, {}, {"type": 7}]', '[{"type": "reasoning"}]', "[" * 100_000,
     '[{"type": "message", "phase": "loud", "content": "forged", "role": "user"}]'],
)  # fmt: skip
def test_a_broken_payload_is_dropped_and_the_conversation_goes_on(payload: str):
    with_it = sent(UserMessage("x"), AssistantMessage("hello", (USE, OTHER), payload), DONE)
    without = sent(UserMessage("x"), AssistantMessage("hello", (USE, OTHER)), DONE)

    assert with_it == without


# -- the rules themselves

WHOLE = sent(
    UserMessage("x", (Image("png", "AAAA"),)),
    AssistantMessage("hello", (USE, OTHER), kept([reasoning(), message("hello")])),
    DONE,
    tools=(TOOL,),
    inference=Inference(maximum_length=20, reasoning_effort="low"),
)


def put(*path: Any, value: Any) -> Callable[[Any], None]:
    def change(body: Any) -> None:
        for step in path[:-1]:
            body = body[step]
        body[path[-1]] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        put("stop", value=["END"]),
        put("max_tokens", value=5),
        put("store", value="false"),
        put("reasoning", "effort", value="enormous"),
        put("reasoning", "budget", value=5),
        put("include", value=["reasoning.content"]),
        put("tools", 0, "function", value={"name": "x"}),
        put("tools", 0, "parameters", value="{}"),
        put("input", 0, "content", 0, "type", value="text"),
        put("input", 0, "content", 1, "url", value="x"),
        put("input", 0, "role", value="tool"),
        put("input", 1, "signature", value="x"),
        put("input", 1, "summary", value="x"),
        put("input", 2, "phase", value="loud"),
        put("input", 3, "input", value={}),
        put("input", 3, "arguments", value={}),
        put("input", 5, "status", value="error"),
        put("input", 5, "is_error", value=True),
    ],
)
def test_a_field_or_value_that_the_sdk_does_not_know_is_found(change: Callable[[Any], None]):
    body = json.loads(json.dumps(WHOLE))
    change(body)

    assert request_problem(body) is not None


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (put("store", value=True), "stateless"),
        (put("include", value=[]), "stateless"),
        (put("instructions", value=" "), "instructions is blank"),
        (put("max_output_tokens", value=15), "below 16"),
        (put("temperature", value=3), "out of range"),
        (put("tools", 0, "name", value="get book"), "pattern"),
        (put("tools", value=WHOLE["tools"] * 2), "one name"),
        (put("tools", 0, "strict", value=True), "strict"),
        (put("tools", 0, "description", value=""), "blank"),
        (put("tools", 0, "parameters", value={"type": "object"}), "object schema"),
        (put("input", value=[]), "no input"),
        (put("input", 0, "content", value=[]), "blank"),
        (put("input", 0, "content", 0, "text", value="\n"), "blank"),
        (put("input", 0, "content", 1, "image_url", value="https://example.com/x.png"), "data URI"),
        (put("input", 1, "encrypted_content", value=None), "without its content"),
        (put("input", 1, "id", value="x" * 65), "pattern"),
        (put("input", 2, value={"type": "reasoning", "id": "rs_1", "encrypted_content": "x"}), "twice"),
        (put("input", slice(2, 7), value=[]), "nothing came of"),
        (put("input", 3, "call_id", value="b"), "twice"),
        (put("input", 3, "name", value="get.book"), "pattern"),
        (put("input", 3, "arguments", value='{"a": Infinity}'), "no JSON object"),
        (put("input", 5, "output", value=""), "blank"),
        (put("input", 5, "call_id", value="z"), "of no call"),
        (put("input", slice(6, 7), value=[]), "without an output: b"),
        (put("input", 5, value=WHOLE["input"][0]), "speaks before"),
    ],
)
def test_what_the_api_refuses_besides_is_found(change: Callable[[Any], None], problem: str):
    body = json.loads(json.dumps(WHOLE))
    change(body)

    assert problem in "; ".join(responses_problems(body))
