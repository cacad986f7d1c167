"""The run protocol on a real DynamoDB API (moto), with a scripted model, scripted tools and a clock that tests turn."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from threading import RLock
from typing import Any, Literal, cast

import boto3
from samtranslator.yaml_helper import yaml_parse

from freehold.adapters.agents import DynamoAgents
from freehold.adapters.argument_check import check_arguments
from freehold.adapters.contents import Contents
from freehold.adapters.conversations import DynamoConversations
from freehold.adapters.lists import Lists
from freehold.adapters.live_texts import DynamoLiveTexts
from freehold.adapters.memories import DynamoMemories
from freehold.adapters.records import Records
from freehold.adapters.scripted import ScriptedModel
from freehold.adapters.sessions import DynamoSessions
from freehold.adapters.table import Table
from freehold.adapters.waits import DynamoWaits
from freehold.approving import Asked, Decider
from freehold.beginning import BeginCollaborators, Request, begin_run, start_run
from freehold.decide import Step
from freehold.deciding import decide_call
from freehold.ending import EndCollaborators, Ending, cancel_run, finish_run
from freehold.erasing import ErasingCollaborators
from freehold.errors import FreeholdError
from freehold.parking import ParkCollaborators, park_run
from freehold.receiving import ReceiveCollaborators, receive
from freehold.summarizing import SummaryCollaborators, SummaryInvocation, summarize
from freehold.sweeping import Swept, sweep
from freehold.tool_call import ToolCollaborators, ToolInvocation, run_tool
from freehold.turn import Collaborators, Invocation, take_turn
from freehold.value import replace
from freehold.values.agent import Agent, Argument, Limits, ModelChoice, Tool
from freehold.values.decision import Verdict
from freehold.values.history import History
from freehold.values.model import ModelEntry, Price
from freehold.values.run import Principal, Run, RunKey
from memory_table import MemoryTable

ROOT = Path(__file__).parents[2]
TENANT = "acme"
START = 1_800_000_000_000


def tool(name: str = "look_up", **changes: Any) -> Tool:
    schema = {
        "type": "object",
        "properties": {"id": {"type": "string"}},
        "required": ["id"],
        "additionalProperties": False,
    }
    plain = Tool(
        name=name,
        description=f"{name} something",
        input_schema=schema,
        action_group="group",
        arguments=(Argument("id", "id", "string", "function"),),
        lambda_arn=f"arn:aws:lambda:us-east-1:123456789012:function:{name}",
        idempotent=True,
        function=name,
    )
    return replace(plain, **changes)


def agent(*tools: Tool, **limits: Any) -> Agent:
    return Agent("helper", ModelChoice("scripted"), "Help.", tools or (tool(),), limits=Limits(**limits))


def answer(body: str = "found it", **more: Any) -> dict[str, Any]:
    """What a function-schema Lambda returns."""
    response = {"responseBody": {"TEXT": {"body": body}}} | more.pop("function_response", {})
    return {"messageVersion": "1.0", "response": {"functionResponse": response}, **more}


@dataclass
class FakeTools:
    """Answers by function name; an answer may be an error to raise or something to call with the event."""

    answers: dict[str, Any] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)

    def invoke(self, arn: str, event: Mapping[str, Any], *, timeout_seconds: int) -> Any:
        self.events.append(dict(event))
        given = self.answers.get(arn.rpartition(":")[2], answer())
        given = given(event) if callable(given) else given
        if isinstance(given, Exception):
            raise given
        return given


@dataclass
class FakeExecutions:
    """Keeps the names of the executions that were started."""

    started: list[str] = field(default_factory=list)
    summaries: list[str] = field(default_factory=list)
    states: dict[str, Any] = field(default_factory=dict)

    def start(self, run: Run) -> None:
        self.started.append(f"{run.key.run_id}-{run.execution}")

    def summarize(self, run: Run) -> None:
        self.summaries.append(f"{run.key.run_id}-s{run.summary_attempts}")

    def state(self, run: Run) -> Any:
        return self.states.get(f"{run.key.run_id}-{run.execution}", "alive")


@dataclass
class FakeEvents:
    published: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    error: FreeholdError | None = None

    def publish(self, detail_type: str, detail: Mapping[str, Any]) -> None:
        if self.error:
            raise self.error
        self.published.append((detail_type, dict(detail)))


@dataclass
class FakeNotices:
    sent: list[tuple[str, dict[str, Any], str, str]] = field(default_factory=list)
    error: FreeholdError | None = None

    def send(self, target: str, notice: Mapping[str, Any], *, group: str, notice_id: str) -> None:
        if self.error:
            raise self.error
        self.sent.append((target, dict(notice), group, notice_id))


@dataclass
class FakeReplies:
    sent: list[tuple[str, dict[str, Any], str, str]] = field(default_factory=list)
    error: FreeholdError | None = None

    def send(self, target: str, reply: Mapping[str, Any], *, group: str, reply_id: str) -> None:
        if self.error:
            raise self.error
        self.sent.append((target, dict(reply), group, reply_id))


@dataclass
class OneModel:
    """`Models` that always chooses the same model."""

    model: Any
    price: Price | None

    def choose(self, choice: ModelChoice) -> tuple[Any, ModelEntry]:
        return self.model, ModelEntry("scripted", "scripted", price=self.price)


class World:
    """One table, one bucket, one clock. Everything in it is the product's own but model, tools, loop and bus."""

    def __init__(self, client: Any, s3: Any, price: Price | None) -> None:
        self.client, self.clock, self.ids = client, START, itertools.count(1)
        table, bucket = Table(client, "sessions"), Contents(s3, "content")
        records = Records(bucket, retention_seconds=90 * 86_400)
        self.table, self.contents = table, bucket
        self.sessions, self.lists = DynamoSessions(table, records), Lists(table, records)
        self.waits, self.memories = DynamoWaits(table, records), DynamoMemories(table, records)
        self.agents = DynamoAgents(Table(client, "agents"), bucket)
        self.live = DynamoLiveTexts(Table(cast(Any, MemoryTable()), "events"))
        self.conversations = DynamoConversations(table, records, bucket, self.live)
        self.tools, self.executions, self.events = FakeTools(), FakeExecutions(), FakeEvents()
        self.http_tools: Any = None
        self.mcp_tools: Any = None
        self.notices, self.replies = FakeNotices(), FakeReplies()
        self.price = price
        self.reported: list[tuple[RunKey, Exception]] = []
        self.model: Any = ScriptedModel()

    # -- what happens

    def now(self) -> int:
        return self.clock

    def pass_time(self, seconds: float) -> None:
        self.clock += int(seconds * 1000)

    def new_id(self) -> str:
        return f"id{next(self.ids):030d}"

    def apply(self, agent: Agent) -> None:
        self.agents.apply(TENANT, agent, {}, (), now=self.clock)

    def ask(self, text: str = "hello", session: str = "s1", **changes: Any) -> Run:
        """Begin a run and start its first execution."""
        given = {"alias": None, "tenant": TENANT, "agent": "helper", "principal": Principal("key", "k1")}
        request = Request(session_id=session, input=text, trigger="test", **(given | changes))
        run = begin_run(request, self.beginning())
        return start_run(run, self.sessions, self.executions, now=self.clock)

    def beginning(self) -> BeginCollaborators:
        def pin(request: Request, session: Any) -> Any:
            return self.agents.pin(request.tenant, request.agent, request.alias, request.session_id, session)

        def conversation() -> str:
            return f"C{next(self.ids):025d}"

        return BeginCollaborators(self.sessions, pin, self.now, conversation, lambda attempt: None)

    def turn(self) -> Collaborators:
        models = OneModel(self.model, self.price)
        return Collaborators(
            self.sessions,
            self.memories,
            self.agents,
            models,
            self.live,
            check_arguments,
            self.now,
            self.new_id,
        )

    def invoke_model(self, run: Run, **more: Any) -> Step:
        return take_turn(Invocation(run.key, more.pop("execution", run.execution or 1), **more), self.turn())

    def tool_collaborators(self) -> ToolCollaborators:
        return ToolCollaborators(
            self.sessions,
            self.agents,
            self.tools,
            lambda: self.http_tools,
            lambda: self.mcp_tools,
            self.now,
            self.new_id,
        )

    def run_tool(self, run: Run, lap: int = 1, call: int = 0, **more: Any) -> None:
        given = {"execution": run.execution or 1, "attempt": 0, "remaining_ms": 330_000} | more
        run_tool(ToolInvocation(run.key, lap=lap, call=call, **given), self.tool_collaborators())

    def endings(self) -> EndCollaborators:
        return EndCollaborators(
            self.sessions,
            self.waits,
            self.agents,
            self.executions,
            self.events,
            self.now,
            self.replies,
        )

    def parking(self) -> ParkCollaborators:
        return ParkCollaborators(self.endings(), self.beginning(), self.notices)

    def park(self, run: Run, execution: int | None = None) -> str:
        return park_run(run.key, execution or self.history(run).run.execution, self.parking())

    def write(self, text: str, session: str = "s1", **changes: Any) -> Run:
        """Send a message to a session, whatever it does at the time."""
        given = {"alias": None, "tenant": TENANT, "agent": "helper", "principal": Principal("key", "k1")}
        request = Request(session_id=session, input=text, trigger="test", **(given | changes))
        return receive(request, ReceiveCollaborators(self.parking(), self.new_id, lambda attempt: None))

    def decide(
        self,
        run: Run,
        verdict: Verdict,
        call: int = 0,
        *,
        by: str = "boss",
        scopes: tuple[str, ...] = ("approve",),
        **more: Any,
    ) -> Run:
        """Decide about a call of the run's last lap, as it is shown."""
        pending = self.run(run).pending
        shown = next((each for each in pending if each.call == call), None)
        lap = more.pop("lap", shown.lap if shown else 1)
        digest = more.pop("digest", shown.digest if shown else "")
        who = Decider(f"key:{by}", Principal("key", by), frozenset(scopes))
        asked = Asked(lap, call, verdict, digest, **more)
        return decide_call(run.key, asked, who, self.endings().deciding)

    def finish(self, run: Run, ending: Ending | None = None, execution: int | None = None) -> Run | None:
        execution = execution or self.history(run).run.execution
        return finish_run(run.key, execution, ending or Ending("COMPLETED"), self.endings())

    def cancel(self, run: Run, by: str | None = None) -> Run:
        return self.cancel_key(run.key, by)

    def cancel_key(self, key: RunKey, by: str | None = None) -> Run:
        return cancel_run(key, self.endings(), by=by)

    def sweep(self, patience: float = 420, until: Callable[[], bool] = lambda: False) -> Swept:
        return sweep(
            self.parking(),
            self.erasing(),
            patience_ms=int(patience * 1000),
            report=self.report,
            until=until,
        )

    def erasing(self) -> ErasingCollaborators:
        return ErasingCollaborators(
            self.sessions, self.memories, self.conversations, self.cancel_key, self.now
        )

    def summarize(self, run: Run, step: Literal["compact", "memory"], **more: Any) -> bool:
        """State CompactHistory or SummarizeMemory."""
        given = {"execution": run.execution or 1, "attempt": 0, "remaining_ms": 120_000} | more
        models = OneModel(self.model, self.price)
        using = SummaryCollaborators(self.sessions, self.memories, self.agents, models, self.now, self.new_id)
        return summarize(SummaryInvocation(run.key, step=step, **given), using)

    def report(self, key: RunKey, error: Exception) -> None:
        self.reported.append((key, error))

    # -- what is there

    def history(self, run: Run) -> History:
        found = self.sessions.history(run.key)
        assert found is not None
        return found

    def run(self, run: Run | RunKey) -> Run:
        found = self.sessions.run(run if isinstance(run, RunKey) else run.key)
        assert found is not None
        return found

    def everything(self) -> list[dict[str, Any]]:
        """Every item of the sessions table, so that tests can say: nothing changed."""
        items = self.client.scan(TableName="sessions", ConsistentRead=True)["Items"]
        return sorted(items, key=lambda item: (item["pk"]["S"], item["sk"]["S"]))

    def on_write(self, act: Callable[[], None]) -> None:
        """Call `act` once, right before the next write of the table reaches DynamoDB."""
        pending = [act]

        def before(**_: Any) -> None:
            if pending:
                pending.pop()()

        if hasattr(self.client, "before_write"):
            self.client.before_write = before
            return
        for operation in ("PutItem", "TransactWriteItems", "DeleteItem"):
            self.client.meta.events.register(f"before-send.dynamodb.{operation}", before)


@cache
def _resources() -> dict[str, Any]:
    return yaml_parse((ROOT / "template.yaml").read_text())["Resources"]


def create_tables(client: Any) -> None:
    """The tables as the template has them."""
    resources = _resources()
    tables = {"sessions": "SessionsTable", "agents": "AgentsTable", "events": "EventsTable"}
    for name, resource in tables.items():
        given = resources[resource]["Properties"]
        kept = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
        client.create_table(TableName=name, **{key: given[key] for key in kept if key in given})


class OneAtATime:
    """A client whose requests are serialised, as DynamoDB's transactions are; moto's lose writes when they overlap."""

    def __init__(self, client: Any) -> None:
        self._client, self._lock = client, RLock()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if not callable(found) or name == "exceptions":
            return found

        def call(*args: Any, **given: Any) -> Any:
            with self._lock:
                return found(*args, **given)

        return call


def clients() -> tuple[Any, Any]:
    client = OneAtATime(boto3.client("dynamodb"))
    create_tables(client)
    return client, bucket()


def bucket() -> Any:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="content")
    return s3
