"""Sessions with something to erase, and what is left of them."""

from __future__ import annotations

import json
from typing import Any

from freehold.adapters.scripted import ScriptedModel, reply
from freehold.beginning import start_run
from freehold.ending import Ending
from freehold.replaying import ReplayCollaborators, begin_replay
from freehold.values.run import Principal, Run
from world import World, answer

DAY = 86_400
LARGE = "x" * 40_000
KEY, OTHER_KEY = Principal("key", "k1"), Principal("key", "k2")


def never() -> bool:
    return False


def say(world: World, text: str = "hello", session: str = "s1", **more: Any) -> Run:
    """A message and its answer, large enough to lie in the bucket."""
    world.model = ScriptedModel([reply(calls=[("look_up", {"id": "7"})]), reply(LARGE)])
    world.tools.answers["look_up"] = answer(LARGE)
    run = world.ask(text, session, **more)
    world.invoke_model(run)
    world.run_tool(run)
    world.invoke_model(run)
    ended = world.finish(run)
    assert ended is not None
    if ended.summary_due:
        notes = {"topics": [text], "openPoints": [], "preferences": []}
        world.model = ScriptedModel([reply(json.dumps(notes))])
        world.summarize(run, "memory")
    return run


def say_little(world: World, session: str = "s1", **more: Any) -> Run:
    run = world.ask("hello", session, **more)
    world.finish(run)
    return run


def minutes(world: World, number: int, **more: Any) -> None:
    """Every minute a sweep, as on AWS."""
    for _ in range(number):
        world.pass_time(60)
        world.sweep(**more)


def kinds(world: World) -> list[str]:
    return sorted(item["kind"]["S"] for item in world.everything())


def objects(world: World, s3: Any) -> list[str]:
    found = s3.list_objects_v2(Bucket="content").get("Contents", [])
    return [each["Key"] for each in found if not each["Key"].startswith("agents/")]


def replay_of(world: World, run: Run, *, ended: bool = True) -> Run:
    """One that was cancelled, so that nothing of it is at work."""
    using = ReplayCollaborators(
        world.sessions,
        world.agents,
        lambda original: original.agent_digest,
        world.now,
        lambda: f"R{world.new_id()}",
        world.new_id,
    )
    replay = begin_replay(run.key, OTHER_KEY, using)
    replay = start_run(replay, world.sessions, world.executions, now=world.clock)
    return end_replay(world, replay) if ended else replay


def end_replay(world: World, replay: Run) -> Run:
    world.cancel(replay)
    world.finish(replay, Ending("CANCELLED"))
    return replay
