"""What the tests of the run protocol are made of: plays for the model, kills, duplicates and clocks turned back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from freehold.adapters.contents import Contents
from freehold.adapters.records import Records
from freehold.adapters.sessions import DynamoSessions
from freehold.adapters.table import Table
from freehold.values.history import History
from freehold.values.model import Usage
from freehold.values.run import RunKey
from freehold_client import Run
from model_server import ModelServer, Reply, fail
from product_stack import TENANT, Product

Play = Callable[[int], Reply]
UNKNOWN = "outcome of this call is unknown"


@dataclass
class Plays:
    """Answers each run by its own play, found by the user's text: repeats and overlaps get the same answer.

    A play is asked with the number of the lap that the request is for, so it keeps no state of its own.
    """

    model: ModelServer
    requests: dict[str, list[dict[str, Any]]] = field(default_factory=dict[str, list[dict[str, Any]]])
    _plays: dict[str, Play] = field(default_factory=dict[str, Play])
    _replies: dict[str, list[Usage]] = field(default_factory=dict[str, list[Usage]])

    def __post_init__(self) -> None:
        self.model.script([], then=self._answer)

    def new(self, *laps: Reply | Play) -> str:
        """A text that nobody used before and whose lap n is answered by the nth of `laps`."""
        return self.play(lambda lap: _reply(laps[lap - 1], lap))

    def play(self, play: Play, text: str | None = None) -> str:
        text = text or f"play {uuid.uuid4().hex}"
        self._plays[text], self.requests[text], self._replies[text] = play, [], []
        return text

    def asked(self, text: str, count: int, seconds: float = 30.0) -> None:
        """Until the model has been asked that often for `text`, answered or not."""
        with self.model.arrived:
            enough = self.model.arrived.wait_for(lambda: len(self.requests[text]) >= count, seconds)
        assert enough, f"{len(self.requests[text])} of {count} requests for {text!r} in {seconds} s"

    def served(self, text: str) -> tuple[int, Usage]:
        """How many replies were given out for `text`, and their tokens."""
        return len(self._replies[text]), sum(self._replies[text], Usage())

    def _answer(self, request: dict[str, Any]) -> Reply:
        text, lap = _position(request["messages"])
        play = self._plays.get(text)
        wrong = f"there is no play for {text!r}" if play is None else _unpaired(request["messages"])
        if play is None or wrong:
            self.model.problems.append(str(wrong))
            return fail(400, str(wrong))
        with self.model.arrived:
            self.requests[text].append(request)
            self.model.arrived.notify_all()
        reply = play(lap)
        with self.model.arrived:
            self._replies[text].append(reply.usage or Usage())
        return reply


def _reply(given: Reply | Play, lap: int) -> Reply:
    return given if isinstance(given, Reply) else given(lap)


def _position(messages: list[dict[str, Any]]) -> tuple[str, int]:
    """The last thing the user said, and which answer to it is asked for."""
    last = max(i for i, message in enumerate(messages) if message["role"] == "user")
    replies = sum(message["role"] == "assistant" for message in messages[last:])
    return messages[last]["content"], replies + 1


def _unpaired(messages: list[dict[str, Any]]) -> str | None:
    """Why a strict provider would refuse these messages: a call without exactly one result right after it."""
    for i, message in enumerate(messages):
        calls = [call["id"] for call in message.get("tool_calls") or ()]
        told = [after.get("tool_call_id") for after in messages[i + 1 : i + 1 + len(calls)]]
        if calls != told:
            return f"message {i} asks for {calls}, the next ones answer {told}"
    return None


# -- the machinery


@dataclass
class Machinery:
    """The parts of a running product that an operator, or a bad day, can reach."""

    product: Product

    def workers(self, function: str) -> list[int]:
        """The processes of one function (`RunTool`, `InvokeModel`, …) that have begun to work.

        One that still starts has no connection: killed then, it would fail its first call in a way of its own.
        """
        running = self.product.stack.running()
        assert running is not None
        listed = subprocess.run(
            ["ps", "-A", "-ww", "-o", "pid=,ppid=,args="], check=True, capture_output=True, text=True
        )
        rows = (line.split(None, 2) for line in listed.stdout.splitlines())
        return [
            int(pid)
            for pid, parent, command in rows
            if int(parent) == running.aws_pid and f"-{function}Function-" in command and _connected(int(pid))
        ]

    def kill(self, function: str) -> int:
        """`kill -9` of every process of `function`; how many there were."""
        return sum(kill(pid) for pid in self.workers(function))

    def function(self, name: str) -> str:
        """The deployed name of `RunTool`, `InvokeModel`, `FinishRun` or `Sweep`."""
        names = self.product.aws("lambda").list_functions()["Functions"]
        return next(found["FunctionName"] for found in names if f"-{name}Function-" in found["FunctionName"])

    def invoke(self, name: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Call a function as the state machine would. An error that the function raised is its `errorType`."""
        answer = self.product.aws("lambda").invoke(
            FunctionName=self.function(name), Payload=json.dumps(payload).encode()
        )
        return json.loads(answer["Payload"].read()) or {}

    def sweep(self) -> dict[str, int]:
        return self.invoke("Sweep", {})

    # -- executions

    def machine(self, mode: str) -> str:
        return self.product.outputs["AgentLoop" if mode == "durable" else "AgentLoopFast"]

    def execution(self, run: str, number: int = 1, mode: str = "durable") -> str:
        return f"{self.machine(mode).replace(':stateMachine:', ':execution:')}:{run}-{number}"

    def start_again(self, run: str, number: int = 1, mode: str = "durable") -> str:
        """Start the run's execution `number` once more, under a name that lets it."""
        started = self.product.aws("stepfunctions").start_execution(
            stateMachineArn=self.machine(mode),
            name=f"again-{uuid.uuid4().hex}",
            input=json.dumps({"run": state(run, number)}),
        )
        return started["executionArn"]

    def stop(self, execution: str) -> None:
        self.product.aws("stepfunctions").stop_execution(executionArn=execution)

    def status(self, execution: str) -> str:
        return self.product.aws("stepfunctions").describe_execution(executionArn=execution)["status"]

    def history(self, execution: str) -> list[dict[str, Any]]:
        pages = self.product.aws("stepfunctions").get_paginator("get_execution_history")
        return [event for page in pages.paginate(executionArn=execution) for event in page["events"]]

    def states(self, execution: str) -> list[tuple[str, dict[str, Any]]]:
        """Each state that was entered, with its input; those inside the Map are not listed."""
        entered = (event.get("stateEnteredEventDetails") for event in self.history(execution))
        return [(told["name"], json.loads(told["input"])) for told in entered if told]

    def errors(self, execution: str) -> set[str]:
        """The names of all errors that the execution's tasks have met."""
        failed = (event.get("taskFailedEventDetails") for event in self.history(execution))
        return {f"{told['error']}: {told['cause']}" for told in failed if told}

    @contextmanager
    def broken(self, mode: str = "durable") -> Iterator[None]:
        """While it lasts, executions that start fail at once and leave their run behind."""
        client, arn = self.product.aws("stepfunctions"), self.machine(mode)
        whole = client.describe_state_machine(stateMachineArn=arn)["definition"]
        dead = {"StartAt": "Dead", "States": {"Dead": {"Type": "Fail", "Error": "Dead"}}}
        client.update_state_machine(stateMachineArn=arn, definition=json.dumps(dead))
        try:
            yield
        finally:
            client.update_state_machine(stateMachineArn=arn, definition=whole)

    # -- the table

    @cached_property
    def sessions(self) -> DynamoSessions:
        """The product's own view of the table."""
        table = Table(self.product.aws("dynamodb"), self.product.outputs["SessionsTable"])
        contents = Contents(self.product.aws("s3"), self.product.outputs["ContentBucket"])
        return DynamoSessions(table, Records(contents, retention_seconds=0))

    def run(self, run: str) -> History:
        key = RunKey.parse(TENANT, run)
        found = self.sessions.history(key) if key else None
        assert found is not None
        return found

    def written(self, run: str) -> list[Any]:
        """Everything that the table holds of a run and its session."""
        return [*self.product.items_of(run), self.sessions.session(TENANT, self.run(run).run.session_id)]

    def age(self, run: str, seconds: int) -> None:
        """Turn the times of a run and its items back, as if nothing had happened for `seconds`."""
        client, latest = self.product.aws("dynamodb"), int((time.time() - seconds) * 1000)
        for item in self.product.items_of(run):
            for name in ("created_at", "started_at", "at"):
                if item.get(name, 0) > latest:
                    client.update_item(
                        TableName=self.product.outputs["SessionsTable"],
                        Key={"pk": {"S": item["pk"]}, "sk": {"S": item["sk"]}},
                        UpdateExpression="SET #time = :latest",
                        ConditionExpression="attribute_exists(#time)",
                        ExpressionAttributeNames={"#time": name},
                        ExpressionAttributeValues={":latest": {"N": str(latest)}},
                    )


def kill(pid: int) -> bool:
    """False where it was gone already."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def _connected(pid: int) -> bool:
    process = Path(f"/proc/{pid}")
    try:
        rows = [row.split() for row in (process / "net/tcp").read_text().splitlines()[1:]]
        connections = {f"socket:[{row[9]}]" for row in rows}
        return any(str(file.readlink()) in connections for file in (process / "fd").iterdir())
    except FileNotFoundError:
        # Gone by now, or a system that does not tell.
        return not Path("/proc/self").exists()


def state(run: str, number: int = 1) -> dict[str, Any]:
    """What an execution carries of its run."""
    return {"tenant": TENANT, "id": run, "execution": number}


def payloads(states: list[tuple[str, dict[str, Any]]]) -> list[tuple[str, dict[str, Any]]]:
    """What the state machine has sent to the functions, read off the states that it went through."""
    sent: list[tuple[str, dict[str, Any]]] = []
    for name, given in states:
        run = given["run"]
        if name == "InvokeModel":
            told = {"failed": given.get("failed", []), "attempt": 0, "events": given.get("events", 0)}
            sent.append(("InvokeModel", {"run": run, **told}))
        elif name == "RunTools":
            each = ({"lap": given["lap"], "call": call, "attempt": 0} for call in given["calls"])
            sent.extend(("RunTool", {"run": run, **call}) for call in each)
        elif name == "FinishRun":
            sent.append(("FinishRun", {"run": run, "outcome": given["outcome"]}))
    return sent


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """Do all of `acts` at the same moment."""
    gate = threading.Barrier(len(acts))

    def do(act: Callable[[], Any]) -> Any:
        gate.wait()
        return act()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(do, acts))


@contextmanager
def meanwhile(act: Callable[[], Any]) -> Iterator[Future[Any]]:
    """Do `act` beside the block, and wait for it at the block's end."""
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(act)
        yield future
        future.result()


# -- what a run has come to


def outcomes(history: History) -> dict[tuple[int, int], str]:
    """What became of each call. A marker without a result is `started`."""
    ended = {place: result.outcome for place, result in history.results.items()}
    return {**dict.fromkeys(history.markers, "started"), **ended}


def tokens(history: History) -> tuple[int, Usage]:
    """How many replies of the model are written down, laps and discarded ones, and their tokens."""
    replies = [reply.usage for reply in (*history.laps, *history.discarded)]
    return len(replies), sum(replies, Usage())


def usage(run: Run) -> Usage:
    return Usage(run.usage.input_tokens, run.usage.output_tokens, run.usage.cached_tokens)
