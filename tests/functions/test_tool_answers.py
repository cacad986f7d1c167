"""Whatever a tool's Lambda answers, or if there is none: the model is told, and the run goes on to its end."""

from __future__ import annotations

import json
from typing import Any

import pytest

from model_server import ask, say

from .aws import REQUESTS, answered
from .loop import Loop

SIX_MEGABYTES = 6 * 1024 * 1024


def telling(body: object) -> dict[str, Any]:
    return {"response": {"functionResponse": {"responseBody": {"TEXT": {"body": body}}}}}


def refused(status: int, code: str) -> Any:
    return answered(status, {"Message": "nothing like that"}, {"x-amzn-errortype": code})


def raised(body: bytes) -> Any:
    return answered(200, body, {"x-amz-function-error": "Unhandled"})


ANSWERS = {
    "a Lambda that does not exist": (refused(404, "ResourceNotFoundException"), "error", "ResourceNotFound"),
    "a Lambda that may not be called": (refused(403, "AccessDeniedException"), "error", "AccessDenied"),
    "an empty answer": (answered(200, b""), "error", "no JSON"),
    "a null": (answered(200, b"null"), "error", "no Bedrock Agents answer"),
    "a list": (answered(200, [1]), "error", "no Bedrock Agents answer"),
    "another shape": (answered(200, {"statusCode": 200, "body": "hi"}), "error", "no Bedrock Agents answer"),
    "a response that is a number": (answered(200, {"response": 5}), "error", "no Bedrock Agents answer"),
    "bytes that are no UTF-8": (answered(200, b'{"response": "\xff\xfe"}'), "error", "no JSON"),
    "half of a JSON document": (answered(200, b'{"response": {"functionRes'), "error", "no JSON"),
    "10,000 levels": (answered(200, b"[" * 10_000 + b"]" * 10_000), "error", "no JSON"),
    "900 levels of body": (answered(200, telling(json.loads("[" * 900 + "]" * 900))), "success", "[[["),
    "an error that is no JSON": (raised(b"\xff\x00"), "unknown", "unknown"),
    "an error of its own": (raised(b'{"errorType": "KeyError", "errorMessage": "no id"}'), "error", "no id"),
    "six megabytes": (answered(200, telling("x" * SIX_MEGABYTES)), "success", "cut here"),
    "half of a character": (
        answered(200, b'{"response": {"functionResponse": {"responseBody": {"TEXT": {"body": "\\ud800"}}}}}'),
        "success",
        "?",
    ),
    "a null byte": (answered(200, telling("a\0b")), "success", "a\0b"),
    "no text at all": (answered(200, telling("")), "success", "(no output)"),
    "NaN": (answered(200, telling(float("nan"))), "success", "NaN"),
    "an attribute of 20,000 characters": (
        answered(200, telling("paid") | {"sessionAttributes": {"big": "x" * 20_000, "small": "y"}}),
        "success",
        "sessionAttributes.big was not kept",
    ),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_the_model_is_told_and_the_run_goes_on(loop: Loop, case: str):
    answer, outcome, told = ANSWERS[case]
    start = loop.start(ask(("pay", {"amount": 5})), say("I see."))
    state = loop.step(start)

    loop.tool(state, 0, answer)
    last = loop.step({"run": start["run"], "events": state["events"], "failed": []})
    loop.finish(last)

    assert len(REQUESTS.tool_events) == 1, "a payment is never repeated"
    assert [call["outcome"] for call in loop.calls(state)] == [outcome]
    assert told in loop.model.requests[1]["messages"][-1]["content"]
    assert loop.run(start)["status"] == "COMPLETED"


def test_a_session_keeps_the_attributes_that_fit(loop: Loop):
    attributes = {"sessionAttributes": {"big": "x" * 20_000, "small": "y"}}
    start = loop.start(ask(("look_up", {"id": "1"})), ask(("look_up", {"id": "2"})), say("Done."))
    state = loop.step(start)
    loop.tool(state, 0, telling("found") | attributes)

    again = loop.step({"run": start["run"], "events": state["events"], "failed": []})
    loop.tool(again, 0)

    assert REQUESTS.tool_events[1]["sessionAttributes"] == {"small": "y"}
