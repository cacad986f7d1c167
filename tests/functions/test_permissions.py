"""Each function's role allows what its code asks of AWS, and nothing that the code never asks.

That what is asked is allowed, every test in this folder makes sure (see `product`). Here is the other way: each
function does all that it can, and each permission turns out to have been needed.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from botocore.awsrequest import AWSResponse

from freehold.errors import ToolThrottled
from freehold.values.run import Call
from model_server import ModelServer, Reply, say

from .aws import REQUESTS, answered, aws
from .caller import TENANT
from .calls import CALLS, make_one_of_each
from .deployed import Deployed, desk
from .lambdas import environment, forget, invoke
from .policies import functions, needed, permissions
from .test_sweep import SCHEDULE

LARGE = "x" * 40_000


def use_api(product: Deployed) -> None:
    ids = make_one_of_each(product)
    product.s3.put_object(Bucket="schemas", Key="a.yaml", Body=b"openapi: 3.0.0")
    schema = desk()["actionGroups"][0] | {"apiSchema": "s3://schemas/a.yaml"}
    del schema["functionSchema"]
    product.admin.call("PUT", "/agents/other", desk() | {"agentName": "other", "actionGroups": [schema]})
    product.admin.call("PUT", "/agents/fast", desk() | {"agentName": "fast", "executionMode": "fast"})
    product.start(LARGE, agent="fast", sessionId="s2")
    queued = product.start("hi", agent="fast", sessionId="s2", whenBusy="enqueue")
    product.admin.call("POST", f"/runs/{queued['runId']}/cancel")
    product.admin.call("GET", "/sessions/s2/items")
    for call in CALLS:
        call.by(product.admin, ids)


def use_authorizer(product: Deployed) -> None:
    key = product.keys().create(tenant=TENANT, name="k", scopes=["run"], now=int(time.time())).text
    arn = "arn:aws:execute-api:us-east-1:123456789012:api1/v1/GET/runs"
    invoke("authorizer", {"type": "TOKEN", "authorizationToken": f"Bearer {key}", "methodArn": arn})


def use_invoke_model(product: Deployed) -> None:
    with ModelServer() as model, environment(MODEL_SOURCE="openai_compatible", MODEL_URL=model.url):
        aws("secretsmanager").create_secret(Name="freehold-model-key", SecretString="sk-1")
        product.admin.call("PUT", "/agents/helper", desk())
        run_id = product.start(LARGE)["runId"]
        event = {
            "run": {"tenant": TENANT, "id": run_id, "execution": 1},
            "failed": [],
            "attempt": 0,
            "events": 0,
        }

        def overtaken(request: object) -> Reply:
            """Another invocation has written the lap by the time the model answers."""
            product.add_lap(run_id, "quicker")
            return say(LARGE)

        model.script([overtaken])
        forget()
        invoke("invoke_model", event)


def use_run_tool(product: Deployed) -> None:
    product.admin.call("PUT", "/agents/helper", desk())
    run_id = product.start()["runId"]
    calls = (
        Call("look_up", f'{{"id": "{LARGE}"}}'),
        Call("pay", '{"amount": 1}'),
        Call("pay", '{"amount": 2}'),
    )
    product.add_lap(run_id, "", calls=calls, stop="tools")
    body = {"response": {"functionResponse": {"responseBody": {"TEXT": {"body": LARGE}}}}}

    def take_the_mark() -> AWSResponse:
        """The call's mark is gone by the time the tool has answered."""
        (item,) = [item for item in product.items("sessions") if item["kind"]["S"] == "marker"]
        product.client.put_item(TableName="sessions", Item=item | {"marked_by": {"S": "somebody else"}})
        return answered(200, body)

    def call(index: int, answer: AWSResponse | Callable[[], AWSResponse]) -> None:
        REQUESTS.tool_answer = answer
        run = {"tenant": TENANT, "id": run_id, "execution": 1}
        invoke("run_tool", {"run": run, "lap": 1, "call": index, "attempt": 0})

    forget()
    call(0, answered(200, body))
    with pytest.raises(ToolThrottled):
        call(1, answered(429, {}, {"x-amzn-errortype": "TooManyRequestsException"}))
    call(2, take_the_mark)


def use_finish_run(product: Deployed) -> None:
    product.admin.call("PUT", "/agents/fast", desk() | {"agentName": "fast", "executionMode": "fast"})
    for name in ("helper", "fast"):
        first = product.start(LARGE, agent=name, sessionId=name)["runId"]
        product.start(LARGE, agent=name, sessionId=name, whenBusy="enqueue")
        forget()
        invoke("finish_run", {"run": {"tenant": TENANT, "id": first, "execution": 1}, "step": "continue"})
        done = {"status": "STOPPED", "reason": "maxLaps"}
        invoke("finish_run", {"run": {"tenant": TENANT, "id": first, "execution": 2}, "outcome": done})


def use_sweep(product: Deployed) -> None:
    product.admin.call("PUT", "/agents/fast", desk() | {"agentName": "fast", "executionMode": "fast"})
    stopped = product.start(LARGE)["runId"]
    product.start(LARGE, sessionId="s", agent="fast")
    product.start(LARGE, sessionId="s", agent="fast", whenBusy="enqueue")
    product.start(LARGE)
    for item in [
        item for item in product.items("sessions") if item["kind"]["S"] == "run" and "started_at" in item
    ]:
        for name in ("created_at", "started_at"):
            item[name] = {"N": str(int(item[name]["N"]) - 3_600_000)}
        product.client.put_item(TableName="sessions", Item=item)
    execution = f"arn:aws:states:us-east-1:123456789012:execution:freehold-agent-loop:{stopped}-1"
    aws("stepfunctions").stop_execution(executionArn=execution)
    forget()
    assert invoke("sweep", SCHEDULE)["restarted"] == 2


USES: dict[str, Callable[[Deployed], None]] = {
    "api": use_api,
    "authorizer": use_authorizer,
    "invoke_model": use_invoke_model,
    "run_tool": use_run_tool,
    "finish_run": use_finish_run,
    "sweep": use_sweep,
}


def test_every_function_of_the_template_is_used_here():
    assert set(USES) == set(functions())


@pytest.mark.parametrize("name", USES)
def test_each_permission_is_needed(product: Deployed, name: str):
    USES[name](product)

    asked = {pair for request in REQUESTS.made if request.function == name for pair in needed(request)}
    idle = [each for each in permissions(name) if not any(each.covers(*pair) for pair in asked)]
    assert idle == []


def test_the_check_sees_a_permission_too_few_and_one_too_many(product: Deployed):
    """A check that passes everything would hide behind green."""
    use_authorizer(product)
    (request,) = [request for request in REQUESTS.made if request.function == "authorizer"]

    ((action, resource),) = needed(request)

    assert not any(each.covers("dynamodb:PutItem", resource) for each in permissions("authorizer"))
    assert not any(
        each.covers(action, resource.replace("agents", "sessions")) for each in permissions("authorizer")
    )


def test_the_stacks_own_functions_can_never_be_tools():
    denied = permissions("run_tool", "Deny")
    ours = "arn:aws:lambda:us-east-1:123456789012:function:freehold-ApiFunction-1x2"

    assert any(each.covers("lambda:InvokeFunction", ours) for each in denied)
    assert not any(
        each.covers("lambda:InvokeFunction", ours.replace("freehold-", "desk-")) for each in denied
    )
