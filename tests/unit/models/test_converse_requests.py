"""Requests to Converse, each held against botocore's validator and the rules that no type says."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest

from converse_rules import converse_problems
from freehold.adapters.converse_reasoning import kept
from freehold.adapters.converse_request import converse_request, document
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

OPUS = ModelEntry(
    "us.anthropic.claude-opus-4-7", "converse", effort="anthropic", sampling="none", images=True
)
NOVA = ModelEntry("us.amazon.nova-2-lite-v1:0", "converse", effort="nova")
GPT_OSS = ModelEntry("openai.gpt-oss-120b-1:0", "converse", effort="reasoning_effort", images=False)
PROFILE = ModelEntry(
    "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123def456", "converse"
)
BOOK = ToolSpec("get_book", "Get a book", {"type": "object", "properties": {"id": {"type": "integer"}}})
SHELF = ToolSpec("get_shelf", "", {"type": "object", "properties": {}})
PIXEL = Image("png", b64encode(b"\x89PNG\r\n").decode())
SIGNED = {"reasoningText": {"text": "Two books.", "signature": "c2lnbmVk"}}
REDACTED = {"redactedContent": b"\x00\xffsecret"}
TWO_CALLS = (
    UserMessage("two books please"),
    AssistantMessage(
        "Looking.", (ToolUse("a", "get_book", '{"id": 1}'), ToolUse("b", "get_book", '{"id": 2}'))
    ),
    ToolMessage((ToolOutcome("a", "Dune"), ToolOutcome("b", "no such book", ok=False))),
)


def request(*messages: Message, entry: ModelEntry = OPUS, **more: Any) -> dict[str, Any]:
    """The parameters for these messages, which must be ones that Converse takes."""
    asked = ModelRequest(
        entry.id, more.pop("instruction", "Be kind."), messages or (UserMessage("hello"),), **more
    )
    made = converse_request(asked, entry)
    assert converse_problems(made) == []
    return made


def test_what_the_agent_leaves_open_is_not_sent():
    assert request(instruction=" ") == {
        "modelId": OPUS.id,
        "messages": [{"role": "user", "content": [{"text": "hello"}]}],
    }


def test_all_results_of_a_lap_are_in_the_message_after_its_calls():
    asked, called, answered = request(*TWO_CALLS, tools=(BOOK,))["messages"]

    assert asked == {"role": "user", "content": [{"text": "two books please"}]}
    assert called["content"] == [
        {"text": "Looking."},
        {"toolUse": {"toolUseId": "a", "name": "get_book", "input": {"id": 1}}},
        {"toolUse": {"toolUseId": "b", "name": "get_book", "input": {"id": 2}}},
    ]
    assert answered["content"] == [
        {"toolResult": {"toolUseId": "a", "content": [{"text": "Dune"}], "status": "success"}},
        {"toolResult": {"toolUseId": "b", "content": [{"text": "no such book"}], "status": "error"}},
    ]


def test_where_a_model_may_refuse_a_status_the_text_tells_the_failure():
    results = request(*TWO_CALLS, tools=(BOOK,), entry=GPT_OSS)["messages"][2]["content"]

    assert [result["toolResult"]["content"][0]["text"] for result in results] == [
        "Dune",
        "Error: no such book",
    ]
    assert all("status" not in result["toolResult"] for result in results)


@pytest.mark.parametrize("empty", ["", "  \n"])
def test_an_empty_result_still_says_something(empty: str):
    uses = (ToolUse("a", "get_book", "{}"), ToolUse("b", "get_book", "{}"))
    outcomes = (ToolOutcome("a", empty), ToolOutcome("b", empty, ok=False))

    results = request(UserMessage("x"), AssistantMessage(empty, uses), ToolMessage(outcomes), tools=(BOOK,))

    texts = [result["toolResult"]["content"] for result in results["messages"][2]["content"]]
    assert texts == [[{"text": "(no output)"}], [{"text": "failed without saying why"}]]


def test_roles_alternate_and_nothing_is_blank():
    history = (
        UserMessage("one"), UserMessage(" "), AssistantMessage("\n"), AssistantMessage("two"), *TWO_CALLS,
        UserMessage("and now?"),
    )  # fmt: skip

    messages = request(*history, tools=(BOOK,))["messages"]

    assert [message["content"][-1].get("text") for message in messages] == [
        "(empty message)", "(no text)", "(go on)", "two", "two books please", None, None,
        "(no answer)", "and now?",
    ]  # fmt: skip
    assert messages[0]["content"] == [{"text": "one"}, {"text": "(empty message)"}]


def test_tools_are_described_with_their_schemas():
    tools = request(tools=(BOOK, SHELF))["toolConfig"]["tools"]

    assert tools[0]["toolSpec"] == {
        "name": "get_book",
        "description": "Get a book",
        "inputSchema": {"json": BOOK.input_schema},
    }
    assert "description" not in tools[1]["toolSpec"]


def test_where_no_tool_is_offered_any_more_the_history_tells_its_calls_as_text():
    thought = kept([SIGNED])
    asked, called, answered = TWO_CALLS
    assert isinstance(called, AssistantMessage)

    made = request(
        asked, AssistantMessage(called.text, called.calls, thought), answered, UserMessage("and now?")
    )

    assert "toolConfig" not in made
    assert [message["role"] for message in made["messages"]] == ["user", "assistant", "user"]
    assert made["messages"][1]["content"] == [
        {"text": 'Looking.\n[called get_book with {"id": 1}]\n[called get_book with {"id": 2}]'}
    ]
    assert made["messages"][2]["content"][0] == {
        "text": "[get_book answered: Dune]\n[get_book failed: no such book]"
    }


def test_calls_of_a_removed_tool_stay_calls_while_another_tool_is_offered():
    made = request(*TWO_CALLS, tools=(SHELF,))

    assert "toolUse" in made["messages"][1]["content"][1]
    assert [tool["toolSpec"]["name"] for tool in made["toolConfig"]["tools"]] == ["get_shelf"]


def test_images_come_before_the_text_as_bytes():
    content = request(UserMessage("What is this?", (PIXEL,)))["messages"][0]["content"]

    assert content == [
        {"image": {"format": "png", "source": {"bytes": b"\x89PNG\r\n"}}},
        {"text": "What is this?"},
    ]


def test_a_model_without_eyes_is_sent_no_image():
    assert request(UserMessage("Look", (PIXEL,)), entry=GPT_OSS)["messages"][0]["content"] == [
        {"text": "Look"}
    ]


def test_reasoning_is_sent_back_as_it_came_and_first():
    thought = kept([SIGNED, REDACTED])
    asked, called, answered = TWO_CALLS
    assert isinstance(called, AssistantMessage)

    made = request(asked, AssistantMessage(called.text, called.calls, thought), answered, tools=(BOOK,))

    assert made["messages"][1]["content"][:3] == [
        {"reasoningContent": SIGNED},
        {"reasoningContent": REDACTED},
        {"text": "Looking."},
    ]


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "{oops",
        "null",
        "7",
        '"text"',
        "[7]",
        '{"reasoningText": {"text": "x"}}',
        '[{"text": "x"}]',
        '[{"reasoningText": "x"}]',
        '[{"reasoningText": {"text": 7}}]',
        '[{"reasoningText": {"text": "x", "signature": 7}}]',
        '[{"redactedContent": "AP9z!ZWNyZXQ="}]',
        '[{"redactedContent": 7}]',
        "[" * 100_000,
    ],
)
def test_a_broken_reasoning_payload_is_left_out(broken: str):
    content = request(UserMessage("x"), AssistantMessage("y", (), broken), UserMessage("z"))["messages"][1]

    assert content["content"] == [{"text": "y"}]


@pytest.mark.parametrize(
    "arguments",
    [
        '{"id": 1',
        "",
        "[1]",
        '"text"',
        "null",
        '{"id": NaN}',
        '{"id": 1e999}',
        '{"id": -Infinity}',
        '{"id": 1' + "0" * 30 + "}",
        '{"id": 1' + "0" * 5000 + "}",
        '{"id": "\\ud800"}',
        '{"\\udfff": 1}',
        '{"a":' * 65 + "1" + "}" * 65,
        '{"a":' * 10_000 + "1" + "}" * 10_000,
        '{"id": "\ud800"',
    ],
)
def test_arguments_that_no_document_can_hold_are_sent_as_text_in_one(arguments: str):
    use = ToolUse("a", "get_book", arguments)

    made = request(
        UserMessage("x"), AssistantMessage("", (use,)), ToolMessage((ToolOutcome("a", "no"),)), tools=(BOOK,)
    )

    [sent] = made["messages"][1]["content"]
    assert sent["toolUse"]["input"].keys() == {"notJson"}


@pytest.mark.parametrize(
    "arguments",
    ['{"id": 1, "id": 2}', '{"n": null, "f": 1.5, "t": true, "": "\\u0000"}', '{"a":' * 64 + "1" + "}" * 64],
)
def test_every_other_object_is_sent_as_it_is(arguments: str):
    assert document(arguments) == json.loads(arguments)


def test_settings_are_sent_by_converses_names():
    inference = Inference(0.2, 0.9, 300, ("END",))

    assert request(inference=inference, entry=NOVA)["inferenceConfig"] == {
        "temperature": 0.2,
        "topP": 0.9,
        "maxTokens": 300,
        "stopSequences": ["END"],
    }


def test_a_model_that_cannot_be_sampled_is_not_asked_to_be():
    assert request(inference=Inference(0.2, 0.9, 300))["inferenceConfig"] == {"maxTokens": 300}


def test_a_temperature_above_converses_highest_is_sent_as_the_highest():
    assert request(inference=Inference(1.7), entry=NOVA)["inferenceConfig"] == {"temperature": 1.0}


@pytest.mark.parametrize(
    ("entry", "effort", "fields"),
    [
        (OPUS, "none", {"output_config": {"effort": "low"}}),
        (OPUS, "minimal", {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}),
        (OPUS, "high", {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}),
        (OPUS, "xhigh", {"thinking": {"type": "adaptive"}, "output_config": {"effort": "xhigh"}}),
        (NOVA, "none", None),
        (NOVA, "minimal", {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"}}),
        (NOVA, "xhigh", {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}}),
        (GPT_OSS, "none", {"reasoning_effort": "low"}),
        (GPT_OSS, "medium", {"reasoning_effort": "medium"}),
        (GPT_OSS, "xhigh", {"reasoning_effort": "high"}),
        (ModelEntry("openai.gpt-5.6-sol", "converse", effort="reasoning_effort"), "none",
         {"reasoning": {"effort": "none"}}),
        (ModelEntry("openai.gpt-5.6-sol", "converse", effort="reasoning_effort"), "xhigh",
         {"reasoning": {"effort": "xhigh"}}),
        (PROFILE, "high", None),
    ],
)  # fmt: skip
def test_effort_is_said_in_the_words_of_the_models_maker(
    entry: ModelEntry, effort: str, fields: dict[str, Any] | None
):
    made = request(inference=Inference(reasoning_effort=effort), entry=entry)

    assert made.get("additionalModelRequestFields") == fields


def test_settings_that_are_refused_beside_thinking_are_left_out():
    sonnet = ModelEntry("us.anthropic.claude-sonnet-4-6", "converse", effort="anthropic")
    thinking = Inference(0.2, 0.9, 300, ("END",), "high")

    assert request(inference=thinking, entry=sonnet)["inferenceConfig"].keys() == {
        "maxTokens",
        "stopSequences",
    }
    assert request(inference=thinking, entry=NOVA)["inferenceConfig"].keys() == {"stopSequences"}


def test_the_rules_find_what_botocore_lets_pass():
    def wrong(messages: list[dict[str, Any]], **more: Any) -> str:
        return " ".join(converse_problems({"modelId": OPUS.id, "messages": messages, **more}))

    hello, called = {"role": "user", "content": [{"text": "hello"}]}, request(*TWO_CALLS, tools=(BOOK,))
    asked, call, answered = called["messages"]
    tools = {"toolConfig": called["toolConfig"]}
    bad_name = {"toolUse": {"toolUseId": "a b", "name": "get.book", "input": {"x": float("nan")}}}

    assert "do not alternate" in wrong([hello, hello])
    assert "must be the user's" in wrong([hello, {"role": "assistant", "content": [{"text": "hi"}]}])
    assert "blank text" in wrong([{"role": "user", "content": [{"text": " "}]}])
    assert "no toolConfig" in wrong([asked, call, answered])
    assert "answers [] where" in wrong([asked, call, hello], **tools)
    assert "answers ['a', 'b'] where []" in wrong([answered], **tools)
    assert "beside its tool results" in wrong(
        [asked, call, {"role": "user", "content": [*answered["content"], {"text": "x"}]}], **tools
    )
    found = wrong([asked, {"role": "assistant", "content": [bad_name]}, hello], **tools)
    assert all(words in found for words in ("name does not match", "toolUseId does not match", "no JSON"))
    assert "over 1" in wrong([hello], inferenceConfig={"temperature": 1.5})
    assert 'Unknown parameter in messages[0].content[0]: "texts"' in wrong(
        [{"role": "user", "content": [{"texts": "x"}]}]
    )
