"""The suite for a stack that is deployed somewhere: `make e2e STACK=name`. It leaves nothing but its runs behind.

Your AWS settings lead to the stack, AWS_ENDPOINT_URL included. `URL=…` replaces the address in its outputs,
FREEHOLD_URL never: in a shell that has worked with one stack it would send the keys of another there.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from freehold.adapters.api_keys import SCOPES, ApiKeys, NewKey
from freehold.adapters.table import Table
from freehold.errors import Conflict
from freehold.values.access import AccessEntry, EntryKind
from freehold_cli.account import AwsAccount
from freehold_client import Freehold

# Apart from whoever uses the stack.
TENANT = "e2e"
HOUR = 3_600


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--stack", help="name of the deployed CloudFormation stack")
    parser.addoption("--url", help="its API's address, where that is not the one in the stack's outputs")
    parser.addoption("--model", default="rehearsal", help="the model that answers; rehearsal costs nothing")


@dataclass(frozen=True)
class Deployed:
    """The stack, its outputs and its address."""

    name: str
    outputs: dict[str, str]
    url: str
    keys: ApiKeys

    def key(self, *scopes: str) -> NewKey:
        """One that ends within the hour, should the suite be stopped before it revokes it."""
        now = int(time.time())
        return self.keys.create(tenant=TENANT, name="e2e", scopes=scopes, now=now, expires_at=now + HOUR)

    @contextmanager
    def let_in(self, kind: EntryKind, name: str, *scopes: str) -> Iterator[None]:
        """For as long as the block lasts. What leads to another tenant is left to it, and the test is skipped."""
        entries = AwsAccount({}).access(self.outputs["AgentsTable"])
        try:
            entries.grant(AccessEntry(kind, name, TENANT, int(time.time()), scopes))
        except Conflict as conflict:
            pytest.skip(str(conflict))
        try:
            yield
        finally:
            entries.revoke(kind, name, TENANT)

    def resources(self, kind: str) -> dict[str, str]:
        """The physical names of the stack's resources of that type, by logical id."""
        pages = (
            boto3.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=self.name)
        )
        found = (each for page in pages for each in page["StackResourceSummaries"])
        return {
            each["LogicalResourceId"]: each["PhysicalResourceId"]
            for each in found
            if each["ResourceType"] == kind
        }


@pytest.fixture(scope="session")
def deployed(request: pytest.FixtureRequest) -> Deployed:
    name = request.config.getoption("--stack", default=None)
    if not name:
        pytest.skip("needs a deployed stack: make e2e STACK=name")
    outputs = AwsAccount({}).outputs(name)
    url = request.config.getoption("--url") or outputs["ApiUrl"]
    return Deployed(name, outputs, url, ApiKeys(Table(boto3.client("dynamodb"), outputs["AgentsTable"])))


@pytest.fixture(scope="session")
def api(deployed: Deployed) -> Iterator[Freehold]:
    made = deployed.key(*SCOPES)
    try:
        with Freehold(deployed.url, made.text) as client:
            yield client
    finally:
        deployed.keys.revoke(TENANT, made.key_id)


@pytest.fixture(scope="session")
def tools(deployed: Deployed) -> Iterator[str]:
    """The ARN of a Lambda with the suite's two functions, in a stack that lasts as long as the suite."""
    # A name of its own: what an interrupted run left behind is in nobody's way.
    cloudformation, name = boto3.client("cloudformation"), f"e2e-{uuid.uuid4().hex[:8]}-of-{deployed.name}"
    body = (Path(__file__).parent / "tools.yaml").read_text()
    cloudformation.create_stack(StackName=name, TemplateBody=body, Capabilities=["CAPABILITY_IAM"])
    try:
        cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 2})
        yield AwsAccount({}).outputs(name)["ToolsArn"]
    finally:
        cloudformation.delete_stack(StackName=name)


@pytest.fixture(scope="session", params=["durable", "fast"])
def agent(request: pytest.FixtureRequest, api: Freehold, tools: str) -> Iterator[str]:
    """An agent for parcels in each mode."""
    name = f"e2e-{request.param}-{int(time.time())}"
    parcel = {"parcel": {"type": "string", "description": "Its number, such as P-7", "required": True}}
    functions: list[dict[str, Any]] = [
        {"name": "parcel_weight", "description": "Tell the weight of a parcel", "parameters": parcel},
        {"name": "await_courier", "description": "Wait until the courier has come"},
    ]
    group = {
        "actionGroupName": "parcels",
        "actionGroupExecutor": {"lambda": tools},
        "functionSchema": {
            "functions": [each | {"idempotent": True, "timeoutSeconds": 20} for each in functions]
        },
    }
    model = request.config.getoption("--model")
    api.agents.apply(
        {
            "agentName": name,
            "foundationModel": model,
            "instruction": "You know parcels. Use a tool for every answer, and answer in one sentence.",
            "actionGroups": [group],
            "executionMode": request.param,
            "limits": {"maxLaps": 6, "timeoutSeconds": 120},
        }
    )
    yield name
    api.agents.delete(name)
