"""How many facts of earlier sessions reach a later one, with a model that notes each one that it is told."""

from __future__ import annotations

import json
import re

from moto import mock_aws

from freehold.adapters.scripted import reply
from freehold.ports import Tell
from freehold.value import replace
from freehold.values.agent import Memory
from freehold.values.model import ModelReply, ModelRequest, UserMessage
from world import World, agent, clients

SESSIONS, FACTS = 10, 5
MEMORY = "customer-1"
FACT = re.compile(r"Fact \d+-\d+ is [a-z]+\.")
WORDS = ("amber", "birch", "cobalt", "dune", "ember")


class NotingModel:
    """Notes every fact that it is told; keeps the facts of the last request for an answer."""

    def __init__(self) -> None:
        self.told: set[str] = set()

    def reply(self, request: ModelRequest, tell: Tell | None = None) -> ModelReply:
        texts = (message.text for message in request.messages if isinstance(message, UserMessage))
        found = dict.fromkeys(FACT.findall("\n".join(texts)))
        if request.purpose == "memory":
            return reply(json.dumps({"topics": list(found), "openPoints": [], "preferences": []}))
        self.told = set(found)
        return reply("Noted.")


def facts_of(session: int) -> list[str]:
    return [f"Fact {session}-{number} is {WORDS[number]}." for number in range(FACTS)]


def recalled(most: int) -> set[str]:
    """The facts of ten sessions that the eleventh is told, with so many `maxRecentSessions`."""
    with mock_aws():
        world, model = World(*clients(), None), NotingModel()
        world.model = model
        world.apply(replace(agent(), memory=Memory(max_recent_sessions=most)))
        for session in range(SESSIONS):
            _turn(world, f"s{session}", " ".join(facts_of(session)))
            world.pass_time(60)
        _turn(world, "the-last", "What do you know of me?")
        return model.told


def expected(most: int) -> set[str]:
    """Those of the newest sessions, all of them."""
    newest = range(SESSIONS - min(most, SESSIONS), SESSIONS)
    return {fact for session in newest for fact in facts_of(session)}


def _turn(world: World, session: str, text: str) -> None:
    run = world.ask(text, session, memory_id=MEMORY)
    world.invoke_model(run)
    world.finish(run)
    world.summarize(run, "memory")
