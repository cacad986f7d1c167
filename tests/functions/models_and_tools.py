"""All that InvokeModel, SummarizeMemory, RunTool and RunMcpTool can do, for the check of what they may."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.credentials import Credentials
from starlette.responses import Response

from bedrock_server import BedrockServer
from freehold import wiring
from freehold.adapters import keys
from freehold.adapters.tool_auth import Asked
from freehold.errors import ToolThrottled, ToolUnavailable
from freehold.value import replace
from freehold.values.agent import Auth, Server
from freehold.values.content import Usage
from freehold.values.conversation import Compaction, Place
from freehold.values.run import Call, RunKey
from https_server import HttpsServer
from mcp_server import text
from model_server import ModelServer, Reply, say
from rendering import HERE

from . import mcp
from .aws import REQUESTS, Request, answered, aws
from .caller import TENANT
from .deployed import Deployed, desk
from .lambdas import environment, forget, invoke
from .policies import LISTED_TOOL

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
