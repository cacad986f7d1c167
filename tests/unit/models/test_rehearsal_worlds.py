"""The rehearsal model over OpenAPI documents that its authors' code has never seen: `worlds/*.yaml`.

Each world has a document, what its tools answer, and conversations: what a user says, the calls that this must
lead to and facts that the answer must hold. `REHEARSAL_SEED` draws other worlds.
"""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import pytest
import yaml

from freehold.adapters.rehearsal import Rehearsal
from freehold.configuration import compile_agent
from freehold.values.model import (
    AssistantMessage,
    Message,
    ModelEntry,
    ModelRequest,
    ToolMessage,
    ToolOutcome,
    ToolSpec,
    UserMessage,
)

ROOT = Path(__file__).parents[3]
WORLDS = sorted((Path(__file__).parent / "worlds").glob("*.yaml"))
SEED = int(os.environ.get("REHEARSAL_SEED", "20261123"))
MOST_LAPS = 5


class World:
    """A document's tools and their canned results."""

    def __init__(self, path: Path) -> None:
        content = yaml.safe_load(path.read_text("utf-8"))
        document = content.get("openapi") or yaml.safe_load((ROOT / content["document"]).read_text("utf-8"))
        self.tools = tools_of(document)
        self.results: list[dict[str, Any]] = content["results"]
        self.conversations: list[list[dict[str, Any]]] = content["conversations"]

    def call(self, name: str, arguments: dict[str, Any]) -> tuple[bool, str]:
        for result in self.results:
            if result["tool"] == name and result["arguments"] == arguments:
                given = result.get("result", result.get("error"))
                return "error" not in result, given if isinstance(given, str) else json.dumps(given)
        return False, f"no canned result for {name} {arguments}"


def tools_of(document: dict[str, Any]) -> tuple[ToolSpec, ...]:
    """The tools as an agent with this document would get them. Answers are not what is tried, so one does for all."""
    for operations in document["paths"].values():
        for operation in operations.values():
            operation.setdefault("responses", {"200": {"description": "ok"}})
    agent = {
        "agentName": "world",
        "foundationModel": "rehearsal",
        "instruction": "You help the people who write to you, and you use your tools for that.",
        "actionGroups": [
            {
                "actionGroupName": "tools",
                "apiSchema": {"payload": json.dumps(document)},
                "actionGroupExecutor": {"lambda": "arn:aws:lambda:us-east-1:123456789012:function:world"},
            }
        ],
    }
    compiled = compile_agent(
        agent, name=None, schemas=NoSchemas(), known_model=lambda name: ModelEntry(name, "rehearsal")
    )
    return tuple(ToolSpec(tool.name, tool.description, tool.input_schema) for tool in compiled.agent.tools)


class NoSchemas:
    def read(self, bucket: str, key: str) -> str:
        raise AssertionError(f"nothing is read from {bucket}/{key}")


def run(world: World, messages: list[Message]) -> tuple[str, list[dict[str, Any]]]:
    """Laps until the model answers: the answer, and the calls that were made."""
    model, made = Rehearsal(), []
    for _ in range(MOST_LAPS):
        reply = model.reply(ModelRequest("rehearsal", "Help.", tuple(messages), world.tools))
        messages.append(AssistantMessage(reply.text, reply.calls))
        if not reply.calls:
            return reply.text, made
        outcomes: list[ToolOutcome] = []
        for use in reply.calls:
            arguments = json.loads(use.arguments)
            made.append({"tool": use.name, "arguments": arguments})
            ok, content = world.call(use.name, arguments)
            outcomes.append(ToolOutcome(use.id, content, ok))
        messages.append(ToolMessage(tuple(outcomes)))
    raise AssertionError(f"no answer after {MOST_LAPS} laps: {made}")


def hold(world: World) -> None:
    for conversation in world.conversations:
        messages: list[Message] = []
        for turn in conversation:
            messages.append(UserMessage(turn["says"]))
            answer, made = run(world, messages)
            assert made == turn["calls"], f"{turn['says']!r} led to {made} and to: {answer}"
            missing = [fact for fact in turn["facts"] if fact.lower() not in answer.lower()]
            assert not missing, f"{turn['says']!r} was answered without {missing}: {answer}"


@pytest.mark.parametrize("path", random.Random(SEED).sample(WORLDS, 3), ids=lambda path: path.stem)
def test_three_drawn_worlds_are_answered_sensibly(path: Path):
    hold(World(path))


@pytest.mark.parametrize("path", WORLDS, ids=lambda path: path.stem)
def test_each_world_is_answered_sensibly(path: Path):
    hold(World(path))


def test_what_a_newcomer_asks_the_example_is_answered_sensibly():
    hold(World(Path(__file__).parent / "example_conversations.yaml"))
