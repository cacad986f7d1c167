"""The product on the local stack, with a scripted model server and the suite's own tools."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from freehold.adapters.api_keys import SCOPES, ApiKeys
from freehold.adapters.table import Table
from freehold_cli.local.stack import LocalStack
from freehold_cli.local_start import LOCAL_ANSWERS
from freehold_client import Freehold, Run
from model_server import ModelServer

ROOT = Path(__file__).parents[2]
TENANT = "suite"
# Short enough that a test can wait for a mark to run out: RunTool's own time plus the tool's.
RUN_TOOL_SECONDS = 20
TEXT = {"type": "string"}
# The queue of those who take conversations over.
PEOPLE = "people.fifo"
# Where those who ask by message have their answers sent.
ANSWERS = "answers.fifo"


@dataclass(frozen=True)
class Product:
    """One running stack in `home`. `tools` is the ARN of the suite's tool Lambda, `aws` makes boto3 clients for it."""

    stack: LocalStack
    outputs: dict[str, str]
    api: Freehold
    url: str
    model: ModelServer
    tools: str
    effects_table: str
    home: Path
    _clients: dict[str, Any] = field(default_factory=dict[str, Any], repr=False)

    def aws(self, service: str) -> Any:
        # A client takes longer to make than most of what is done with it.
        return self._clients.get(service) or self._clients.setdefault(service, self.stack.aws.client(service))

    def agent(self, *functions: dict[str, Any], **configuration: Any) -> str:
        """Apply an agent with a name of its own whose functions the suite's tools answer."""
        name = f"agent-{uuid.uuid4().hex[:10]}"
        group = {
            "actionGroupName": "suite",
            "actionGroupExecutor": {"lambda": self.tools},
            "functionSchema": {"functions": list(functions or (function("echo", idempotent=True),))},
        }
        given = {"agentName": name, "foundationModel": {"model": "scripted", "api": "openai_compatible"}}
        self.api.agents.apply(given | {"instruction": "Do.", "actionGroups": [group]} | configuration)
        return name

    def ask(self, agent: str, text: str = "go", **more: Any) -> Run:
        """Start a run and wait for its end."""
        return self.api.runs.wait(self.api.runs.start(agent, text, **more).run_id)

    def effects(self) -> list[dict[str, str]]:
        """What the tools did, in no order: `{key, function, note}` of every invocation."""
        pages = (
            self.aws("dynamodb")
            .get_paginator("scan")
            .paginate(TableName=self.effects_table, ConsistentRead=True)
        )
        found = [item for page in pages for item in page["Items"]]
        return [{name: value["S"] for name, value in item.items()} for item in found]

    def effects_of(self, run_id: str) -> list[dict[str, str]]:
        return [effect for effect in self.effects() if effect["key"].startswith(f"{run_id}-")]

    def items_of(self, run_id: str) -> list[dict[str, Any]]:
        """The run's items as they lie in the table, plain values, in key order."""
        conversation, _, turn = run_id.rpartition("-")
        table = Table(self.aws("dynamodb"), self.outputs["SessionsTable"])
        return list(table.query(f"CONV#{TENANT}#{conversation}", prefix=f"RUN#{int(turn):06d}"))


def function(name: str, **more: Any) -> dict[str, Any]:
    """A function schema with an optional `note` and `times`."""
    schema = {"type": "object", "properties": {"note": TEXT, "times": {"type": "integer"}}}
    return {"name": name, "description": f"{name} a note", "inputSchema": schema} | more


def eventually(seen: Callable[[], Any], seconds: float = 30.0) -> Any:
    """What `seen` returns once it is true. Fails after `seconds`."""
    until = time.monotonic() + seconds
    while not (found := seen()):
        assert time.monotonic() < until, f"waited {seconds} s in vain"
        time.sleep(0.05)
    return found


def share_build(home: Path) -> None:
    """Make a stack's home whose installed dependencies are those of `.freehold/`, so that they are installed once."""
    shared = ROOT / ".freehold" / "build"
    shared.mkdir(parents=True, exist_ok=True)
    home.mkdir(parents=True, exist_ok=True)
    (home / "build").symlink_to(shared)


@contextmanager
def running_product(home: Path, **parameters: str) -> Iterator[Product]:
    """Start, deploy and stop the product under `home`."""
    share_build(home)
    stack = LocalStack(home, ROOT)
    with ModelServer() as model:
        given = {
            "ModelSource": "openai_compatible",
            "ModelUrl": model.url,
            "EscalationTargets": f"arn:aws:sqs:us-east-1:000000000000:{PEOPLE}",
            "ReplyTargets": f"arn:aws:sqs:us-east-1:000000000000:{ANSWERS},{LOCAL_ANSWERS}",
        } | parameters
        try:
            # Servers that tools ask are the suite's own.
            info = stack.start(parameters=given, progress=lambda _: None, tools_on_loopback=True)
            tools = stack.deploy(Path(__file__).parent / "tools", "suite-tools")
            keys = ApiKeys(Table(stack.aws.client("dynamodb"), info.outputs["AgentsTable"]))
            key = keys.create(tenant=TENANT, name="suite", scopes=SCOPES, now=int(time.time()))
            with Freehold(info.url, key.text) as api:
                arn, effects = tools["ToolsArn"], tools["Effects"]
                yield Product(stack, info.outputs, api, info.url, model, arn, effects, home)
        finally:
            stack.stop()
