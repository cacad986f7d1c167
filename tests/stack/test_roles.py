"""The product where roles count: MiniStack with AUTH=true judges each request of a Lambda by its role, tags included.

Elsewhere on the local stack nobody is refused anything, and tests/functions compares requests with policies as they
stand in the template.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from freehold.adapters.api_keys import SCOPES, ApiKeys
from freehold.adapters.table import Table
from freehold_cli.local.deployment import deploy
from local_server import Server, eventually
from model_server import ModelServer, ask, say
from product_stack import ROOT, function

pytestmark = pytest.mark.stack

TOOLS = """
Transform: AWS::Serverless-2016-10-31
Globals: {Function: {Runtime: python3.13, Handler: app.handler, CodeUri: handler}}
Resources:
  Tagged: {Type: AWS::Serverless::Function, Properties: {Tags: {"freehold:tool": "true"}}}
  Otherwise: {Type: AWS::Serverless::Function, Properties: {Tags: {"freehold:tool": "yes", tool: "true"}}}
  Untagged: {Type: AWS::Serverless::Function, Properties: {}}
  Listed: {Type: AWS::Serverless::Function, Properties: {}}
Outputs:
  Tagged: {Value: !GetAtt Tagged.Arn}
  Otherwise: {Value: !GetAtt Otherwise.Arn}
  Untagged: {Value: !GetAtt Untagged.Arn}
  Listed: {Value: !GetAtt Listed.Arn}
"""
HANDLER = """
def handler(event, context):
    body = {"functionResponse": {"responseBody": {"TEXT": {"body": "it was called"}}}}
    answer = {"actionGroup": event["actionGroup"], "function": event["function"], **body}
    return {"messageVersion": "1.0", "response": answer}
"""
LARGE = "x" * 40_000


@dataclass
class Guarded:
    """The product on a local AWS that enforces roles. `tools` are ARNs by name, `people` that of a queue."""

    server: Server
    model: ModelServer
    key: str
    tools: dict[str, str]
    people: str

    def request(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        url = f"{self.server.aws.url}/restapis/{self.server.outputs['ApiId']}/v1/_user_request_{path}"
        headers = {"Authorization": f"Bearer {self.key}"}
        answer = httpx.request(method, url, headers=headers, json=body, trust_env=False, timeout=30)
        assert answer.is_success, answer.text
        return answer.json()

    def call(self, arn: str, name: str = "echo") -> dict[str, Any]:
        """The record of one call that a run makes of a tool, large texts on the way."""
        group = {
            "actionGroupName": "guarded",
            "actionGroupExecutor": {"lambda": arn},
            "functionSchema": {"functions": [function(name, idempotent=name == "echo")]},
        }
        agent = {"agentName": "guarded", "foundationModel": {"model": "scripted", "api": "openai_compatible"}}
        self.request("PUT", "/agents/guarded", agent | {"instruction": "Do.", "actionGroups": [group]})
        self.model.script([ask((name, {"note": LARGE})), say("Done.")])
        started = self.request("POST", "/agents/guarded/runs", {"input": LARGE})
        ended = eventually(lambda: self.ended(started["runId"]))
        assert ended["status"] == "COMPLETED", ended.get("error")
        items = self.request("GET", f"/sessions/{started['sessionId']}/items")["items"]
        (found,) = [item for item in items if item["kind"] == "call"]
        return found

    def topics(self, agent: str, memory_id: str) -> list[str]:
        """What the agent remembers of the only session in the memory."""
        (session,) = self.request("GET", f"/agents/{agent}/memories/{memory_id}")["sessions"]
        return session["topics"]

    def own(self, name: str) -> str:
        """The ARN of one of the product's own functions."""
        pages = self.server.aws.client("lambda").get_paginator("list_functions").paginate()
        (arn,) = [
            found["FunctionArn"]
            for page in pages
            for found in page["Functions"]
            if found["FunctionName"].startswith(f"freehold-{name}-")
        ]
        return arn

    def ended(self, run_id: str) -> dict[str, Any] | None:
        run = self.request("GET", f"/runs/{run_id}")
        return run if run["status"] not in ("QUEUED", "RUNNING", "AWAITING") else None


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    home = tmp_path_factory.mktemp("guarded")
    (home / "tools" / "handler").mkdir(parents=True)
    (home / "tools" / "template.yaml").write_text(TOOLS)
    (home / "tools" / "handler" / "app.py").write_text(HANDLER)
    build = ROOT / ".freehold" / "build"
    command = [sys.executable, "-m", "freehold_cli.local.ministack_server"]
    server = Server(home, command, {"AUTH": "true"})
    with ModelServer() as model:
        try:
            server.start()
            tools = deploy(home / "tools" / "template.yaml", "tools", server.aws, {}, build)
            source = {"ModelSource": "openai_compatible", "ModelUrl": model.url}
            people = _queue(server.aws.client("sqs"))
            parameters = source | {"ToolFunctions": tools["Listed"], "EscalationTargets": people}
            server.outputs = deploy(ROOT / "template.yaml", "freehold", server.aws, parameters, build)
            # This AWS speaks plain HTTP, which the bucket refuses as it should.
            server.aws.client("s3").delete_bucket_policy(Bucket=server.outputs["ContentBucket"])
            keys = ApiKeys(Table(server.aws.client("dynamodb"), server.outputs["AgentsTable"]))
            key = keys.create(tenant="guarded", name="suite", scopes=SCOPES, now=int(time.time()))
            yield Guarded(server, model, key.text, tools, people)
        finally:
            server.end(signal.SIGTERM)


def _queue(sqs: Any) -> str:
    url = sqs.create_queue(QueueName="people")["QueueUrl"]
    return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


@pytest.mark.parametrize("name", ["echo", "pay"])
@pytest.mark.parametrize("tool", ["Tagged", "Listed"])
def test_a_run_goes_through_with_the_roles_as_they_are(guarded: Guarded, tool: str, name: str):
    call = guarded.call(guarded.tools[tool], name)

    assert (call["outcome"], call["result"]) == ("success", "it was called")


def test_a_session_is_remembered_and_erased_with_the_roles_as_they_are(guarded: Guarded):
    model = {"model": "scripted", "api": "openai_compatible"}
    agent = {"agentName": "rememberer", "foundationModel": model, "instruction": "Do."}
    memory = {"memoryConfiguration": {"enabledMemoryTypes": ["SESSION_SUMMARY"]}}
    guarded.request("PUT", "/agents/rememberer", agent | memory)
    notes = {"topics": ["A greeting."], "openPoints": [], "preferences": []}
    guarded.model.script([say("Done."), say(json.dumps(notes))])

    begun = {"input": LARGE, "memoryId": "m"}
    session = guarded.request("POST", "/agents/rememberer/runs", begun)["sessionId"]
    told = eventually(lambda: guarded.topics("rememberer", "m"))
    erased = guarded.request("DELETE", f"/sessions/{session}")["erased"]

    assert told == ["A greeting."]
    assert (erased["sessions"], erased["runs"], erased["objects"], erased["summaries"]) == (1, 1, 1, 1)


def test_a_run_waits_for_people_and_another_agent_with_the_roles_as_they_are(guarded: Guarded):
    model = {"foundationModel": {"model": "scripted", "api": "openai_compatible"}, "instruction": "Do."}
    guarded.request("PUT", "/agents/expert", model | {"agentName": "expert"})
    group = {
        "actionGroupName": "guarded",
        "actionGroupExecutor": {"lambda": guarded.tools["Tagged"]},
        "functionSchema": {"functions": [function("pay", requireApproval=True)]},
    }
    waits = {
        "actionGroups": [group],
        "agentCollaborators": [{"agent": "expert", "collaborationInstruction": "Knows."}],
        "approvals": {"notRequester": False},
        "escalation": {"enabled": True, "target": guarded.people},
    }
    guarded.request("PUT", "/agents/waiting", model | {"agentName": "waiting"} | waits)
    dispute = {"reason": "a dispute", "summary": LARGE}
    calls = (("pay", {"note": "7"}), ("expert", {"message": LARGE}), ("escalate_to_human", dispute))
    guarded.model.script([ask(*calls), say("Found."), say("Done.")])
    begun = guarded.request("POST", "/agents/waiting/runs", {"input": "go"})
    run, session = begun["runId"], begun["sessionId"]

    def waiting(*kinds: str) -> dict[str, Any] | None:
        found = guarded.request("GET", f"/runs/{run}")
        return found if [each["kind"] for each in found.get("awaiting", [])] == list(kinds) else None

    (payment, _) = eventually(lambda: waiting("approval", "handback"))["awaiting"]
    guarded.request("POST", "/agents/waiting/runs", {"input": "hello?", "sessionId": session})
    guarded.request("POST", f"/sessions/{session}/hand-back", {"note": "settled"})
    approval = {name: payment[name] for name in ("callId", "argumentsDigest")} | {"decision": "approve"}
    guarded.request("POST", f"/runs/{run}/decisions", [approval])

    assert eventually(lambda: guarded.ended(run))["output"] == "Done."
    queue = guarded.server.aws.client("sqs")
    url = queue.get_queue_url(QueueName="people")["QueueUrl"]
    assert queue.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"][
        "ApproximateNumberOfMessages"
    ] in ("2", "3")


@pytest.mark.parametrize("tool", ["Untagged", "Otherwise"])
def test_a_function_that_is_no_tool_is_refused_and_the_model_told_what_to_do(guarded: Guarded, tool: str):
    call = guarded.call(guarded.tools[tool])

    assert call["outcome"] == "error"
    assert "tag its function with freehold:tool=true" in json.dumps(call)


def test_an_own_function_is_refused_whatever_its_tag(guarded: Guarded):
    ours = guarded.own("SweepFunction")
    guarded.server.aws.client("lambda").tag_resource(Resource=ours, Tags={"freehold:tool": "true"})

    call = guarded.call(ours)

    assert call["outcome"] == "error"
    assert "Freehold's own functions never may" in json.dumps(call)


def test_roles_are_enforced_here_at_all(guarded: Guarded):
    """Without its role a function may nothing, so a green run above means something."""
    iam = guarded.server.aws.client("iam")
    (name,) = [role["RoleName"] for role in iam.list_roles()["Roles"] if "-ApiRole-" in role["RoleName"]]
    policy = iam.get_role_policy(RoleName=name, PolicyName="calls")["PolicyDocument"]
    document = policy if isinstance(policy, str) else json.dumps(policy)
    iam.delete_role_policy(RoleName=name, PolicyName="calls")
    try:
        url = f"{guarded.server.aws.url}/restapis/{guarded.server.outputs['ApiId']}/v1/_user_request_/agents"
        headers = {"Authorization": f"Bearer {guarded.key}"}
        answer = httpx.get(url, headers=headers, trust_env=False, timeout=30)
    finally:
        iam.put_role_policy(RoleName=name, PolicyName="calls", PolicyDocument=document)

    assert not answer.is_success
