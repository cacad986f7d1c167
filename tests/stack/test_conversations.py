"""Sessions that outlast a run: what is remembered, compacted, replayed and erased, through the real state machine."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from freehold import compacting, note_taking
from freehold.context import NOTES_HEAD
from freehold.tokens import tokens
from freehold_client import CompactionItem, NotFound
from model_server import Reply, ask, fail, say
from product_stack import TENANT, Product, eventually, function

pytestmark = pytest.mark.stack

REMEMBERS = {"memoryConfiguration": {"enabledMemoryTypes": ["SESSION_SUMMARY"]}}
WINDOW = 4_000
Request = dict[str, Any]


def purpose(request: Request) -> str:
    system = request["messages"][0]["content"]
    known = {note_taking.INSTRUCTION: "memory", compacting.INSTRUCTION: "compaction"}
    return known.get(system, "answer")


def answering(product: Product, **by_purpose: Callable[[Request], Reply]) -> list[Request]:
    """Answer each request by what it is for; the requests as they come."""
    seen: list[Request] = []

    def answer(request: Request) -> Reply:
        seen.append(request)
        return by_purpose[purpose(request)](request)

    product.model.script([], then=answer)
    return seen


def noting(request: Request) -> Reply:
    """As topics whatever the user said, after the earlier ones."""
    told = json.loads(request["messages"][1]["content"])
    said = [entry["user"] for entry in told["transcript"] if "user" in entry]
    topics = [*(told["earlier"] or {"topics": []})["topics"], *said]
    return say(json.dumps({"topics": topics, "openPoints": [], "preferences": []}))


def looking(laps: int) -> Callable[[Request], Reply]:
    """Asks for so many long results before it answers."""
    left = iter(range(laps))

    def answer(request: Request) -> Reply:
        lap = next(left, None)
        if lap is None:
            return say("Found.", usage=None)
        return ask(("echo", {"note": f"{lap:03d} " * 50, "times": 4}), usage=None)

    return answer


def topics(product: Product, agent: str, memory_id: str) -> list[list[str]]:
    return [list(session.topics) for session in product.api.memories.get(agent, memory_id).sessions]


@pytest.mark.parametrize("mode", ["durable", "fast"])
def test_what_one_session_came_to_is_told_to_the_next(product: Product, mode: str):
    agent = product.agent(executionMode=mode, **REMEMBERS)
    seen = answering(product, answer=lambda _: say("Noted."), memory=noting)

    product.ask(agent, "I am allergic to nuts.", memory_id="anna")
    eventually(lambda: topics(product, agent, "anna") == [["I am allergic to nuts."]])
    product.ask(agent, "What may I eat?", memory_id="anna")

    (request,) = [each for each in seen if "What may I eat?" in str(each) and purpose(each) == "answer"]
    assert "allergic" not in request["messages"][0]["content"]
    assert request["messages"][1]["content"].startswith(NOTES_HEAD)
    assert "I am allergic to nuts." in request["messages"][1]["content"]
    eventually(lambda: len(topics(product, agent, "anna")) == 2 and topics(product, agent, "anna")[1])


def test_nonsense_in_place_of_notes_costs_nothing_but_time(product: Product):
    agent = product.agent(**REMEMBERS)
    answering(product, answer=lambda _: say("Noted."), memory=lambda _: say("I would rather not."))
    run = product.ask(agent, "one", session_id="s-nonsense", memory_id="berta")

    def status() -> str:
        arn = product.outputs["AgentLoop"].replace(":stateMachine:", ":execution:")
        found = product.aws("stepfunctions").describe_execution(executionArn=f"{arn}:{run.run_id}-s1")
        return found["status"]

    assert run.status == "COMPLETED"
    assert eventually(lambda: status() == "SUCCEEDED")
    assert topics(product, agent, "berta") == [[]]

    answering(product, answer=lambda _: say("Noted."), memory=noting)
    product.ask(agent, "two", session_id="s-nonsense")
    assert eventually(lambda: topics(product, agent, "berta") == [["one", "two"]])


def test_a_run_is_compacted_in_its_middle_and_shows_it(product: Product):
    echo = function("echo", idempotent=True)
    agent = product.agent(echo, contextConfiguration={"windowTokens": WINDOW}, limits={"maxLaps": 60})
    seen = answering(product, answer=looking(20), compaction=lambda _: say("It looked around."))

    run = product.ask(agent, "find it")

    compactions = [item for item in items(product, run) if isinstance(item, CompactionItem)]
    assert (run.status, run.laps, run.output) == ("COMPLETED", 21, "Found.")
    assert compactions
    assert {item.text for item in compactions} == {"It looked around."}
    sizes = [
        sum(tokens(json.dumps(m)) for m in each["messages"]) for each in seen if purpose(each) == "answer"
    ]
    assert max(sizes) < WINDOW
    assert "find it" in str(seen[-1]["messages"])
    assert "It looked around." in str(seen[-1]["messages"])
    kinds = [item["kind"] for item in product.items_of(run.run_id)]
    assert (kinds.count("lap"), kinds.count("result")) == (21, 20), "the originals are all there"


def items(product: Product, run: Any) -> list[Any]:
    return list(product.api.sessions.items(run.session_id, run_id=run.run_id))


def test_where_a_compaction_fails_the_run_goes_on(product: Product):
    echo = function("echo", idempotent=True)
    agent = product.agent(echo, contextConfiguration={"windowTokens": WINDOW}, limits={"maxLaps": 60})
    seen = answering(product, answer=looking(14), compaction=lambda _: fail(400))

    run = product.ask(agent, "find it")

    assert (run.status, run.output) == ("COMPLETED", "Found.")
    assert [purpose(each) for each in seen].count("compaction") == 1, "not tried again in this execution"
    sizes = [sum(tokens(json.dumps(m)) for m in each["messages"]) for each in seen]
    assert max(sizes) < WINDOW * 1.2


def test_a_replay_asks_another_model_and_calls_no_tool(product: Product):
    agent = product.agent(function("echo", idempotent=False))
    product.model.script([ask(("echo", {"note": "hello"})), say("It said hello.")])
    original = product.ask(agent, "what does it say?")

    product.model.script([ask(("echo", {"note": "hello"})), say("Hello, it says.")])
    started = product.api.runs.replay(original.run_id, "another", api="openai_compatible")
    replay = product.api.runs.wait(started.run_id)

    assert (replay.status, replay.output) == ("COMPLETED", "Hello, it says.")
    assert replay.replays == original.run_id
    assert len(product.effects_of(original.run_id)) == 1
    assert product.effects_of(replay.run_id) == []
    results = [item.result for item in items(product, replay) if hasattr(item, "result")]
    assert results == [item.result for item in items(product, original) if hasattr(item, "result")]


def test_an_erased_session_leaves_nothing_in_table_or_bucket(product: Product):
    agent = product.agent(**REMEMBERS)
    product.model.script(
        [], then=lambda request: say("y" * 40_000) if purpose(request) == "answer" else noting(request)
    )
    run = product.ask(agent, "x" * 40_000, session_id="s-erased", memory_id="carla")
    eventually(lambda: not any(item.get("summary_due") for item in product.items_of(run.run_id)))
    conversation = run.run_id.rpartition("-")[0]
    prefix = f"conversations/{TENANT}/{conversation}/"

    def objects() -> int:
        listed = product.aws("s3").list_objects_v2(Bucket=product.outputs["ContentBucket"], Prefix=prefix)
        return listed["KeyCount"]

    assert objects() == 2

    report = product.api.sessions.delete("s-erased")

    assert (report.erased.sessions, report.erased.runs, report.erased.objects) == (1, 1, 2)
    assert report.erased.summaries == 1
    assert report.complete
    assert product.items_of(run.run_id) == []
    assert objects() == 0
    with pytest.raises(NotFound):
        product.api.runs.get(run.run_id)
    with pytest.raises(NotFound):
        product.api.memories.get(agent, "carla")
