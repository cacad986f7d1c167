"""Each function's role allows what its code asks of AWS, and nothing that the code never asks.

That what is asked is allowed, every test in this folder makes sure (see `product`). Here is the other way: each
function does all that it can, and each permission turns out to have been needed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from freehold.adapters.catalog import Catalog
from rendering import HERE

from . import mcp, people
from .aws import REQUESTS, Request
from .caller import TENANT
from .calls import CALLS, make_one_of_each
from .deployed import Deployed, agent, desk
from .lambdas import ENVIRONMENT, invoke
from .models_and_tools import (
    LARGE,
    REMEMBERS,
    use_invoke_model,
    use_run_mcp_tool,
    use_run_tool,
    use_summarize_memory,
    watch,
)
from .needs import Need, call_of, needed
from .policies import LISTED_TOOL, allowed, functions, permissions
from .run_ends import use_finish_run, use_sweep
from .test_api_triggers import DAILY, PAID, grant
from .ways_in import begun_by_messages, redrive, unmark, use_ingest, use_live


def use_api(product: Deployed) -> None:
    ids = make_one_of_each(product)
    product.s3.put_object(Bucket="schemas", Key="a.yaml", Body=b"openapi: 3.0.0")
    schema = desk()["actionGroups"][0] | {"apiSchema": "s3://schemas/a.yaml"}
    del schema["functionSchema"]
    product.admin.call("PUT", "/agents/other", desk() | {"agentName": "other", "actionGroups": [schema]})
    product.admin.call("PUT", "/agents/fast", desk() | {"agentName": "fast", "executionMode": "fast"})
    product.start(LARGE, agent="fast", sessionId="fast")
    queued = product.start("hi", agent="fast", sessionId="fast", whenBusy="enqueue")
    product.admin.call("POST", f"/runs/{queued['runId']}/cancel")
    product.admin.call("GET", "/sessions/fast/items")
    for call in CALLS:
        call.by(product.admin, ids)
    set_triggers(product)
    product.admin.call("PUT", "/agents/helper", desk())
    for run_id in begun_by_messages(product, queued=True):
        assert product.admin.call("POST", f"/runs/{run_id}/cancel").body["status"] == "CANCELLED"
    redrive(product)
    erase(product)
    leave_a_word(product)
    with mcp.serving(product) as server:
        assert product.admin.call("PUT", "/agents/reader", mcp.agent(server)).status == 200


def set_triggers(product: Deployed) -> None:
    """Set, set anew where nobody knows any more whether AWS has them, and away."""
    grant("*")
    for triggers in ([PAID, DAILY], [PAID, DAILY], []):
        document = agent("triggered", triggers=triggers)
        assert product.admin.call("PUT", "/agents/triggered", document).status == 200
        unmark(product)


def erase(product: Deployed) -> None:
    """A session with an object in the bucket, somebody who watches it, and its memory."""
    product.admin.call("PUT", "/agents/helper", desk() | REMEMBERS)
    run_id = product.start(LARGE, sessionId="erased", memoryId="m")["runId"]
    watch(run_id)
    product.finish(run_id)
    assert product.admin.call("DELETE", "/agents/helper/memories/m").body["erased"]["summaries"] == 1
    assert product.admin.call("DELETE", "/sessions/erased").body["erased"]["objects"] == 1


def leave_a_word(product: Deployed) -> None:
    """In sessions that people have in hand."""
    people.at_work(product)
    people.escalate(product)
    for name in people.TOLD:
        product.start("Is anybody there?", agent=name, sessionId=name)
    assert "Is anybody there?" in "".join(people.received())


def use_authorizer(product: Deployed) -> None:
    key = product.keys().create(tenant=TENANT, name="k", scopes=["run"], now=int(time.time())).text
    arn = "arn:aws:execute-api:us-east-1:123456789012:api1/v1/GET/runs"
    invoke("authorizer", {"type": "TOKEN", "authorizationToken": f"Bearer {key}", "methodArn": arn})


USES: dict[str, Callable[[Deployed], None]] = {
    "api": use_api,
    "authorizer": use_authorizer,
    "ingest": use_ingest,
    "invoke_model": use_invoke_model,
    "live": use_live,
    "run_tool": use_run_tool,
    "run_mcp_tool": use_run_mcp_tool,
    "finish_run": use_finish_run,
    "summarize_memory": use_summarize_memory,
    "sweep": use_sweep,
}


def test_every_function_of_the_template_is_used_here():
    assert set(USES) == set(functions())


@pytest.mark.parametrize("name", USES)
def test_each_permission_is_needed(product: Deployed, name: str):
    USES[name](product)

    asked = [need for request in REQUESTS.made if request.function == name for need in needed(request)]
    idle = [each for each in permissions(name) if not any(each.covers(need) for need in asked)]
    assert idle == []


def test_the_check_sees_a_permission_too_few_and_one_too_many(product: Deployed):
    """A check that passes everything would hide behind green."""
    use_authorizer(product)
    (request,) = [request for request in REQUESTS.made if request.function == "authorizer"]

    read, opened = needed(request)

    assert allowed("authorizer", read)
    assert allowed("authorizer", opened)
    assert not allowed("authorizer", replace(read, action="dynamodb:PutItem"))
    assert not allowed("authorizer", replace(read, resource=read.resource.replace("agents", "sessions")))
    assert not allowed("authorizer", replace(opened, context={}))
    assert not allowed(
        "authorizer", replace(opened, context={"kms:ViaService": "s3.us-east-1.amazonaws.com"})
    )


def test_a_key_of_any_scope_lets_nobody_in():
    """Whatever the API is made to write: access entries are not its to write."""
    table = f"arn:aws:dynamodb:{HERE}:table/{ENVIRONMENT['AGENTS_TABLE']}"

    for verb in ("PutItem", "DeleteItem"):
        entry, key = (
            Need(f"dynamodb:{verb}", table, {"dynamodb:LeadingKeys": kind}) for kind in ("ACCESS#", "KEYS#")
        )
        assert (allowed("api", entry), allowed("api", key)) == (False, True)


# -- tools


def arn(name: str) -> str:
    return f"arn:aws:lambda:{HERE}:function:{name}"


TAGGED = {"freehold:tool": "true"}


def test_a_function_that_is_tagged_as_a_tool_may_be_called():
    assert allowed("run_tool", call_of(arn("orders"), TAGGED))
    assert allowed("run_tool", call_of(arn("orders:7"), TAGGED))


@pytest.mark.parametrize(
    "tags", [{}, {"freehold:tool": "false"}, {"tool": "true"}, {"Freehold:tool": "true"}]
)
def test_a_function_with_no_such_tag_may_not(tags: dict[str, str]):
    assert not allowed("run_tool", call_of(arn("orders"), tags))


def test_a_function_that_the_stack_lists_needs_no_tag():
    assert allowed("run_tool", call_of(LISTED_TOOL, {}))
    assert not allowed("run_tool", call_of(f"{LISTED_TOOL}-2", {}))


def test_a_function_elsewhere_may_not_be_called_for_its_tag():
    for there in ("eu-west-1:123456789012", "us-east-1:999999999999"):
        assert not allowed("run_tool", call_of(arn("orders").replace(HERE, there), TAGGED))


@pytest.mark.parametrize("ours", ["ApiFunction", "RunToolFunction", "SweepFunction", "AuthorizerFunction"])
@pytest.mark.parametrize("qualifier", ["", ":live", ":3", ":$LATEST"])
def test_the_stacks_own_functions_can_never_be_tools(ours: str, qualifier: str):
    assert not allowed("run_tool", call_of(arn(f"freehold-{ours}{qualifier}"), TAGGED))


def test_a_function_of_another_stack_whose_name_begins_like_ours_can():
    assert allowed("run_tool", call_of(arn("freehold-tools-SearchFunction-1x2"), TAGGED))


# -- people


@pytest.mark.parametrize("name", ["api", "finish_run", "sweep"])
def test_people_are_told_by_the_queues_and_topics_that_the_stack_lists_alone(name: str):
    sent, published = (
        [Need("sqs:SendMessage", people.QUEUE), Need("sqs:SendMessage", f"{people.QUEUE}-2")],
        [Need("sns:Publish", people.TOPIC), Need("sns:Publish", f"{people.TOPIC}-2")],
    )

    assert [allowed(name, need) for need in sent] == [True, False]
    assert [allowed(name, need) for need in published] == [True, False]


# -- models


def asked(model: str, host: str, operation: str = "Converse") -> Request:
    return Request("invoke_model", host, operation, {"modelId": model})


def test_every_model_of_the_catalog_may_be_asked():
    entries = [entry for entry in Catalog.packaged().all() if entry.api in ("converse", "responses")]

    shut_out = [
        entry.id
        for entry in entries
        for operation in (entry.api.capitalize(), f"{entry.api.capitalize()}Stream")
        for need in needed(asked(entry.id, entry.host or "bedrock-runtime", operation))
        if not allowed("invoke_model", need)
    ]

    assert len(entries) > 20
    assert shut_out == []


@pytest.mark.parametrize("model", ["meta.llama4-maverick-17b-instruct-v1:0", "us.deepseek.r1-v1:0"])
def test_a_model_that_is_not_listed_may_not(model: str):
    assert not any(allowed("invoke_model", need) for need in needed(asked(model, "bedrock-runtime")))
    assert not any(allowed("invoke_model", need) for need in needed(asked(model, "bedrock-mantle")))


def test_a_model_in_another_region_is_reached_behind_a_profile_alone():
    _, behind = needed(asked("us.anthropic.claude-opus-5-5", "bedrock-runtime"))

    assert allowed("invoke_model", behind)
    assert not allowed("invoke_model", replace(behind, context={"aws:RequestedRegion": "us-west-2"}))
