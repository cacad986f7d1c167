"""Any prefix of any history is a request that OpenAI's own types accept."""

from __future__ import annotations

import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from freehold.adapters.openai_compatible import request_body
from freehold.values.agent import Inference
from freehold.values.model import (
    AssistantMessage,
    Message,
    ModelRequest,
    ToolMessage,
    ToolOutcome,
    ToolSpec,
    ToolUse,
    UserMessage,
)
from model_server import what_is_wrong

texts = st.text(max_size=12)
names = st.from_regex(r"[a-zA-Z0-9_-]{1,12}", fullmatch=True)
arguments = texts | st.dictionaries(texts, st.integers() | texts, max_size=2).map(json.dumps)


@st.composite
def exchanges(draw: st.DrawFn) -> list[Message]:
    """A user's message and what came of it: calls and their outcomes, lap by lap, perhaps an answer."""
    messages: list[Message] = [UserMessage(draw(texts))]
    for lap in range(draw(st.integers(0, 2))):
        uses = tuple(
            ToolUse(f"call_{lap}_{i}", draw(names), draw(arguments)) for i in range(draw(st.integers(1, 3)))
        )
        messages.append(AssistantMessage(draw(texts), uses))
        messages.append(
            ToolMessage(tuple(ToolOutcome(use.id, draw(texts), draw(st.booleans())) for use in uses))
        )
    if draw(st.booleans()):
        messages.append(AssistantMessage(draw(texts)))
    return messages


histories = st.lists(exchanges(), min_size=1, max_size=4).map(
    lambda parts: [one for part in parts for one in part]
)
tools = st.lists(
    st.builds(ToolSpec, names, texts, st.just({"type": "object", "properties": {"id": {"type": "integer"}}})),
    max_size=2,
)
inferences = st.builds(
    Inference,
    st.none() | st.floats(0, 2),
    st.none() | st.floats(0, 1),
    st.none() | st.integers(1, 10_000),
    st.lists(texts.filter(bool), max_size=4).map(tuple),
    st.sampled_from([None, "low", "high"]),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(histories, tools, inferences, texts, st.booleans())
def test_any_prefix_of_any_history_is_a_valid_request(
    history: list[Message], offered: list[ToolSpec], inference: Inference, instruction: str, openai: bool
):
    for length in range(1, len(history) + 1):
        prefix = tuple(history[:length])
        if isinstance(prefix[-1], AssistantMessage) and prefix[-1].calls:
            continue  # Nobody asks a model while calls are open.
        body = request_body(
            ModelRequest("m", instruction, prefix, tuple(offered), inference), of_openai=openai
        )

        assert what_is_wrong(body) is None
        assert_answered(body["messages"])


def assert_answered(messages: list[dict[str, object]]) -> None:
    """The rules that no type holds: every call is answered at once, and users do not speak twice in a row."""
    waiting: list[object] = []
    for before, message in zip([{"role": "system"}, *messages], messages, strict=False):
        assert not (before["role"] == message["role"] == "user")
        if message["role"] == "tool":
            assert waiting.pop(0) == message["tool_call_id"]
        else:
            assert not waiting
        waiting.extend(call["id"] for call in message.get("tool_calls") or ())  # type: ignore[union-attr]
    assert not waiting
