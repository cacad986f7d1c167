"""A deployment: tables, bucket, bus and state machines, and what tests do with them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from moto import mock_aws
from samtranslator.yaml_helper import yaml_parse

from freehold import wiring
from freehold.adapters.api_keys import SCOPES, ApiKeys
from freehold.adapters.table import Table
from freehold.values.model import Usage
from freehold.values.run import Call, Lap, RunKey

from . import queues
from .aws import aws, default_session
from .caller import TENANT, Caller
from .lambdas import ROOT, environment, invoke


def agent(name: str = "helper", **changes: Any) -> dict[str, Any]:
    """An agent configuration with one function."""
    tool = {"name": "look_up", "description": "Look something up", "parameters": {"id": {"type": "string"}}}
    group = {
        "actionGroupName": "desk",
        "actionGroupExecutor": {"lambda": "arn:aws:lambda:us-east-1:123456789012:function:desk"},
        "functionSchema": {"functions": [tool]},
    }
    plain = {
        "agentName": name,
        "foundationModel": "openai.gpt-5.5-v1",
        "instruction": "Help.",
        "actionGroups": [group],
    }
    return plain | changes


def remembering(name: str = "helper", **changes: Any) -> dict[str, Any]:
    """An agent with memory."""
    return agent(name, memoryConfiguration={"enabledMemoryTypes": ["SESSION_SUMMARY"]}, **changes)


FUNCTIONS = [
    {
        "name": "look_up",
        "description": "Look up",
        "parameters": {"id": {"type": "string"}},
        "idempotent": True,
    },
    {"name": "pay", "description": "Pay", "parameters": {"amount": {"type": "integer"}}},
]


def desk(**changes: Any) -> dict[str, Any]:
    """An agent whose model is the scripted server's."""
    given = agent(foundationModel={"model": "scripted", "api": "openai_compatible"}, **changes)
    given["actionGroups"][0]["functionSchema"] = {"functions": FUNCTIONS}
    return given


ARGUMENTS = {
    "ask_user": '{"question": "Which order?"}',
    "escalate_to_human": '{"reason": "a dispute", "summary": "refund of 900"}',
}
WAITING = {
    "actionGroupName": "waiting",
    "actionGroupExecutor": {"lambda": "arn:aws:lambda:us-east-1:123456789012:function:desk"},
    "functionSchema": {
        "functions": [
            {"name": "confirm", "description": "Do", "requireConfirmation": True},
            {"name": "approve", "description": "Do", "requireApproval": True},
            {"name": "both", "description": "Do", "requireConfirmation": True, "requireApproval": True},
        ]
    },
}
RETURNING = {
    "actionGroupName": "returning",
    "actionGroupExecutor": {"customControl": "RETURN_CONTROL"},
    "functionSchema": {"functions": [{"name": "return", "description": "Do"}]},
}
ASKING = {"actionGroupName": "asking", "parentActionGroupSignature": "AMAZON.UserInput"}


def waiting(**changes: Any) -> dict[str, Any]:
    """An agent whose tools wait for somebody; each is named for what it does then, and takes anything."""
    groups = [*agent()["actionGroups"], WAITING, RETURNING, ASKING]
    return agent(actionGroups=groups, escalation={"enabled": True}) | changes


@dataclass
class Deployed:
    """One deployment. `admin` may do everything in the tenant."""

    client: Any
    s3: Any
    admin: Caller = field(default_factory=Caller)

    def scoped(self, *scopes: str) -> Caller:
        return Caller(scopes=scopes)

    def other_tenant(self, *scopes: str) -> Caller:
        return Caller("globex", scopes or SCOPES)

    def keys(self) -> ApiKeys:
        return ApiKeys(Table(self.client, "agents"))

    def items(self, table: str) -> list[dict[str, Any]]:
        """Every item of a table, so that tests can say: nothing changed."""
        found = self.client.scan(TableName=table, ConsistentRead=True)["Items"]
        return sorted(found, key=lambda item: (item["pk"]["S"], item["sk"]["S"]))

    def started(self) -> list[str]:
        """Names of the executions that were started."""
        arn = "arn:aws:states:us-east-1:123456789012:stateMachine:freehold-agent-loop"
        found = [
            aws("stepfunctions").list_executions(stateMachineArn=machine)["executions"]
            for machine in (arn, f"{arn}-fast")
        ]
        return sorted(execution["name"] for executions in found for execution in executions)

    def start(self, text: str = "hello", agent: str = "helper", **more: Any) -> dict[str, Any]:
        """Start a run and give its ids."""
        answer = self.admin.call("POST", f"/agents/{agent}/runs", {"input": text, **more})
        assert answer.status == 202, answer.text
        return answer.body

    def park(self, *calls: str, text: str = "I have to.", **more: Any) -> dict[str, Any]:
        """A run that waits for these tools of a `waiting` agent, as the API shows it."""
        run_id = self.start(**more)["runId"]
        self.park_begun(run_id, *calls, text=text)
        return self.admin.call("GET", f"/runs/{run_id}").body

    def park_begun(self, run_id: str, *calls: str, text: str = "", tenant: str = TENANT) -> None:
        """What the state machine does of a run whose first lap waits for somebody."""
        made = tuple(Call(name, ARGUMENTS.get(name, "{}")) for name in calls)
        self.add_lap(run_id, text, tenant=tenant, calls=made, stop="tools")
        run = {"tenant": tenant, "id": run_id, "execution": 1}
        assert invoke("finish_run", {"run": run, "step": "park"}) == {"step": "parked"}

    def finish(
        self, run_id: str, *, tenant: str = TENANT, text: str | None = None, execution: int = 1
    ) -> None:
        """What the state machine does at the end; with `text`, after one lap that says so."""
        run = {"tenant": tenant, "id": run_id, "execution": execution}
        if text is not None:
            self.add_lap(run_id, text, tenant=tenant)
        invoke("finish_run", {"run": run, "outcome": {"status": "COMPLETED", "reason": None}})

    def add_lap(self, run_id: str, text: str, *, tenant: str = TENANT, **more: Any) -> None:
        key = RunKey.parse(tenant, run_id)
        assert key is not None
        given = {"calls": (), "usage": Usage(10, 2), "duration_ms": 5, "stop": "end"} | more
        lap = Lap(lap=1, id="lap1", at=wiring.now(), model="scripted", text=text, **given)
        wiring.sessions().add_lap(key, lap)


@cache
def tables() -> tuple[dict[str, Any], ...]:
    """The tables as the template has them."""
    resources = yaml_parse((ROOT / "template.yaml").read_text())["Resources"]
    kept = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
    kinds = {"sessions": "SessionsTable", "agents": "AgentsTable", "events": "EventsTable"}
    return tuple(
        {
            "TableName": name,
            **{key: value for key, value in resources[resource]["Properties"].items() if key in kept},
        }
        for name, resource in kinds.items()
    )


@contextmanager
def deployed() -> Iterator[Deployed]:
    with mock_aws(config={"core": {"reset_boto3_session": False}}), default_session(), environment():
        for table in tables():
            aws("dynamodb").create_table(**table)
        for bucket in ("content", "schemas", "private"):
            aws("s3").create_bucket(Bucket=bucket)
        aws("events").create_event_bus(Name="freehold")
        aws("scheduler").create_schedule_group(Name="freehold")
        for name in ("freehold-agent-loop", "freehold-agent-loop-fast"):
            definition = '{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}'
            role = "arn:aws:iam::123456789012:role/loop"
            aws("stepfunctions").create_state_machine(name=name, definition=definition, roleArn=role)
        queues.make()
        yield Deployed(aws("dynamodb"), aws("s3"))
