"""Whatever a model writes as a tool's arguments: it is called with what the schema allows, or told what is wrong."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from converse_rules import converse_problems
from freehold import context, tool_event
from freehold.adapters.argument_check import check_arguments
from freehold.adapters.contents import Contents
from freehold.adapters.converse_request import converse_request
from freehold.adapters.openai_compatible import request_body
from freehold.adapters.records import Records
from freehold.adapters.responses_request import responses_request
from freehold.adapters.table import from_wire, to_wire
from freehold.decide import decide
from freehold.turn import judged
from freehold.values.agent import Agent, Argument, ModelChoice, Tool
from freehold.values.history import History
from freehold.values.model import ModelEntry, ModelRequest, ToolUse, Usage
from freehold.values.run import Lap, Principal, Result, Run
from model_server import what_is_wrong
from responses_rules import responses_problems

SCHEMA = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "amount": {"type": "number"}, "more": {}},
    "additionalProperties": False,
}
TOOL = Tool(
    name="pay",
    description="Pay",
    input_schema=SCHEMA,
    action_group="g",
    arguments=tuple(Argument(key, key, "string", "function") for key in ("id", "amount", "more")),
    lambda_arn="arn:aws:lambda:us-east-1:123456789012:function:pay",
    idempotent=False,
    function="pay",
)
AGENT = Agent("a", ModelChoice("m"), "Help.", (TOOL,))
RUN = Run(
    "t",
    "C1",
    1,
    "s",
    "a",
    "1",
    "d",
    "DRAFT",
    "durable",
    "RUNNING",
    Principal("key", "k"),
    "test",
    "hi",
    0,
    900,
)

# Lone surrogates and null bytes included.
TEXTS = st.text(st.characters(), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(("id", "amount", "more")) | TEXTS
PROPER = st.fixed_dictionaries({}, optional={"id": TEXTS, "amount": st.integers(0, 9), "more": VALUES}).map(
    json.dumps
)
DOUBLED = st.lists(st.tuples(KEYS, VALUES), min_size=1, max_size=4).map(
    lambda pairs: "{" + ", ".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in pairs) + "}"
)
DEEP = st.builds(
    lambda depth, bracket: f'{{"more": {bracket[0] * depth}{bracket[1] * depth}}}',
    st.sampled_from((50, 99, 100, 101, 500, 900, 990, 1_000, 10_000)),
    st.sampled_from(("[]", ('{"a":', "}"))),
)
NUMBERS = st.sampled_from(
    ("NaN", "-Infinity", "1e999", "-0", "1" * 400, "9" * 5_000, "0x10", "1.5.5", "01", "1e-999")
)
ARGUMENTS = st.one_of(
    PROPER,
    st.builds(lambda text, cut: text[: cut % (len(text) + 1)], PROPER | DOUBLED, st.integers(0, 100)),
    DOUBLED,
    DEEP,
    NUMBERS.map(lambda number: f'{{"amount": {number}}}'),
    TEXTS,
    VALUES.map(json.dumps),
    PROPER.map(lambda text: f"```json\n{text}\n```"),
    PROPER.map(lambda text: f"{text}{text}"),
)
NAMES = st.sampled_from(("pay", "pay", "Pay", "", "x" * 300)) | TEXTS


@settings(max_examples=5_000)
@given(st.lists(st.tuples(NAMES, ARGUMENTS), min_size=1, max_size=2))
@example([("pay", '{"id": "\\ud800"}')])
@example([("pay", '{"id": "a", "id": "b"}')])
@example([("pay", '{"id": "\\u0000"}')])
def test_every_call_has_a_clear_outcome(asked: list[tuple[str, str]]):
    uses = [ToolUse(f"call_{i}", name, arguments) for i, (name, arguments) in enumerate(asked)]

    calls = tuple(judged(use, AGENT, check_arguments) for use in uses)

    lap = stored(Lap(1, "id", 0, "m", "", calls, Usage(), 0, "tools"))
    for i, call in enumerate(lap.calls):
        if call.refused is None:
            assert sent(lap, i) is not None
        else:
            assert 0 < len(call.refused) < 3_000
    history = History(
        RUN, (lap,), {(1, i): Result(1, i, "pay", "success", "paid", 0) for i in lap.open_calls}
    )
    assert decide(history, AGENT, now=0, events=0) is None, "the model is asked again"
    assert wrong_with_requests(history) == []


def stored(lap: Lap) -> Lap:
    """The lap as the table gives it back."""
    kept: dict[str, Any] = {}

    class Bucket:
        def put_object(self, **given: Any) -> None:
            kept[given["Key"]] = given["Body"]

    class KeptContents(Contents):
        def get_bytes(self, key: str) -> bytes:
            return kept[key]

    records = Records(KeptContents(Bucket(), "b"), 1)  # pyright: ignore[reportArgumentType]
    wire = to_wire(records.encode(lap, {"pk": "p", "sk": "s"}, folder="f", at=0))
    json.dumps(wire, default=str).encode()
    return records.decode(from_wire(wire), Lap)


def sent(lap: Lap, call: int) -> bytes:
    """The tool's event as Lambda is sent it: JSON that any reader reads alike."""
    event = tool_event.event(TOOL, RUN, lap, call, deadline=0)
    text = json.dumps(event, allow_nan=False, ensure_ascii=False)
    for parameter in event["parameters"]:
        if parameter["name"] == "amount":
            assert math.isfinite(float(parameter["value"]))
    return text.encode()


def wrong_with_requests(history: History) -> list[str]:
    wrong: list[str] = []
    for entry in (
        ModelEntry("m", "converse"),
        ModelEntry("m", "responses"),
        ModelEntry("m", "openai_compatible"),
    ):
        (told,) = context.turns((), history, entry)
        request = ModelRequest("m", "Help.", told, context.tool_specs(AGENT))
        match entry.api:
            case "converse":
                wrong += converse_problems(converse_request(request, entry))
            case "responses":
                wrong += responses_problems(responses_request(request, entry))
            case _:
                wrong += [
                    what for what in [what_is_wrong(json.loads(json.dumps(request_body(request))))] if what
                ]
    return wrong


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ('{"id": "a', "no JSON"),
        ("", None),
        ('{"id": "a", "id": "b"}', "'id' stands twice"),
        ('{"more": {"a": 1, "a": 1}}', "'a' stands twice"),
        ('{"amount": NaN}', "NaN is no JSON number"),
        ('{"amount": 1e999}', "too large a number"),
        (f'{{"amount": {"9" * 21}}}', "has 21 digits"),
        ('{"id": "\\ud83d"}', "half of a character"),
        ('{"\\udc00": 1}', "half of a character"),
        ('{"id": "\\ud83d\\ude00"}', None),
        ('{"id": "\\u0000"}', None),
        (f'{{"more": {"[" * 99}{"]" * 99}}}', None),
        (f'{{"more": {"[" * 100}{"]" * 100}}}', "more than 100 levels"),
        (f'{{"more": {"[" * 10_000}{"]" * 10_000}}}', "more than 100 levels"),
        ("[1]", "one JSON object, not list"),
        ("null", "one JSON object"),
        ('{"id": 5}', "id: 5 is not of type"),
        ('{"unknown": 5}', "'unknown'"),
        (json.dumps({"amount": "x" * 1_000_000}), "…"),
    ],
)
def test_the_model_is_told_what_is_wrong(arguments: str, told: str | None):
    refused = judged(ToolUse("call_0", "pay", arguments), AGENT, check_arguments).refused

    assert (
        (refused is None)
        if told is None
        else (refused is not None and told in refused and len(refused) < 500)
    )
