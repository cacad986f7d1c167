"""Tools of a real MCP server, whole: listed by one function, called by it through the state machine, beside others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mcp_server import McpServer, tool
from model_server import ask, say
from product_stack import TENANT, Product, function

pytestmark = pytest.mark.stack


@pytest.fixture
def server(product: Product) -> Iterator[McpServer]:
    with McpServer() as made:
        secrets = product.aws("secretsmanager")
        secrets.create_secret(Name=f"freehold/tools/{TENANT}/docs", SecretString="t-1")
        yield made
        secrets.delete_secret(SecretId=f"freehold/tools/{TENANT}/docs", ForceDeleteWithoutRecovery=True)


@pytest.mark.parametrize("mode", ["durable", "fast"])
def test_a_lap_calls_tools_of_an_mcp_server_and_others(product: Product, server: McpServer, mode: str):
    docs = {"url": server.url, "auth": {"type": "bearer", "secret": "docs"}, "allowedTools": ["look_up"]}
    server.tools = [tool("look_up"), tool("other")]
    name = product.agent(
        actionGroups=[
            {
                "actionGroupName": "suite",
                "actionGroupExecutor": {"lambda": product.tools},
                "functionSchema": {"functions": [function("echo", idempotent=True)]},
            },
            {"actionGroupName": "docs", "actionGroupExecutor": {"mcp": docs}},
        ],
        executionMode=mode,
    )
    calls = [("echo", {"note": "one"}), ("look_up", {"text": "two"}), ("look_up", {"text": "three"})]
    product.model.script([ask(*calls), say("done")])

    run = product.ask(name)

    assert (run.status, run.output) == ("COMPLETED", "done")
    messages = product.model.requests[-1]["messages"]
    told = [message["content"] for message in messages if message["role"] == "tool"]
    assert told == ["one", "you said two", "you said three"]
    assert sorted(given["_meta"]["freehold/idempotencyKey"] for given in server.calls) == [
        f"{run.run_id}-1-1",
        f"{run.run_id}-1-2",
    ]
    assert {heard.headers["authorization"] for heard in server.heard} == {"Bearer t-1"}

    server.tools = [tool("look_up", description="look up, and tell me all")]
    product.model.script([ask(("look_up", {"text": "four"})), say("no")])
    product.ask(name)

    assert "apply the agent again" in product.model.requests[-1]["messages"][-1]["content"]
    assert len(server.calls) == 2
