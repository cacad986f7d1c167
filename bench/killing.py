"""Processes that make a call and are killed at one of its boundaries, and what is found afterwards."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import count
from pathlib import Path
from typing import Any, Literal

import boto3
from botocore.config import Config

from bench.dying import Deadly, Place, When, die, die_once_written, dies, place
from bench.effects import ARRIVED, EFFECTS
from driven import (
    PAY,
    Call,
    Obedient,
    asking_agent,
    children,
    complete,
    go_on,
    laps,
    message_to,
    named,
    of_agent,
    pay,
)
from freehold.adapters.egress import pinned
from freehold.adapters.http_exchange import Exchange
from freehold.adapters.http_tools import PinnedHttpTools
from freehold.adapters.lambda_tools import LambdaTools
from freehold.adapters.mcp_tools import McpClient
from freehold.adapters.oauth_tokens import OAuthTokens
from freehold.adapters.tool_auth import ToolAuth
from freehold.errors import CallInProgress
from freehold.mcp_messages import digest
from freehold.values.agent import Argument, Server, Tool
from freehold.values.run import Marker, Result, Run
from mcp_server import tool as mcp_tool
from memory_table import EmptyBucket
from world import FakeExecutions, World

Executor = Literal["lambda", "http", "mcp", "agent"]
Boundary = Literal[
    "before the mark",
    "after the mark, before the call",
    "during the call",
    "after the answer, before the write",
    "after the write",
]
EXECUTORS: tuple[Executor, ...] = ("lambda", "http", "mcp", "agent")
BOUNDARIES: tuple[Boundary, ...] = (
    "before the mark",
    "after the mark, before the call",
    "during the call",
    "after the answer, before the write",
    "after the write",
)


@dataclass(frozen=True, slots=True)
class Kill:
    """What came of a call whose process was killed: how often each of its keys took effect, and its result."""

    executor: Executor
    boundary: Boundary
    effects: tuple[int, ...]
    outcome: str

    @property
    def repeated(self) -> bool:
        return any(times > 1 for times in self.effects) or len(self.effects) > 1

    @property
    def unreported(self) -> bool:
        """It is said to be done and was not, or was done and is said not to be."""
        return self.outcome != "unknown" and (self.outcome == "success") != (sum(self.effects) > 0)


# -- worlds


class Dead(FakeExecutions):
    """No execution outlives the process that it was in."""

    def state(self, run: Run) -> str:
        return "dead"


class Scene(World):
    """The product on a table over HTTP, with its own adapters for tools. Nothing is forked that is connected."""

    def __init__(self, there: Place) -> None:
        super().__init__(_client("dynamodb", there.dynamodb), EmptyBucket(), None)
        # No two have the same ones, whichever process they are in.
        self.ids = count(time.time_ns())
        self.there, self.model, self.executions = there, Obedient(), Dead()
        here = partial(pinned, loopback=True)
        auth = ToolAuth(_no_secret, OAuthTokens(here, Exchange()), lambda: None)
        self.tools: Any = LambdaTools(lambda seconds: _client("lambda", there.tools))
        self.http_tools = PinnedHttpTools(here, auth, Exchange())
        self.mcp_tools = McpClient(here, auth)


def _no_secret(tenant: str, name: str) -> str:
    raise AssertionError(name)


@cache
def _session() -> Any:
    return boto3.session.Session(region_name="us-east-1")


def _client(service: str, url: str) -> Any:
    once = Config(retries={"total_max_attempts": 1}, read_timeout=20)
    return _session().client(service, endpoint_url=url, config=once)


def tool_of(executor: Executor, there: Place) -> Tool:
    """What pays, once for each call."""
    none = {"lambda_arn": "", "function": None}
    schema = {"type": "object", "properties": {"text": {"type": "string"}}}
    tools: dict[Executor, Tool] = {
        "lambda": pay(),
        "http": pay(
            **none,
            arguments=(Argument("id", "id", "string", "body"),),
            http=Server(there.tools),
            api_path="/pay",
            http_method="POST",
            body_content_type="application/json",
        ),
        "mcp": pay(
            **(none | {"function": "echo", "input_schema": schema}),
            arguments=(Argument("text", "text", "string", "body"),),
            mcp=Server(there.mcp),
            pin=digest(mcp_tool()),
        ),
        "agent": asking_agent("expert"),
    }
    return tools[executor]


def call_of(executor: Executor) -> Call:
    calls: dict[Executor, Call] = {
        "mcp": ("pay", {"text": "7"}),
        "agent": message_to("expert", laps([PAY])),
    }
    return calls.get(executor, PAY)


# -- the calls


def killed(kills: int, folder: Path, *, seed: int = 1) -> list[Kill]:
    """As many kills, evenly over executors and boundaries. Raises `AssertionError` where a process did not die."""
    rows: list[tuple[Executor, Boundary]] = [(one, at) for one in EXECUTORS for at in BOUNDARIES]
    with place(folder) as there:
        made: list[Kill] = []
        for number in range(kills):
            _empty(there)
            draw = random.Random(f"{seed} {number}")
            executor, boundary = rows[number % len(rows)]
            line = f"{number} {executor} {boundary}"
            if executor == "agent":
                made.append(_agent_killed(there, boundary, line, draw))
            else:
                made.append(_tool_killed(there, (executor, boundary), line, draw))
        return made


def _empty(there: Place) -> None:
    """So that whatever is open afterwards is of this call."""
    for name in ("sessions", "agents"):
        _client("dynamodb", there.dynamodb).delete_table(TableName=name)


# Where a tool's call is killed: before or after a method of which port. Its own port is named by the executor.
TOOL_PLACES: dict[Boundary, tuple[str, str, When]] = {
    "before the mark": ("sessions", "mark", "before"),
    "after the answer, before the write": ("sessions", "replace_marker", "before"),
    "after the write": ("sessions", "replace_marker", "after"),
}
ASKING: dict[Executor, tuple[str, str, When]] = {
    "lambda": ("tools", "invoke", "before"),
    "http": ("http_tools", "call", "before"),
    "mcp": ("mcp_tools", "call", "before"),
}
# To park is the mark of a call to another agent, and to decide is to write its result.
AGENT_PLACES: dict[Boundary, tuple[tuple[str, str, When], ...]] = {
    "before the mark": (("waits", "park", "before"),),
    "after the mark, before the call": (("waits", "park", "after"),),
    "during the call": (
        ("sessions", "begin", "after"),
        ("waits", "put", "after"),
        ("executions", "start", "after"),
    ),
    "after the answer, before the write": (("waits", "decide", "before"),),
    "after the write": (("waits", "decide", "after"),),
}


def _deadly(world: World, at: tuple[str, str, When], dying: Callable[[], None]) -> None:
    port, method, when = at
    setattr(world, port, Deadly(getattr(world, port), method, when, dying))


def _tool_killed(there: Place, at: tuple[Executor, Boundary], line: str, draw: random.Random) -> Kill:
    world, (executor, boundary) = Scene(there), at
    world.apply(named("helper", tool_of(executor, there)))
    run = world.ask(laps([call_of(executor)]), session=line)
    assert world.invoke_model(run).step == "tools"
    dying = partial(die, there, line)

    def act() -> None:
        mine = Scene(there)
        if boundary == "during the call":
            die_once_written(there, draw.choice((ARRIVED, EFFECTS)), dying)
        else:
            _deadly(mine, TOOL_PLACES.get(boundary, ASKING[executor]), dying)
        mine.run_tool(run)

    assert dies(there, line, act), line
    result = _repeated(world, run)
    return Kill(executor, boundary, _effects(there, [run]), result.outcome)


def _agent_killed(there: Place, boundary: Boundary, line: str, draw: random.Random) -> Kill:
    world = Scene(there)
    world.apply(named("helper", tool_of("agent", there)))
    world.apply(named("expert", pay()))
    run = world.ask(laps([call_of("agent")]), session=line)
    if boundary in ("after the answer, before the write", "after the write"):
        run = go_on(world, run)

    def act() -> None:
        mine = Scene(there)
        _deadly(mine, draw.choice(AGENT_PLACES[boundary]), partial(die, there, line))
        for each in (*children(mine, run), run):
            go_on(mine, each)

    assert dies(there, line, act), line
    if draw.random() < 0.5 and world.run(run).status == "RUNNING":
        # The state machine is quicker than the sweeper.
        go_on(world, run)
    complete(world, run)
    (result,) = world.history(run).results.values()
    return Kill("agent", boundary, _effects(there, of_agent(world, "expert")), result.outcome)


def _repeated(world: World, run: Run) -> Result:
    """What the state machine's retries come to."""
    for attempt in range(1, 10):
        try:
            world.run_tool(run, attempt=attempt)
        except CallInProgress:
            _, _, marker = world.sessions.call(run.key, 1, 0)
            assert isinstance(marker, Marker)
            world.clock = marker.until
            continue
        return world.history(run).results[1, 0]
    raise AssertionError(f"run {run.key.run_id} comes to no result")


def _effects(there: Place, runs: Sequence[Run]) -> tuple[int, ...]:
    """How often each key of theirs took effect. What has arrived does, whether anybody waits or not."""
    while len(there.lines(ARRIVED)) != len(there.lines(EFFECTS)):
        time.sleep(0.01)
    done = there.lines(EFFECTS)
    keys = sorted(f"{run.key.run_id}-1-0" for run in runs)
    return tuple(done.count(key) for key in keys if key in done)
