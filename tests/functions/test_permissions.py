"""Each function's role allows what its code asks of AWS, and nothing that the code never asks.

That what is asked is allowed, every test in this folder makes sure (see `product`). Here is the other way: each
function does all that it can, and each permission turns out to have been needed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.credentials import Credentials
from starlette.responses import Response

from bedrock_server import BedrockServer
from freehold import wiring
from freehold.adapters import keys
from freehold.adapters.catalog import Catalog
from freehold.adapters.tool_auth import Asked
from freehold.errors import ToolThrottled, ToolUnavailable
from freehold.ports import SHARDS
from freehold.values.agent import Auth, Server
from freehold.values.content import Usage
from freehold.values.conversation import Compaction, Place
from freehold.values.run import Call, RunKey
from https_server import HttpsServer
from mcp_server import text
from model_server import ModelServer, Reply, say
from rendering import HERE

from . import mcp, people
from .aws import REQUESTS, Request, answered, aws
from .caller import TENANT
from .calls import CALLS, make_one_of_each
from .deployed import Deployed, agent, desk
from .lambdas import ENVIRONMENT, environment, forget, invoke
from .policies import LISTED_TOOL, Need, allowed, call_of, functions, needed, permissions
from .test_api_triggers import DAILY, PAID, grant
from .test_sweep import SCHEDULE
from .ways_in import begun_by_messages, redrive, unmark, use_ingest, use_live

LARGE = "x" * 40_000
REMEMBERS = {"memoryConfiguration": {"enabledMemoryTypes": ["SESSION_SUMMARY"]}}
NOTES = '{"topics": ["A greeting."], "openPoints": [], "preferences": []}'
NO_STREAM = Reply(
    status=400, body={"message": "no streams"}, headers={"x-amzn-errortype": "ValidationException"}
)
OWN_PROFILE = f"arn:aws:bedrock:{HERE}:application-inference-profile/abc123"
# One model of each provider that the template names, by itself and behind a profile, on every host.
MODELS = (
    "openai.gpt-oss-20b-1:0",
    "anthropic.claude-opus-5-5",
    "amazon.nova-lite-v1:0",
    "us.openai.gpt-5.6-sol",
    "us.anthropic.claude-opus-5-5",
    "us.amazon.nova-lite-v1:0",
    "openai.gpt-5.5",
    {"model": OWN_PROFILE, "api": "converse"},
)


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


def use_invoke_model(product: Deployed) -> None:
    with ModelServer() as model, environment(MODEL_SOURCE="openai_compatible", MODEL_URL=model.url):
        aws("secretsmanager").create_secret(Name="freehold-model-key", SecretString="sk-1")
        product.admin.call("PUT", "/agents/helper", desk())
        run_id = product.start(LARGE)["runId"]
        watch(run_id)
        event = {
            "run": {"tenant": TENANT, "id": run_id, "execution": 1},
            "failed": [],
            "attempt": 0,
            "events": 0,
            "compact": True,
        }

        def overtaken(request: object) -> Reply:
            """Another invocation has written the lap by the time the model answers."""
            product.add_lap(run_id, "quicker")
            return say(LARGE)

        model.script([overtaken])
        forget()
        invoke("invoke_model", event)
        # By now something stands for the first lap, so that the run is read by itself.
        compact(event["run"]["id"])
        model.script([say("Hello.")])
        invoke("invoke_model", event)

    def ask(run_id: str) -> None:
        run = {"tenant": TENANT, "id": run_id, "execution": 1}
        invoke("invoke_model", {"run": run, "failed": [], "attempt": 0, "events": 0, "compact": True})

    ask_bedrock(product, "invoke_model", ask)


def watch(run_id: str) -> None:
    key = RunKey.parse(TENANT, run_id)
    assert key is not None
    wiring.live_texts().watch(key, until=wiring.now() + 60_000)


def compact(run_id: str) -> None:
    key = RunKey.parse(TENANT, run_id)
    assert key is not None
    run = wiring.sessions().run(key)
    assert run is not None
    begins = Place(key.turn, 1)
    made = Compaction(key.turn, 1, "c1", wiring.now(), begins, "It was greeted.", "scripted", Usage(), 5)
    wiring.sessions().add_compaction(made, replace(run, rev=run.rev + 1), before=run)


def use_summarize_memory(product: Deployed) -> None:
    def ask(run_id: str) -> None:
        product.finish(run_id, text="Hello.")
        forget()
        run = {"tenant": TENANT, "id": run_id, "execution": 1}
        invoke("summarize_memory", {"run": run, "step": "memory", "attempt": 0})

    with ModelServer() as model, environment(MODEL_SOURCE="openai_compatible", MODEL_URL=model.url):
        aws("secretsmanager").create_secret(Name="freehold-model-key", SecretString="sk-1")
        product.admin.call("PUT", "/agents/helper", desk() | REMEMBERS)
        model.script([say(NOTES)])
        ask(product.start(LARGE, memoryId="m")["runId"])

    ask_bedrock(product, "summarize_memory", ask)


def ask_bedrock(product: Deployed, function: str, ask: Callable[[str], None]) -> None:
    """Have the function ask each of the models about a run."""
    keys = Credentials(*boto3.Session().get_credentials().get_frozen_credentials())
    with BedrockServer(keys, "us-east-1") as bedrock:
        for number, model in enumerate(MODELS):
            with environment(MODEL_SOURCE="catalog", **bedrock.environment):
                product.admin.call("PUT", "/agents/helper", desk() | REMEMBERS | {"foundationModel": model})
                # Laps are asked for as streams, and whole where there is none.
                bedrock.script([*([NO_STREAM] if function == "invoke_model" else []), say(NOTES)])
                ask(product.start(sessionId=f"m{number}", memoryId="m")["runId"])
        for request in bedrock.received:
            # Converse goes through boto3 and is in the list already.
            if "/responses" in request.path:
                asked = {"modelId": request.json["model"]}
                operation = "ResponsesStream" if request.json.get("stream") else "Responses"
                REQUESTS.made.append(Request(function, f"bedrock-{request.host}", operation, asked))


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

    # One by its tag, which `desk` carries, and one by the stack's list.
    listed = desk(agentName="listed")
    listed["actionGroups"][0]["actionGroupExecutor"] = {"lambda": LISTED_TOOL}
    product.admin.call("PUT", "/agents/listed", listed)
    forget()
    call(0, answered(200, body))
    with pytest.raises(ToolThrottled):
        call(1, answered(429, {}, {"x-amzn-errortype": "TooManyRequestsException"}))
    call(2, take_the_mark)
    replayed, run_id = run_id, product.start(agent="listed", sessionId="listed")["runId"]
    product.add_lap(run_id, "", calls=calls, stop="tools")
    call(0, answered(200, body))
    # A replay has its answer from the run that it replays.
    run_id = replayed_by(product, replayed)
    product.add_lap(run_id, "", calls=calls, stop="tools")
    call(0, answered(200, body))
    ask_over_http(product)


def ask_over_http(product: Deployed) -> None:
    """With a key from the tenant's secret, and with a signature."""
    aws("secretsmanager").create_secret(Name=f"freehold/tools/{TENANT}/shop", SecretString="k-1")
    with HttpsServer(tls=False) as server, environment(TOOLS_MAY_USE_LOOPBACK="true"):
        product.admin.call("PUT", "/agents/web", over_http(f"http://127.0.0.1:{server.port}"))
        run_id = product.start(agent="web", sessionId="web")["runId"]
        product.add_lap(run_id, "", calls=(Call("getOrders", "{}"),), stop="tools")
        run = {"tenant": TENANT, "id": run_id, "execution": 1}
        invoke("run_tool", {"run": run, "lap": 1, "call": 0, "attempt": 0})
        assert [came.headers["x-api-key"] for came in server.received] == ["k-1"]
    asked = Asked("GET", "https://abc123.execute-api.us-east-1.amazonaws.com/prod/orders", {}, None)
    auth = Auth("sigv4", service="execute-api", region="us-east-1")
    signed = wiring.tool_auth().credentials(Server(asked.url, auth), TENANT, asked, deadline=0)
    assert "execute-api/aws4_request" in dict(signed.headers)["authorization"]
    REQUESTS.made.append(Request("run_tool", "execute-api", "Invoke", {"arn": "abc123/prod/GET/orders"}))


def replayed_by(product: Deployed, replayed: str, **more: Any) -> str:
    """The id of a new run that replays another one."""
    run_id = product.start(sessionId="replay", **more)["runId"]
    (item,) = [item for item in product.items("sessions") if run_id == run_of(item)]
    product.client.put_item(TableName="sessions", Item=item | {"replays": {"S": replayed}})
    return run_id


def use_run_mcp_tool(product: Deployed) -> None:
    with mcp.serving(product) as server:
        server.answer = lambda *_: text(LARGE)
        large = Call("echo", json.dumps({"text": LARGE}))
        product.admin.call("PUT", "/agents/reader", mcp.agent(server))
        run_id = product.start(agent="reader")["runId"]
        product.add_lap(run_id, "", calls=(large, large, large), stop="tools")
        forget()
        mcp.call(run_id)
        server.instead = lambda _: Response(status_code=503)
        with pytest.raises(ToolUnavailable):
            mcp.call(run_id, 1)

        def take_the_mark(*_: object) -> dict[str, Any]:
            """The call's mark is gone by the time the tool has answered."""
            (item,) = [item for item in product.items("sessions") if item["kind"]["S"] == "marker"]
            product.client.put_item(TableName="sessions", Item=item | {"marked_by": {"S": "somebody else"}})
            return text(LARGE)

        server.instead, server.answer = (lambda _: None), take_the_mark
        mcp.call(run_id, 2)
        replay = replayed_by(product, run_id, agent="reader")
        product.add_lap(replay, "", calls=(large,), stop="tools")
        mcp.call(replay)
    REQUESTS.made.append(Request("run_mcp_tool", "execute-api", "Invoke", {"arn": "abc123/prod/POST/mcp"}))


def over_http(url: str) -> dict[str, Any]:
    """An agent with one operation of that server."""
    auth = {"type": "apiKey", "secret": "shop", "name": "X-Api-Key"}
    answers = {"200": {"description": "ok"}}
    orders = {"get": {"operationId": "getOrders", "responses": answers}}
    document = {
        "openapi": "3.0.3",
        "info": {"title": "Shop", "version": "1"},
        "paths": {"/orders": orders},
    }
    group = {
        "actionGroupName": "shop",
        "apiSchema": {"payload": json.dumps(document)},
        "actionGroupExecutor": {"http": {"baseUrl": url, "auth": auth}},
    }
    return desk() | {"agentName": "web", "actionGroups": [group]}


def run_of(item: dict[str, Any]) -> str | None:
    """The id of the run that the item is."""
    if item["kind"]["S"] != "run":
        return None
    return keys.run_of(item["pk"]["S"], item["sk"]["S"]).run_id


def use_finish_run(product: Deployed) -> None:
    product.admin.call("PUT", "/agents/fast", desk() | {"agentName": "fast", "executionMode": "fast"})
    for name in ("helper", "fast"):
        first = product.start(LARGE, agent=name, sessionId=name)["runId"]
        product.start(LARGE, agent=name, sessionId=name, whenBusy="enqueue")
        forget()
        invoke("finish_run", {"run": {"tenant": TENANT, "id": first, "execution": 1}, "step": "continue"})
        done = {"status": "STOPPED", "reason": "maxLaps"}
        invoke("finish_run", {"run": {"tenant": TENANT, "id": first, "execution": 2}, "outcome": done})
    for run_id in begun_by_messages(product):
        product.finish(run_id)
    people.at_work(product)
    people.escalate(product)
    parent, child = people.delegate(product, "delegated")
    product.finish(child)
    assert product.admin.call("GET", f"/runs/{parent}").body["status"] == "RUNNING"


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
    answer_late(product)
    tell_again(product)
    retire(product)


def answer_late(product: Deployed) -> None:
    """Runs that have ended and whose end is not announced."""
    for run_id in begun_by_messages(product):
        product.finish(run_id)
        (item,) = [item for item in product.items("sessions") if run_of(item) == run_id]
        untold = {
            "undelivered": {"BOOL": True},
            "open_shard": {"S": keys.open_shard(keys.run_of(item["pk"]["S"], item["sk"]["S"]))},
            "announced": {"BOOL": False},
            "finished_at": {"N": str(wiring.now() - 60_000)},
        }
        product.client.put_item(TableName="sessions", Item=item | untold)
    assert invoke("sweep", SCHEDULE)["delivered"] == 3


def tell_again(product: Deployed) -> None:
    """Runs that were parked and not announced; and one whose time is over, with another agent's that it waits for."""
    people.at_work(product)
    people.escalate(product)
    people.delegate(product, "delegated")
    for item in parked(product):
        shard = {"open_shard": {"S": keys.open_shard(keys.run_of(item["pk"]["S"], item["sk"]["S"]))}}
        earlier = {"N": str(wiring.now() - 60_000)}
        untold = {
            "undelivered": {"BOOL": True},
            "announced": {"BOOL": False},
            "parked_at": earlier,
            "children": {"L": []},
        }
        product.client.put_item(TableName="sessions", Item=item | shard | untold)
    assert invoke("sweep", SCHEDULE)["delivered"] == 3
    for item in product.items("sessions"):
        if item["kind"]["S"] == "parked":
            due = {"due_at": {"N": "1"}, "listed_at": {"S": keys.listed_at(1, "x")}}
            product.client.put_item(TableName="sessions", Item=item | due)
    for item in parked(product):
        product.client.put_item(TableName="sessions", Item=item | {"waits_until": {"N": "1"}})
    assert invoke("sweep", SCHEDULE)["expired"] == 3


def parked(product: Deployed) -> list[dict[str, Any]]:
    return [item for item in product.items("sessions") if item.get("status") == {"S": "AWAITING"}]


def retire(product: Deployed) -> None:
    """A session expires, and the sweeper comes to the shard in which its lease lies."""
    run_id = product.start(LARGE, sessionId="expired")["runId"]
    watch(run_id)
    product.finish(run_id)
    items = product.items("sessions")
    (session,) = [
        item for item in items if item.get("session_id", {}).get("S") == "expired" and is_session(item)
    ]
    (lease,) = [item for item in items if is_lease_of(session, item)]
    product.client.put_item(TableName="sessions", Item=session | {"expires_at": {"N": "1"}})
    for _ in range(2):
        # Again where the minute has turned meanwhile.
        if come_due(product, lease)["retired"]:
            break
    else:
        raise AssertionError("nothing was retired")
    # Whoever asks for an erasure wants its replays looked for once more.
    erased = lease | {"erased_at": {"N": "1"}, "on_request": {"BOOL": True}}
    for _ in range(2):
        come_due(product, erased)


def come_due(product: Deployed, lease: dict[str, Any]) -> Any:
    """The lease, in the shard that the sweeper comes to now."""
    shard = {"open_shard": {"S": keys.leases(wiring.now() // 60_000 % SHARDS)}}
    due = {"due_at": {"N": "1"}, "listed_at": {"S": keys.listed_at(1, "x")}}
    product.client.put_item(TableName="sessions", Item=lease | shard | due)
    return invoke("sweep", SCHEDULE)


def is_session(item: dict[str, Any]) -> bool:
    return item["kind"]["S"] == "session"


def is_lease_of(session: dict[str, Any], item: dict[str, Any]) -> bool:
    return item["kind"]["S"] == "lease" and item["conversation"] == session["conversation"]


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
