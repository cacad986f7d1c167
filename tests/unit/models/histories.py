"""Conversations as hypothesis strategies: turns as the protocol may leave them, whatever models and users wrote."""

from __future__ import annotations

import json

from hypothesis import strategies as st

from freehold.adapters.responses_reasoning import kept
from freehold.conversation import Conversation
from freehold.values.agent import Agent, Context, Inference, ModelChoice, Tool
from freehold.values.conversation import Compaction, Place
from freehold.values.history import History
from freehold.values.memory import Notes, Summary
from freehold.values.model import Image, ModelEntry, ModelRequest, ToolSpec, Usage
from freehold.values.run import Call, CallOutcome, Lap, Principal, Result, Run, Status

from .bedrock_server import call, message, reasoning

GPT = ModelEntry("openai.gpt-5.5", "responses", window=2_000, effort="reasoning_effort")
SAMPLED = ModelEntry("openai.gpt-5.5", "responses", sampling="any", images=False)

TEXTS = st.text(max_size=12) | st.sampled_from(["", " ", "\n\t", "x" * 3_000])
NAMES = st.from_regex(r"[a-zA-Z0-9_-]{1,12}", fullmatch=True)
ARGUMENTS = st.dictionaries(TEXTS, st.integers() | TEXTS, max_size=2).map(json.dumps)
MALFORMED = TEXTS | st.sampled_from(
    ['{"id": 1', "[1]", '{"a": NaN}', '{"a": "\\ud800"}', '{"a": 1, "a": 2}', "{" * 2_000, '{"a":' * 10_000]
)
FORMATS = st.sampled_from(["png", "jpeg", "gif", "webp"])
IMAGES = st.lists(
    st.builds(Image, FORMATS, st.just("AAAA"), size=st.sampled_from([3, 3_000_000])), max_size=12
)
PAYLOADS = st.sampled_from([None, "", "{", "[1]", "null", '[{"type": "reasoning"}]', '[{"type": 1}]'])
OUTCOMES: tuple[CallOutcome, ...] = ("success", "error", "unknown", "cancelled")
ENDED: tuple[Status, ...] = ("COMPLETED", "FAILED", "STOPPED", "CANCELLED")

INFERENCES = st.builds(
    Inference,
    st.none() | st.floats(0, 2),
    st.none() | st.floats(0, 1),
    st.none() | st.integers(1, 10_000),
    st.just(()),
    st.sampled_from([None, "none", "minimal", "low", "medium", "high", "xhigh"]),
)
OBJECT = {"type": "object", "properties": {"id": {"type": "integer"}}}
TOOLS = st.lists(
    st.builds(ToolSpec, NAMES, TEXTS, st.just(OBJECT)), max_size=2, unique_by=lambda tool: tool.name
)


@st.composite
def calls(draw: st.DrawFn) -> Call:
    if draw(st.booleans()):
        return Call(draw(NAMES), draw(ARGUMENTS))
    return Call(draw(NAMES), draw(MALFORMED), refused="It is no use.")


@st.composite
def payloads(draw: st.DrawFn, name: str, calls: int) -> str | None:
    """What an adapter may find with a lap: nothing, rubbish, or what it kept itself, with ids of this lap's own."""
    if draw(st.booleans()):
        return draw(PAYLOADS)
    items = [reasoning(f"rs_{name}_{i}") for i in range(draw(st.integers(1, 2)))]
    items += [message("x", phase=draw(st.sampled_from([None, "commentary"])))] * draw(st.integers(0, 2))
    items += [call("f", "{}")] * draw(st.integers(0, calls + 1))
    return kept(draw(st.permutations(items)))


@st.composite
def turns(draw: st.DrawFn, turn: int, *, ended: bool) -> History:
    laps: list[Lap] = []
    results: dict[tuple[int, int], Result] = {}
    for number in range(1, draw(st.integers(0, 3)) + 1):
        asked = tuple(draw(st.lists(calls(), max_size=3)))
        by = draw(st.sampled_from([GPT.maker, "converse:other"]))
        thought = draw(payloads(f"{turn}_{number}", len(asked)))
        lap = Lap(
            number, "id", 0, "m", draw(TEXTS), asked, Usage(), 0, "end", reasoning=thought, reasoning_by=by
        )
        laps.append(lap)
        for i in lap.open_calls:
            if draw(st.booleans()):
                outcome = draw(st.sampled_from(OUTCOMES))
                results[number, i] = Result(number, i, asked[i].name, outcome, draw(TEXTS), 0)
    status = draw(st.sampled_from(ENDED)) if ended else "RUNNING"
    run = Run(
        "t", "C1", turn, "s", "a", "1", "d", "DRAFT", "durable", status, Principal("key", "k"), "test",
        draw(TEXTS), 0, 900, images=tuple(draw(IMAGES)),
    )  # fmt: skip
    return History(run, tuple(laps), results)


@st.composite
def conversations(draw: st.DrawFn) -> tuple[list[History], History]:
    past = [draw(turns(n, ended=True)) for n in range(1, draw(st.integers(0, 3)) + 1)]
    return past, draw(turns(len(past) + 1, ended=False))


NOTED = st.lists(TEXTS | st.sampled_from(['"}]}', "</notes>"]), max_size=2).map(tuple)
SUMMARIES = st.lists(
    st.builds(
        Summary, st.just("t"), st.just("a"), st.just("m"), TEXTS, st.just("C0"), st.just("1"), st.just(0), st.just(0),
        st.just(1), notes=st.builds(Notes, NOTED, NOTED, NOTED),
    ),
    max_size=3,
)  # fmt: skip


@st.composite
def compactions(draw: st.DrawFn, current: History) -> Compaction | None:
    """None, or one that stands for whole turns, or for laps of the present one as well."""
    turn = draw(st.integers(1, current.run.turn))
    laps = draw(st.integers(0, len(current.laps))) if turn == current.run.turn else 0
    made = Compaction(current.run.turn, laps, "id", 0, Place(turn, laps), draw(TEXTS), "m", Usage(), 0)
    return draw(st.none() | st.just(made))


def sent(
    past: list[History],
    current: History,
    entry: ModelEntry,
    *,
    tools: list[ToolSpec],
    inference: Inference,
    instruction: str,
    compaction: Compaction | None,
    summaries: list[Summary],
    share: float = 1.0,
    context: Context | None = None,
) -> ModelRequest:
    """What the loop would ask, of what it reads where there is a compaction."""
    offered = tuple(
        Tool(tool.name, tool.description, tool.input_schema, "group", (), "arn", idempotent=True)
        for tool in tools
    )
    model = ModelChoice(entry.id, entry.api)
    agent = Agent("a", model, instruction, offered, inference=inference, context=context or Context())
    begins = compaction.begins if compaction else Place()
    kept = [turn for turn in past if turn.run.turn >= begins.turn]
    if begins.turn == current.run.turn:
        current = History(current.run, current.laps[begins.laps :], current.results)
    told = Conversation(agent, kept, current, lambda image: image, compaction, summaries)
    return told.request(entry, share=share, seconds=60)


def prefixes(past: list[History], current: History) -> list[tuple[list[History], History]]:
    """The conversation as it was at each lap of its last turn."""
    return [
        (past, History(current.run, current.laps[:n], current.results)) for n in range(len(current.laps) + 1)
    ]
