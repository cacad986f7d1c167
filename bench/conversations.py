"""A long conversation, step by step as the state machine takes them, with a model that counts what it is sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate, count
from random import Random
from typing import Any

from moto import mock_aws

from bench.mirror import Mirror
from bench.tokenizer import Tokenizer
from bench.tokens import texts
from freehold.adapters.scripted import reply
from freehold.decide import Step
from freehold.ports import Tell
from freehold.summarizing import SummaryCollaborators, SummaryInvocation, summarize
from freehold.turn import Invocation, take_turn
from freehold.value import replace as changed
from freehold.values.agent import Context, ModelChoice
from freehold.values.model import (
    AssistantMessage,
    Message,
    ModelEntry,
    ModelReply,
    ModelRequest,
    UserMessage,
)
from freehold.values.model import Usage as Tokens
from freehold.values.run import Run
from world import World, agent, answer, clients

# More than any conversation here has.
ENDLESS = 100_000_000
# Of a message or a call: its role and its brackets.
BESIDE = 4
LANGUAGES = ("English", "German", "French", "Spanish")


# Is shown each request for an answer.
Watch = Callable[[ModelRequest], None]


class CountingModel:
    """Calls a tool once a turn and then answers; it counts as o200k does, and keeps what it counted."""

    def __init__(self, watch: Watch | None = None) -> None:
        self._watch = watch
        self.sent: list[int] = []
        self.compactions: list[Tokens] = []
        self._count = lru_cache(None)(Tokenizer.of("o200k_base").count)
        self._random, self._numbers = Random(1), count(1)
        self._texts = texts()
        self._sentences = [part + "." for kind in LANGUAGES for part in self._texts[kind].split(".")]

    def reply(self, request: ModelRequest, tell: Tell | None = None) -> ModelReply:
        asked = self._tokens_of(request)
        if request.purpose == "compaction":
            # As long as it may be, which is the worst for what follows.
            text = self.text(request.inference.maximum_length or 0)
            self.compactions.append(Tokens(asked, self._count(text)))
            return reply(text, usage=self.compactions[-1])
        self.sent.append(asked)
        if self._watch:
            self._watch(request)
        if isinstance(request.messages[-1], UserMessage):
            return reply(calls=[("look_up", {"id": f"{next(self._numbers):06d}"})], usage=Tokens(asked, 20))
        text = self.text(self._random.randint(40, 200))
        return reply(text, usage=Tokens(asked, self._count(text)))

    def text(self, length: int) -> str:
        """Sentences of about so many tokens."""
        said: list[str] = []
        while length > 0:
            said.append(self._random.choice(self._sentences))
            length -= self._count(said[-1])
        return " ".join(said)

    def rows(self) -> str:
        """What a tool finds."""
        begins = self._random.randrange(2_000)
        return self._texts["JSON rows"][begins : begins + self._random.randint(200, 1_200)]

    def _tokens_of(self, request: ModelRequest) -> int:
        tools = (json.dumps([tool.name, tool.description, tool.input_schema]) for tool in request.tools)
        told = (text for message in request.messages for text in _texts_of(message))
        return sum(self._count(text) + BESIDE for text in (request.instruction, *tools, *told))


def _texts_of(message: Message) -> Iterator[str]:
    match message:
        case UserMessage():
            yield message.text
        case AssistantMessage():
            yield message.text
            yield from (f"{use.id} {use.name} {use.arguments}" for use in message.calls)
        case _:
            yield from (f"{outcome.id} {outcome.content}" for outcome in message.outcomes)


@dataclass(frozen=True, slots=True)
class OneEntry:
    """`Models` that always chooses the same one."""

    model: CountingModel
    entry: ModelEntry

    def choose(self, choice: ModelChoice) -> tuple[CountingModel, ModelEntry]:
        return self.model, self.entry


@dataclass(frozen=True, slots=True)
class Talk:
    """One conversation. `sent` are the tokens of each lap's request, `turns` those of each turn's."""

    sent: tuple[int, ...]
    turns: tuple[int, ...]
    compactions: tuple[Tokens, ...] = ()
    # Turns in which a compaction was made.
    compacted: tuple[int, ...] = field(default=())

    @property
    def cumulated(self) -> tuple[int, ...]:
        """What was sent through each turn."""
        return tuple(accumulate(self.turns))


def talk(turns: int, window: int | None, watch: Watch | None = None) -> Talk:
    """Of so many turns. With a window the oldest part is compacted; without one, all of it is sent each time."""
    with mock_aws():
        return Talking(window, watch).talk(turns)


class Talking:
    """A session, and what reads and answers it."""

    def __init__(self, window: int | None, watch: Watch | None = None) -> None:
        client, s3 = clients()
        self.mirror = Mirror(client, "sessions")
        self.world = World(self.mirror, s3, None)
        self.model = CountingModel(watch)
        self._models = OneEntry(self.model, ModelEntry("scripted", "scripted", window=ENDLESS))
        self._compact = window is not None
        self.world.apply(changed(agent(), context=Context(window_tokens=window)))
        self.world.tools.answers = {"look_up": self._found}

    def talk(self, turns: int) -> Talk:
        sums: list[int] = []
        compacted: list[int] = []
        for turn in range(1, turns + 1):
            laps, made = len(self.model.sent), len(self.model.compactions)
            self.turn()
            sums.append(sum(self.model.sent[laps:]))
            compacted += [turn] * (len(self.model.compactions) - made)
        return Talk(tuple(self.model.sent), tuple(sums), tuple(self.model.compactions), tuple(compacted))

    def ask(self) -> Run:
        """The next message of 150 to 600 tokens."""
        return self.world.ask(self.model.text(Random(len(self.model.sent)).randint(150, 600)))

    def turn(self) -> None:
        """As `statemachines/agent_loop.asl.yaml` goes through it."""
        run = self.ask()
        while (step := self.invoke_model(run)).step != "finish":
            if step.step == "compact":
                self._summarize(run)
            else:
                assert step.step == "tools", step
                for call in step.calls:
                    self.world.run_tool(run, step.lap, call)
        ended = self.world.finish(run)
        assert ended is not None, run
        assert ended.status == "COMPLETED", ended
        self.mirror.relieve()

    def invoke_model(self, run: Run) -> Step:
        using = changed(self.world.turn(), models=self._models)
        return take_turn(Invocation(run.key, 1, compact=self._compact), using)

    def _found(self, event: object) -> dict[str, Any]:
        return answer(self.model.rows())

    def _summarize(self, run: Run) -> None:
        world = self.world
        using = SummaryCollaborators(
            world.sessions, world.memories, world.agents, self._models, world.now, world.new_id
        )
        summarize(SummaryInvocation(run.key, 1, "compact", 0, 120_000), using)
