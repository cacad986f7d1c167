"""The functions behind the states, called with what the state machine sends."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from freehold import wiring
from freehold.errors import (
    CallInProgress,
    Invalid,
    ModelRejected,
    ModelThrottled,
    OutcomeUnknown,
    ToolThrottled,
    ToolUnavailable,
)
from freehold.observability import logger
from freehold.values.run import Marker, RunKey
from model_server import ask, fail, say

from .aws import REQUESTS, answered, meddling
from .caller import TENANT
from .deployed import Deployed
from .lambdas import invoke
from .loop import Loop
from .state_machine import caught, payload, states


def test_a_run_goes_from_its_first_word_to_its_answer(loop: Loop):
    start = loop.start(ask(("look_up", {"id": "7"})), say("It is here."))

    asked = loop.step(start)
    loop.tool(asked, 0)
    answered = loop.step({"run": start["run"], "events": asked["events"], "failed": []})
    loop.finish(answered)

    assert (asked["step"], asked["lap"], asked["calls"]) == ("tools", 1, [0])
    assert (answered["step"], answered["outcome"]) == ("finish", {"status": "COMPLETED", "reason": None})
    run = loop.run(start)
    assert (run["status"], run["output"], run["laps"], run["calls"]) == ("COMPLETED", "It is here.", 2, 1)
    assert loop.model.requests[1]["messages"][-1]["content"] == "found it"


def test_the_state_carries_ids_and_counters_and_no_content(loop: Loop):
    start = loop.start(ask(*(("look_up", {"id": "private " * 500}) for _ in range(40))))

    after = loop.step(start)

    text = json.dumps(after)
    assert "private" not in text
    assert len(text) < 1000
    carried = {"run", "step", "lap", "calls", "mcp", "concurrency", "events", "compact", "outcome"}
    assert set(after) == carried


def test_a_tool_gets_the_event_of_bedrock_agents(loop: Loop):
    state = loop.step(loop.start(ask(("look_up", {"id": "7"})), sessionAttributes={"who": "me"}))

    loop.tool(state, 0)

    (event,) = REQUESTS.tool_events
    assert event["function"] == "look_up"
    assert event["parameters"] == [{"name": "id", "type": "string", "value": "7"}]
    assert event["sessionAttributes"] == {"who": "me"}
    assert event["freehold"]["tenant"] == TENANT


def test_each_step_may_be_repeated(loop: Loop):
    start = loop.start(ask(("look_up", {"id": "7"})), say("Done."))
    first, again = loop.step(start), loop.step(start, retries=1)
    loop.tool(first, 0)
    loop.tool(first, 0)
    last = {"run": start["run"], "events": first["events"], "failed": []}
    ends = [loop.step(last) for _ in range(2)]
    loop.finish(ends[0])
    loop.finish(ends[1])

    assert first == again
    assert ends[0] == ends[1]
    assert len(loop.model.requests) == 2
    assert len(REQUESTS.tool_events) == 1


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (429, "TooManyRequestsException", ToolThrottled),
        (500, "ServiceException", ToolUnavailable),
    ],
)
def test_a_tool_that_may_be_called_again_raises_what_the_state_machine_retries(
    loop: Loop, status: int, code: str, error: type[Exception]
):
    state = loop.step(loop.start(ask(("look_up", {"id": "7"}))))

    with pytest.raises(error):
        loop.tool(state, 0, answered(status, {"Message": "x"}, {"x-amzn-errortype": code}))

    assert loop.calls(state) == []
    loop.tool(state, 0, retries=1)
    assert [(call["outcome"], call["attempt"]) for call in loop.calls(state)] == [("success", 1)]


def test_a_call_that_was_given_up_is_told_to_the_model(loop: Loop):
    start = loop.start(ask(("look_up", {"id": "7"})), say("I could not."))
    state = loop.step(start)
    where, given_up = caught("RunTool", {"run": start["run"], "lap": 1, "call": 0}, "ToolUnavailable", "gone")

    after = loop.step({"run": start["run"], "events": state["events"], "failed": [given_up["call"]]})

    assert (where, after["step"]) == ("ToolGivenUp", "finish")
    assert loop.calls(state)[0]["outcome"] == "error"


def test_a_payment_whose_answer_is_lost_is_unknown_and_never_made_again(loop: Loop):
    state = loop.step(loop.start(ask(("pay", {"amount": 5}))))

    def lose(**_: Any) -> None:
        raise ReadTimeoutError(endpoint_url="https://lambda")

    with meddling(wiring.tool_client(60), "before-call.lambda.Invoke", lose):
        loop.tool(state, 0)
        loop.tool(state, 0, retries=1)

    (call,) = loop.calls(state)
    assert call["outcome"] == "unknown"
    assert len([r for r in REQUESTS.made if r.service == "lambda"]) == 1


def test_a_marked_call_is_left_to_whoever_marked_it(loop: Loop):
    state = loop.step(loop.start(ask(("pay", {"amount": 5}))))
    key = RunKey.parse(TENANT, state["run"]["id"])
    assert key is not None
    wiring.sessions().mark(key, Marker(1, 0, "pay", "somebody", wiring.now() + 60_000, wiring.now()))

    with pytest.raises(CallInProgress):
        loop.tool(state, 0)


def test_a_model_that_throttles_raises_what_the_state_machine_retries(loop: Loop):
    start = loop.start(fail(429), say("Now."))

    with pytest.raises(ModelThrottled):
        loop.step(start)

    assert loop.step(start, retries=1)["step"] == "finish"


def test_the_models_key_is_nowhere_but_in_its_request(loop: Loop, log: io.StringIO):
    start = loop.start(fail(401, "the key sk-model-secret is wrong"))

    with pytest.raises(Exception, match="answered 401") as raised:
        loop.step(start)

    assert loop.model.headers[-1]["authorization"] == "Bearer sk-model-secret"
    assert "sk-model-secret" not in str(raised.value) + log.getvalue()


def test_a_run_that_a_state_gave_up_has_failed_with_its_error(loop: Loop):
    start = loop.start()
    cause = json.dumps({"errorMessage": "the model says no", "errorType": "ModelRejected", "stackTrace": []})
    where, state = caught("InvokeModel", start, "ModelRejected", cause)

    invoke("finish_run", payload(where, state))

    run = loop.run(start)
    assert (run["status"], run["error"]) == (
        "FAILED",
        {"type": "ModelRejected", "message": "the model says no"},
    )


def test_a_run_is_handed_to_its_next_execution_once(loop: Loop):
    start = loop.start()

    for _ in range(2):
        invoke("finish_run", payload("ContinueRun", {"run": start["run"], "step": "continue"}))

    assert loop.product.started() == [f"{start['run']['id']}-{n}" for n in (1, 2)]
    # The old execution has nothing to say any more.
    assert loop.step(start)["step"] == "stop"
    assert loop.model.requests == []


def test_the_end_is_told_to_the_bus_and_counted(loop: Loop, capsys: pytest.CaptureFixture[str]):
    start = loop.start(say("Hi."))
    loop.finish(loop.step(start))

    (entry,) = [r.parameters["Entries"][0] for r in REQUESTS.made if r.operation == "PutEvents"]
    assert (entry["Source"], entry["DetailType"], entry["EventBusName"]) == (
        "freehold",
        "Agent Run Completed",
        "freehold",
    )
    detail = json.loads(entry["Detail"])
    assert (detail["runId"], detail["tenant"]) == (start["run"]["id"], TENANT)
    assert "Hi." not in entry["Detail"]
    assert '"RunsCompleted"' in capsys.readouterr().out


STEPS = ["invoke_model", "run_tool", "run_mcp_tool", "finish_run", "summarize_memory"]


@pytest.mark.parametrize("run", [{"tenant": TENANT, "id": "nonsense", "execution": 1}])
@pytest.mark.parametrize("name", STEPS)
def test_a_state_that_names_no_run_is_invalid(product: Deployed, name: str, run: dict[str, Any]):
    event = {"run": run, "failed": [], "attempt": 0, "events": 0, "lap": 1, "call": 0, "outcome": {}}
    event |= {"step": "memory"} if name == "summarize_memory" else {}

    with pytest.raises(Invalid, match="nonsense"):
        invoke(name, event)


@pytest.mark.parametrize("name", STEPS)
def test_a_run_that_is_gone_stops_quietly(product: Deployed, name: str):
    run = {"tenant": TENANT, "id": "01M84CY6FV8TPZ8VTAMGGSRG64-1", "execution": 1}
    outcome = {"status": "COMPLETED", "reason": None}
    event = {"run": run, "failed": [], "attempt": 0, "events": 0, "lap": 1, "call": 0, "outcome": outcome}
    event |= {"step": "memory"} if name == "summarize_memory" else {}

    answer = invoke(name, event)

    assert answer.get("step", "stop") == "stop"
    assert product.items("sessions") == []


def test_log_lines_bear_the_run(loop: Loop, log: io.StringIO):
    start = loop.start()
    first = logger.get_current_keys()
    loop.model.script([fail(400)])
    with pytest.raises(ModelRejected, match="answered 400"):
        loop.step(start)

    assert "run_id" not in first
    assert logger.get_current_keys()["run_id"] == start["run"]["id"]


def test_an_unknown_outcome_is_no_error_that_the_state_machine_sees():
    retried = [name for retry in states()["RunTool"]["Retry"] for name in retry["ErrorEquals"]]

    assert OutcomeUnknown.__name__ not in retried
