"""Runs taken through their steps as the state machine and the sweeper take them, however often they are parked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from freehold.adapters.scripted import reply
from freehold.ending import Ending
from freehold.errors import FreeholdError, StaleWrite, StoreUnavailable
from freehold.ports import Tell
from freehold.value import replace
from freehold.values.agent import Agent, Collaborator, Tool
from freehold.values.decision import Decision, Pending
from freehold.values.model import AssistantMessage, ModelReply, ModelRequest, ToolMessage, UserMessage
from freehold.values.run import Result, Run, RunError, RunKey
from memory_table import EmptyBucket, MemoryTable
from steering import Helm
from world import TENANT, World, agent, answer, tool

Call = tuple[str, dict[str, Any]]
PAY: Call = ("pay", {"id": "7"})
ESCALATE: Call = ("escalate_to_human", {"reason": "a dispute", "summary": "refund of 900"})
ASK_USER: Call = ("ask_user", {"question": "Which order?"})
PAY_ARN = "arn:aws:lambda:us-east-1:123456789012:function:pay"


def laps(*laps: Sequence[Call]) -> str:
    """A user's message that says itself what the model asks for, lap by lap."""
    return json.dumps(laps)


def message_to(agent_name: str, text: str) -> Call:
    """A call to another agent."""
    return (agent_name, {"message": text})


@dataclass
class Obedient:
    """A model that asks for what the user's message says, and ends with what it was told of it last."""

    requests: list[ModelRequest] = field(default_factory=list[ModelRequest])

    def reply(self, request: ModelRequest, tell: Tell | None = None) -> ModelReply:
        self.requests.append(request)
        begins = max(i for i, each in enumerate(request.messages) if isinstance(each, UserMessage))
        user, *since = request.messages[begins:]
        assert isinstance(user, UserMessage)
        told = [each for each in since if isinstance(each, ToolMessage)]
        asked = _laps_of(user.text)
        if len(told) < len(asked):
            calls = [(name, arguments) for name, arguments in asked[len(told)]]
            return reply(calls=calls)
        said = "; ".join(outcome.content for outcome in told[-1].outcomes) if told else user.text
        return reply(f"So: {said}")

    def told_of(self, name: str) -> list[str]:
        """What the newest request says of the calls of that name."""
        names: dict[str, str] = {}
        found: list[str] = []
        for message in self.requests[-1].messages:
            if isinstance(message, AssistantMessage):
                names |= {use.id: use.name for use in message.calls}
            elif isinstance(message, ToolMessage):
                found += [each.content for each in message.outcomes if names[each.id] == name]
        return found


def _laps_of(text: str) -> list[list[Call]]:
    return json.loads(text) if text.startswith("[") else []


# -- agents


def pay(*guards: Any, **changes: Any) -> Tool:
    """A tool that may not be called twice, and whom it needs first."""
    arn = {"lambda_arn": "", "guarded_lambda": PAY_ARN} if guards else {}
    return tool("pay", idempotent=False, guards=guards, **(arn | changes))


def client_tool(name: str = "look_up") -> Tool:
    return tool(name, lambda_arn="", returns_control=True)


def built_in(name: Any, *properties: str) -> Tool:
    schema = {"type": "object", "properties": {each: {"type": "string"} for each in properties}}
    return tool(name, lambda_arn="", built_in=name, input_schema=schema)


def asking() -> Tool:
    return built_in("ask_user", "question")


def escalating() -> Tool:
    return built_in("escalate_to_human", "reason", "summary")


def asking_agent(name: str, *guards: Any, **more: Any) -> Tool:
    schema = {"type": "object", "properties": {"message": {"type": "string"}}}
    return tool(
        name, lambda_arn="", collaborator=Collaborator(name, **more), input_schema=schema, guards=guards
    )


def named(name: str, *tools: Tool, **changes: Any) -> Agent:
    """An agent, whose runs may take a week."""
    return replace(agent(*tools, timeout_seconds=604_800), name=name, **changes)


class QuickWorld(World):
    """A world of its own in memory. What it asks of others goes by its helm."""

    def __init__(self) -> None:
        self.helm = Helm()
        super().__init__(self.helm.over(MemoryTable()), EmptyBucket(), None)
        self.model = Obedient()
        self.tools.answers["pay"] = answer("paid")
        for name in ("executions", "events", "notices", "tools"):
            setattr(self, name, self.helm.over(getattr(self, name)))


# -- going on


def go_on(world: World, run: Run | RunKey, execution: int | None = None) -> Run:
    """One execution of a run as the state machine has it, to its end or until it is parked."""
    run = world.run(run)
    number = execution or run.execution
    for _ in range(50):
        step = world.invoke_model(run, execution=number)
        if step.step == "tools":
            for call in step.calls:
                world.run_tool(run, lap=step.lap, call=call, execution=number)
        elif step.step == "wait":
            if _parks(world, run, number):
                return world.run(run)
        elif step.step == "finish":
            assert step.status is not None
            world.finish(run, Ending(step.status, step.reason), number)
            return world.run(run)
        else:
            assert step.step == "stop", step
            return world.run(run)
    raise AssertionError(f"run {run.key.run_id} comes to no end")


def _parks(world: World, run: Run, execution: int) -> bool:
    """State ParkRun: what it does not try again fails the run."""
    try:
        return world.park(run, execution) == "parked"
    except (StaleWrite, StoreUnavailable):
        raise
    except FreeholdError as error:
        failed = Ending("FAILED", error=RunError(type(error).__name__, str(error)))
        world.finish(run, failed, execution)
        return True


def parked(world: World, text: str, session: str = "s1", **asked: Any) -> Run:
    """A run that has been asked so and waits."""
    run = go_on(world, world.ask(text, session, **asked))
    assert run.status == "AWAITING", run.status
    return run


def settle(world: World, *, minutes: int = 30) -> None:
    """What the executions and the sweeper make of everything that is open, until all of it has ended or waits."""
    for _ in range(minutes):
        if not _open(world):
            return
        for key in _open(world):
            run = world.run(key)
            if run.status == "RUNNING" and run.execution in starts(world, run):
                go_on(world, key)
        world.pass_time(60)
        world.sweep()
        assert world.reported == []


def complete(world: World, run: Run) -> Run:
    """The run's end, where everybody who is asked agrees and answers."""
    for _ in range(20):
        settle(world)
        run = world.run(run)
        if run.ended:
            return run
        for wanted in run.pending:
            _agree(world, run, wanted)
    raise AssertionError(f"run {run.key.run_id} is {run.status} for ever, and waits for {run.pending}")


def _agree(world: World, run: Run, wanted: Pending) -> None:
    if wanted.kind == "confirmation":
        world.decide(run, "approve", wanted.call, by=run.principal.id)
    elif wanted.kind == "approval":
        world.decide(run, "approve", wanted.call)
    elif wanted.kind == "answer":
        world.write("7", run.session_id)
    elif wanted.kind == "agent":
        for child in children(world, run):
            complete(world, child)
    else:
        world.decide(run, "result", wanted.call, content="it is done")


def sound(world: World, run: Run) -> None:
    """Nothing was done twice or lost, and nothing is left over."""
    for each in all_runs(world):
        history = world.history(each)
        assert (each.ended, each.undelivered, each.error) == (True, False, None)
        for lap in history.laps:
            assert {call for number, call in history.results if number == lap.lap} == set(lap.open_calls)
    paid = [event["freehold"]["idempotencyKey"] for event in world.tools.events]
    made = [each for each in results(world, run) if each.tool == "pay" and each.outcome == "success"]
    assert len(paid) == len(set(paid)) == len(made)
    asked = [each.parent for each in all_runs(world) if each.parent]
    assert len(asked) == len(set(asked))
    assert {each.key.run_id for each in all_runs(world) if each.parent} == _named_children(world)
    assert world.waits.listed() == []
    for item in world.everything():
        assert item["kind"]["S"] != "parked"
        if item["kind"]["S"] == "session":
            session = world.sessions.session(TENANT, item["session_id"]["S"])
            assert session
            assert (session.active_turn, session.escalation) == (None, None)


def _named_children(world: World) -> set[str]:
    return {name for each in all_runs(world) for name in each.children}


def _open(world: World) -> list[RunKey]:
    """Runs that need an execution or a delivery."""
    runs = all_runs(world)
    return [run.key for run in runs if run.undelivered or not (run.ended or run.status == "AWAITING")]


# -- what is there


def all_runs(world: World) -> list[Run]:
    found = [item for item in world.everything() if item["kind"]["S"] == "run"]
    keys = [RunKey(TENANT, item["conversation"]["S"], int(item["turn"]["N"])) for item in found]
    return [world.run(key) for key in keys]


def of_agent(world: World, name: str) -> list[Run]:
    return [run for run in all_runs(world) if run.agent == name]


def children(world: World, run: Run) -> list[Run]:
    """The runs that its calls to other agents began, as it names them."""
    keys = [RunKey.parse(TENANT, each) for each in world.run(run).children]
    return [world.run(key) for key in keys if key]


def decisions(world: World, run: Run, lap: int = 1) -> list[Decision]:
    return list(world.sessions.decisions(run.key, lap))


def results(world: World, run: Run) -> list[Result]:
    return list(world.history(run).results.values())


def count(world: World, kind: str) -> int:
    return sum(item["kind"]["S"] == kind for item in world.everything())


def starts(world: World, run: Run) -> list[int]:
    """The executions of a run that were started, each once: a name that is there already starts nothing."""
    names = dict.fromkeys(world.executions.started)
    return [int(name.rpartition("-")[2]) for name in names if name.rpartition("-")[0] == run.key.run_id]
