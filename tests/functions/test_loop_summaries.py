"""The states that sum a conversation up, called with what the state machine sends."""

from __future__ import annotations

from typing import Any

import pytest

from freehold.errors import SummaryUnusable
from model_server import say

from .deployed import desk
from .lambdas import forget, invoke
from .loop import Loop
from .state_machine import caught, output, payload

REMEMBERS = {"memoryConfiguration": {"enabledMemoryTypes": ["SESSION_SUMMARY"]}}
NOTES = '{"topics": ["The boiler was repaired."], "openPoints": [], "preferences": []}'


def remembered(loop: Loop) -> dict[str, Any]:
    """The state of the execution that sums up a run which was answered."""
    assert loop.product.admin.call("PUT", "/agents/helper", desk(**REMEMBERS)).status == 200
    state = loop.step(loop.start(say("It is repaired."), memoryId="m"))
    loop.finish(state)
    name = f"{state['run']['id']}-s1"
    assert name in loop.product.started()
    return loop.step({"run": state["run"] | {"summary": 1}})


def sum_up(state: dict[str, Any], **more: Any) -> bool:
    return invoke("summarize_memory", payload("SummarizeMemory", state, **more))["done"]


def topics(loop: Loop) -> list[str]:
    (session,) = loop.product.admin.call("GET", "/agents/helper/memories/m").body["sessions"]
    return session["topics"]


# -- memory


def test_a_session_with_a_memory_is_summed_up_as_soon_as_its_run_has_ended(loop: Loop):
    state = remembered(loop)
    loop.model.script([say(NOTES)])

    sum_up(state)

    assert state["step"] == "summarize"
    assert topics(loop) == ["The boiler was repaired."]


def test_a_summary_is_made_once_however_often_its_state_is_entered(loop: Loop):
    state = remembered(loop)
    loop.model.script([say(NOTES)])

    assert [sum_up(state), sum_up(state, retries=1)] == [True, False]

    assert len(loop.model.requests) == 2
    assert loop.step(state)["step"] == "stop"


def test_a_run_without_a_memory_begins_no_other_execution(loop: Loop):
    state = loop.step(loop.start(say("Hi.")))

    loop.finish(state)

    assert [name for name in loop.product.started() if name.startswith(state["run"]["id"])] == [
        f"{state['run']['id']}-1"
    ]


def test_a_summary_that_fails_changes_nothing_of_the_run(loop: Loop):
    state = remembered(loop)
    before = loop.run(state)
    loop.model.script([say("I would rather not.")])

    with pytest.raises(SummaryUnusable):
        sum_up(state)

    where, after = caught("SummarizeMemory", state, "SummaryUnusable", "")
    assert (where, after) == ("LeftForLater", {"run": state["run"]})
    assert loop.run(state) == before
    assert topics(loop) == []


# -- the same session


@pytest.fixture
def long(loop: Loop) -> dict[str, Any]:
    """The state of a run whose conversation has outgrown its agent's window."""
    agent = desk(contextConfiguration={"windowTokens": 2_000})
    assert loop.product.admin.call("PUT", "/agents/helper", agent).status == 200
    state = loop.step(loop.start(say("The boiler leaks, as it has done. " * 200), sessionId="long"))
    loop.finish(state)
    forget()
    return loop.start(sessionId="long")


def test_a_long_conversation_is_compacted_before_its_next_lap(loop: Loop, long: dict[str, Any]):
    asked = len(loop.model.requests)
    state = loop.step(long)
    loop.model.script([say("THE BOILER LEAKED"), say("Noted.")])
    compacted = output("CompactHistory", state, invoke("summarize_memory", payload("CompactHistory", state)))

    answered = loop.step(compacted)

    assert (state["step"], answered["step"]) == ("compact", "finish")
    assert compacted == {"run": long["run"], "events": state["events"], "failed": [], "compact": True}
    _, answer = loop.model.requests[asked:]
    assert "THE BOILER LEAKED" in str(answer["messages"])


def test_where_a_compaction_fails_the_run_goes_on_without(loop: Loop, long: dict[str, Any]):
    state = loop.step(long)
    where, given_up = caught("CompactHistory", state, "ModelRejected", "")
    loop.model.script([say("Noted.")])

    answered = loop.step(given_up)

    assert where == "InvokeModel"
    assert given_up == {"run": long["run"], "events": state["events"], "failed": [], "compact": False}
    assert (answered["step"], answered["compact"]) == ("finish", False)


def test_an_execution_that_the_release_before_began_is_asked_for_no_compaction(
    loop: Loop, long: dict[str, Any]
):
    """Its definition has no state for it."""
    sent = payload("InvokeModel", long)
    del sent["compact"]
    loop.model.script([say("Noted.")])

    assert invoke("invoke_model", sent)["step"] == "finish"
