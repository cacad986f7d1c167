"""Whatever tools, results and texts there are, the rehearsal model comes to an answer, and always to the same."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from freehold.adapters.rehearsal import Rehearsal
from freehold.values.model import (
    AssistantMessage,
    Message,
    ModelRequest,
    ToolMessage,
    ToolOutcome,
    ToolSpec,
    UserMessage,
)

MOST_LAPS = 10
NAMES = (
    "id",
    "order_id",
    "q",
    "city",
    "count",
    "when",
    "reason",
    "",
    "ünï",
    "tags",
    "guest",
    "items",
    "message",
)
SAYINGS = (
    "Where is AB-10042?",
    "cancel it",
    "and the second?",
    "what about Lisbon and Porto",
    "I want to return the 2nd one, it's broken",
    "book 3 seats for 2026-01-02 at 9pm, 31 February 2026 or 2026-02-31 at 25:99",
    "\"x\" 'y' «z» `",
    "a@b.co https://x.y/z 1,000.5 -3 #7 12:75pm",
    "is there any?",
)

texts = st.text(max_size=30) | st.sampled_from(SAYINGS)
names = st.sampled_from(NAMES)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)


def objects_of(schemas: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    properties = st.dictionaries(names, schemas, max_size=4)
    return st.fixed_dictionaries(
        {"type": st.just("object"), "properties": properties},
        optional={"required": st.lists(names, max_size=3)},
    )


plain_schemas = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(
            ["string", "integer", "number", "boolean", "array", "object", ["string", "null"]]
        ),
        "description": texts,
        "enum": st.lists(json_values, min_size=1, max_size=3),
        "const": json_values,
        "pattern": st.sampled_from([r"^ORD-\d+$", "(", "^[a-z]+$", ".*", r"^\p{L}+$"]),
        "format": st.sampled_from(["email", "date", "date-time", "time", "uuid", "uri", "weird"]),
        "examples": st.lists(json_values, max_size=2),
        "default": json_values,
        "minimum": st.integers(-5, 5),
        "maxLength": st.integers(0, 40),
    },
)
schemas = st.recursive(
    plain_schemas,
    lambda inner: (
        objects_of(inner)
        | st.fixed_dictionaries({"type": st.just("array"), "items": inner})
        | st.fixed_dictionaries({"anyOf": st.lists(inner, min_size=1, max_size=2)})
        | st.fixed_dictionaries({"allOf": st.lists(inner, min_size=1, max_size=2)})
    ),
    max_leaves=4,
)
tools = st.builds(
    ToolSpec,
    st.sampled_from(["get_order", "createThing", "cancel", "x", "list-things", "searchStuff", "Ünï"]),
    texts,
    objects_of(schemas),
)
turns = st.lists(st.tuples(texts, st.lists(json_values, max_size=3)), min_size=1, max_size=3)


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(st.lists(tools, max_size=4, unique_by=lambda tool: tool.name), turns)
def test_any_conversation_over_any_tools_comes_to_the_same_end(
    offered: list[ToolSpec], said: list[tuple[str, list[object]]]
):
    messages: list[Message] = []
    for text, results in said:
        messages.append(UserMessage(text))
        answer_run(messages, offered, results)


def answer_run(messages: list[Message], offered: list[ToolSpec], results: list[object]) -> None:
    made: set[tuple[str, str]] = set()
    for _ in range(MOST_LAPS):
        request = ModelRequest("rehearsal", "Help.", tuple(messages), tuple(offered))
        reply = Rehearsal().reply(request)
        assert reply == Rehearsal().reply(request)
        messages.append(AssistantMessage(reply.text, reply.calls))
        if not reply.calls:
            assert reply.text
            return
        outcomes: list[ToolOutcome] = []
        for i, use in enumerate(reply.calls):
            assert isinstance(json.loads(use.arguments), dict)
            assert (use.name, use.arguments) not in made
            made.add((use.name, use.arguments))
            content = json.dumps(results[i % len(results)]) if results else ""
            outcomes.append(ToolOutcome(use.id, content, ok=i % 2 == 0))
        messages.append(ToolMessage(tuple(outcomes)))
    raise AssertionError(f"no answer after {MOST_LAPS} laps: {made}")
