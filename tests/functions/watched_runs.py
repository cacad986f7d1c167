"""Runs of every kind in a process that looks like Lambda, for `test_telemetry.py`: it prints what the functions log.

Whatever users, models and tools say here holds one of the `CANARIES`.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import warnings
from collections.abc import Iterator
from typing import Any

from freehold import wiring
from freehold.admission import Unauthorized
from freehold.errors import FreeholdError
from model_server import ModelServer, ask, fail, say

from . import queues
from .aws import REQUESTS, answered, aws, meddling
from .caller import STAGE_ARN
from .deployed import deployed, desk, waiting
from .lambdas import environment, invoke
from .loop import Loop
from .state_machine import caught, payload
from .test_api_auth import grant, signed
from .test_sweep import SCHEDULE

INPUT, ATTRIBUTE, ARGUMENT = "canary-input", "canary-attribute", "canary-argument"
ANSWER, RESULT = "canary-answer", "canary-result"
TOLD_BY_MODEL, TOLD_BY_TOOL = "canary-of-the-model", "canary-of-the-tool"
INSTRUCTION, MODEL_KEY = "canary-instruction", "canary-model-key"
CANARIES = (INPUT, ATTRIBUTE, ARGUMENT, ANSWER, RESULT, TOLD_BY_MODEL, TOLD_BY_TOOL)
# In no log, whatever is asked for.
NEVER = (INSTRUCTION, MODEL_KEY)
OF_A_LIBRARY, OF_PYTHON = "a library has something to say", "something is out of date"


@contextlib.contextmanager
def deployed_loop() -> Iterator[Loop]:
    content = os.environ.get("LOG_CONTENT", "none")
    with (
        deployed() as product,
        ModelServer() as model,
        environment(MODEL_SOURCE="openai_compatible", MODEL_URL=model.url, LOG_CONTENT=content),
    ):
        aws("secretsmanager").create_secret(Name="freehold-model-key", SecretString=MODEL_KEY)
        assert product.admin.call("PUT", "/agents/helper", desk(instruction=INSTRUCTION)).status == 200
        yield Loop(product, model)


def start(loop: Loop, *replies: Any) -> dict[str, Any]:
    """A run that somebody began with words and attributes of his own."""
    loop.model.script(replies)
    given = {"sessionAttributes": {"who": ATTRIBUTE}, "promptSessionAttributes": {"how": ATTRIBUTE}}
    run_id = loop.product.start(INPUT, **given)["runId"]
    return {"run": {"tenant": "acme", "id": run_id, "execution": 1}}


def failed(step: Any, *given: Any, **more: Any) -> str:
    """What Step Functions is told of a step that raises."""
    try:
        step(*given, **more)
    except FreeholdError as error:
        return str(error)
    raise AssertionError("the step did not fail")


def goes_well(loop: Loop) -> None:
    begun = start(loop, ask(("look_up", {"id": ARGUMENT})), say(ANSWER))
    asked = loop.step(begun)
    text = {"responseBody": {"TEXT": {"body": RESULT}}}
    told = {"response": {"actionGroup": "desk", "function": "look_up", "functionResponse": text}}
    loop.tool(asked, 0, answered(200, told))
    loop.finish(loop.step({"run": begun["run"], "events": asked["events"], "failed": []}))


def model_refuses(loop: Loop) -> None:
    """What Lambda's runtime logs and the state machine keeps has no words of the model; the run's error has them."""
    for status in (400, 429, 500):
        begun = start(loop, fail(status, TOLD_BY_MODEL))
        words = failed(loop.step, begun)
        assert (TOLD_BY_MODEL in words) == (os.environ.get("LOG_CONTENT") == "full"), words
        cause = json.dumps({"errorMessage": words, "errorType": "ModelRejected", "stackTrace": []})
        where, given_up = caught("InvokeModel", begun, "ModelRejected", cause)
        invoke("finish_run", payload(where, given_up))
        assert loop.run(begun)["error"]["message"].count(TOLD_BY_MODEL) == 1


def tool_fails(loop: Loop) -> None:
    state = loop.step(start(loop, ask(("look_up", {"id": ARGUMENT}), ("pay", {"amount": 5}))))
    raised = {"errorMessage": TOLD_BY_TOOL, "errorType": "KeyError", "stackTrace": [TOLD_BY_TOOL]}
    loop.tool(state, 0, answered(200, raised, {"x-amz-function-error": "Unhandled"}))
    assert TOLD_BY_TOOL in loop.calls(state)[0]["result"]
    throttled = answered(429, {"Message": TOLD_BY_TOOL}, {"x-amzn-errortype": "TooManyRequestsException"})
    failed(loop.tool, state, 1, throttled)
    REQUESTS.tool_answer = warns
    invoke("run_tool", payload("RunTool", {"run": state["run"], "lap": state["lap"], "call": 1}))


def warns() -> Any:
    """No Bedrock Agents answer; and what is made of it, a library and Python comment on."""
    logging.getLogger("urllib3.connectionpool").warning(OF_A_LIBRARY)
    warnings.warn(OF_PYTHON, DeprecationWarning, stacklevel=1)
    return answered(200, {"response": TOLD_BY_TOOL})


def waits_in_vain(loop: Loop) -> None:
    """A decision by somebody who may not decide, with words of theirs."""
    loop.product.admin.call("PUT", "/agents/helper", waiting(instruction=INSTRUCTION))
    run = loop.product.park("approve", text=TOLD_BY_MODEL)
    named = {name: run["awaiting"][0][name] for name in ("callId", "argumentsDigest")}
    body = [{**named, "decision": "deny", "comment": INPUT}]
    answer = loop.product.admin.call("POST", f"/runs/{run['runId']}/decisions", body)
    assert answer.status == 403, answer.text


def messages_come(loop: Loop) -> None:
    """One that is taken, ones that never can be, and one that a defect keeps from it."""
    queues.grant()
    asked = {"agent": "helper", "input": INPUT}
    bad = ({**asked, ATTRIBUTE: INPUT}, f'{{"{INPUT}', {"agent": INPUT, "input": INPUT})
    records = [queues.record(each, group=f"m{number}") for number, each in enumerate((asked, *bad))]
    assert queues.deliver(*records) == []
    broken = queues.record(asked, group="m9")
    with meddling(wiring.client("dynamodb"), "provide-client-params.dynamodb.TransactWriteItems", breaks):
        assert queues.deliver(broken) == [broken["messageId"]]


def makes_a_token(loop: Loop) -> None:
    grant()
    assert signed().status == 201


def refuses_a_credential(loop: Loop) -> None:
    """And then cannot tell whether it is good, which is no refusal."""
    token = f"Bearer fh_acme_{'0' * 12}_{'0' * 64}"
    event = {"authorizationToken": token, "methodArn": f"{STAGE_ARN}/GET/runs"}
    with contextlib.suppress(Unauthorized):
        invoke("authorizer", event)
    read = "provide-client-params.dynamodb.GetItem"
    with meddling(wiring.client("dynamodb"), read, breaks), contextlib.suppress(KeyError):
        invoke("authorizer", event)


def breaks(**_: Any) -> None:
    raise KeyError(TOLD_BY_TOOL)


def breaks_the_sweeper(loop: Loop) -> None:
    """A run whose item no longer reads as one; the error says what stands in it."""
    conversation = start(loop)["run"]["id"].rpartition("-")[0]
    runs = [item for item in loop.product.items("sessions") if item["kind"]["S"] == "run"]
    (item,) = [item for item in runs if item["pk"]["S"].endswith(conversation)]
    loop.product.client.put_item(TableName="sessions", Item=item | {"status": {"S": INPUT}})
    assert invoke("sweep", SCHEDULE)["failed"] == 1


if __name__ == "__main__":
    parts = (goes_well, model_refuses, tool_fails, waits_in_vain, breaks_the_sweeper, messages_come)
    with deployed_loop() as made:
        for part in (*parts, makes_a_token, refuses_a_credential):
            part(made)
