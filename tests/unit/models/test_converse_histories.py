"""Any conversation, up to any lap and whatever ended the turns before, is a request that Converse takes."""

from __future__ import annotations

import json
from base64 import b64encode

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from converse_rules import converse_problems
from freehold.adapters.converse_reasoning import kept
from freehold.adapters.converse_request import converse_request
from freehold.values.agent import Context, Inference
from freehold.values.history import History
from freehold.values.memory import Summary
from freehold.values.model import Image, ModelEntry, ToolSpec, Usage
from freehold.values.run import Call, Lap, Principal, Result, Run, Status

from .histories import SUMMARIES, compactions, prefixes, sent

ENTRIES = (
    ModelEntry(
        "us.anthropic.claude-opus-4-7", "converse", effort="anthropic", sampling="none", cache="tools"
    ),
    ModelEntry("us.amazon.nova-2-lite-v1:0", "converse", effort="nova", cache="messages"),
    ModelEntry("openai.gpt-oss-120b-1:0", "converse", effort="reasoning_effort", images=False),
    ModelEntry(
        "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123def456", "converse"
    ),
)
PIXEL = Image("png", b64encode(b"\x89PNG\r\n").decode())
SIGNED = {"reasoningText": {"text": "Two books.", "signature": "c2lnbmVk"}}
REDACTED = {"redactedContent": b"\x00\xffsecret"}
SCHEMA = {"type": "object", "properties": {"id": {"type": "integer"}}}
TEXTS = st.text(max_size=12)
RESULTS = TEXTS | st.just("x" * 3_000)
NAMES = ("look_up", "pay", "gone")
OBJECTS = st.dictionaries(TEXTS, st.integers() | st.floats() | TEXTS, max_size=2).map(
    json.dumps
) | st.sampled_from(['{"a": 1e999}', '{"a": "\\ud800"}', '{"a":' * 70 + "1" + "}" * 70])
THOUGHTS = st.none() | st.sampled_from(
    [kept([SIGNED, REDACTED]), kept([{"reasoningText": {"text": ""}}]), "{}", "[7"]
)


@st.composite
def calls(draw: st.DrawFn) -> Call:
    refused = draw(st.booleans())
    return Call(
        draw(st.sampled_from(NAMES)),
        draw(OBJECTS | TEXTS) if refused else draw(OBJECTS),
        "no" if refused else None,
    )


@st.composite
def turns(draw: st.DrawFn, turn: int, maker: str, *, ended: bool) -> History:
    """A turn as the protocol leaves it. In the present one every lap has calls: an answer would have ended it."""
    laps = tuple(
        Lap(
            n, f"id{n}", 0, "m", draw(TEXTS), tuple(draw(st.lists(calls(), min_size=0 if ended else 1, max_size=3))),
            Usage(), 0, "end", reasoning=draw(THOUGHTS), reasoning_by=draw(st.sampled_from([maker, "converse:other"])),
        )
        for n in range(1, draw(st.integers(0, 3)) + 1)
    )  # fmt: skip
    statuses: tuple[Status, ...] = ("COMPLETED", "FAILED", "STOPPED", "CANCELLED") if ended else ("RUNNING",)
    run = Run(
        "t", "C1", turn, "s", "a", "1", "d", "DRAFT", "durable", draw(st.sampled_from(statuses)), Principal("key", "k"),
        "test", draw(TEXTS), 0, 900, last_lap=len(laps) if ended else None,
        images=draw(st.sampled_from([(), (PIXEL,)])),
    )  # fmt: skip
    outcomes = st.sampled_from(("success", "error", "unknown", "cancelled"))
    results = {
        (lap.lap, i): Result(lap.lap, i, lap.calls[i].name, draw(outcomes), draw(RESULTS), 0)
        for lap in laps
        for i in lap.open_calls
        if draw(st.booleans())
    }
    return History(run, laps, results, {})


@st.composite
def conversations(draw: st.DrawFn) -> tuple[list[History], History, ModelEntry]:
    entry = draw(st.sampled_from(ENTRIES))
    past = [draw(turns(n, entry.maker, ended=True)) for n in range(1, draw(st.integers(0, 3)) + 1)]
    return past, draw(turns(len(past) + 1, entry.maker, ended=False)), entry


INFERENCES = st.builds(
    Inference,
    st.none() | st.floats(0, 2),
    st.none() | st.floats(0, 1),
    st.none() | st.integers(1, 10_000),
    st.lists(st.text(min_size=1, max_size=12), max_size=4).map(tuple),
    st.sampled_from([None, "none", "minimal", "low", "medium", "high", "xhigh"]),
)
TOOLS = st.lists(
    st.builds(ToolSpec, st.sampled_from(NAMES[:2]), TEXTS, st.just(SCHEMA)),
    unique_by=lambda tool: tool.name,
    max_size=2,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    conversation=conversations(),
    tools=TOOLS,
    inference=INFERENCES,
    instruction=TEXTS,
    summaries=SUMMARIES,
    share=st.sampled_from([1.0, 0.5, 0.00001]),
    window=st.sampled_from([None, 2_000]),
    data=st.data(),
)
def test_any_conversation_up_to_any_lap_is_a_request_that_converse_takes(
    conversation: tuple[list[History], History, ModelEntry],
    tools: list[ToolSpec],
    inference: Inference,
    instruction: str,
    summaries: list[Summary],
    share: float,
    window: int | None,
    data: st.DataObject,
):
    past, current, entry = conversation
    for so_far in prefixes(past, current):
        asked = sent(
            *(*so_far, entry),
            tools=tools,
            inference=inference,
            instruction=instruction,
            compaction=data.draw(compactions(so_far[1])),
            summaries=summaries,
            share=share,
            context=Context(window),
        )

        assert converse_problems(converse_request(asked, entry)) == []
