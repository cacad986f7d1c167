"""A conversation that waits for an answer, as a request to any of its agent's models."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from functools import cache, cached_property

from . import context
from .ports import Memories, Sessions
from .reading import Reading, past
from .tokens import tokens
from .value import Value, replace
from .values.agent import Agent
from .values.conversation import Compaction
from .values.history import History
from .values.memory import Summary
from .values.model import Image, Message, ModelEntry, ModelRequest, ToolSpec, UserMessage
from .window import Budget, Turn, count, fit, shortened, window_of, with_newest_images

# Of the window, for what is told of earlier sessions.
NOTES_SHARE = 0.15
# A model's own way of counting is judged by requests of at least so many tokens, and believed within these bounds.
ENOUGH_TO_MEASURE, RATIOS = 500, (0.5, 4.0)


class Conversation(Value, dict=True):
    """`compaction` stands for what came before `past`; `summaries` are those of earlier sessions, oldest first.

    `image` gives a stored image its bytes.
    """

    agent: Agent
    past: Sequence[History]
    current: History
    image: Callable[[Image], Image]
    compaction: Compaction | None = None
    summaries: Sequence[Summary] = ()

    def request(self, entry: ModelEntry, *, share: float, seconds: float) -> ModelRequest:
        """As the model of `entry` is asked, with the newest that fits that `share` of its window."""
        notes, budget = self._notes(entry, share), self.budget(entry, share=share)
        *past, current = self.turns(entry, share=share)
        told = with_newest_images((*notes, *fit(past, current, budget.history)), share=share)
        run = self.current.run
        return ModelRequest(
            model=entry.id,
            instruction=self._instruction,
            messages=tuple(self._with_images(message) for message in told),
            tools=self._tools,
            inference=self.agent.inference,
            timeout_seconds=seconds,
            conversation=f"{run.tenant}-{run.conversation}",
        )

    def turns(self, entry: ModelEntry, *, share: float = 1.0) -> list[Turn]:
        """All of them, with long results cut; the last is the present one."""
        reads_on = any(tool.built_in == "read_more" for tool in self.agent.tools)
        window = int(window_of(entry.window, self.agent.context) * share)
        return [
            shortened(turn, window, reads_on=reads_on)
            for turn in context.turns(self.past, self.current, entry)
        ]

    def budget(self, entry: ModelEntry, *, share: float = 1.0) -> Budget:
        """What there is room for beside instruction, tools and notes."""
        return Budget.of(
            entry.window,
            self.agent.context,
            fixed=self._fixed + count(self._notes(entry, share)),
            answer=self.agent.inference.maximum_length,
            ratio=self.ratio,
            share=share,
        )

    def _notes(self, entry: ModelEntry, share: float) -> Turn:
        window = window_of(entry.window, self.agent.context)
        return context.notes(self.compaction, self.summaries, most=int(window * share * NOTES_SHARE))

    @cached_property
    def _instruction(self) -> str:
        return context.instruction(self.agent, self.current.prompt_session_attributes)

    @cached_property
    def _tools(self) -> tuple[ToolSpec, ...]:
        return context.tool_specs(self.agent)

    @cached_property
    def _fixed(self) -> int:
        return tokens(self._instruction) + tokens_of_tools(self._tools)

    @cached_property
    def ratio(self) -> float:
        """How many tokens the model that answered last counted for one of ours."""
        return ratio((*self.past, self.current))

    def _with_images(self, message: Message) -> Message:
        if not isinstance(message, UserMessage) or not message.images:
            return message
        return replace(message, images=tuple(self.image(each) for each in message.images))


def gathered(
    reading: Reading, agent: Agent, *, sessions: Sessions, memories: Memories, now: int
) -> Conversation:
    """All that a model is told of: the same for whoever judges its size as for whoever sends it."""
    run, memory = reading.run, agent.memory
    remembered = memory is not None and run.memory_id is not None
    summaries = (
        memories.recent(run, most=memory.max_recent_sessions, now=now) if memory and remembered else ()
    )
    turns = past(reading, sessions)
    return Conversation(agent, turns, reading.current, cache(sessions.image), reading.compaction, summaries)


def ratio(turns: Sequence[History]) -> float:
    """How many tokens a model counts for one of ours, by the newest lap that tells; 1 where none does."""
    laps = (lap for turn in reversed(turns) for lap in reversed(turn.laps))
    measured = next((lap for lap in laps if lap.estimate >= ENOUGH_TO_MEASURE), None)
    if measured is None or measured.usage.input_tokens == 0:
        return 1.0
    least, most = RATIOS
    return min(most, max(least, measured.usage.input_tokens / measured.estimate))


def tokens_of_tools(tools: Iterable[ToolSpec]) -> int:
    """What they take in every request."""
    return sum(tokens(tool.name + tool.description + json.dumps(tool.input_schema)) for tool in tools)


def estimate(request: ModelRequest) -> int:
    """About how many tokens the request has."""
    return tokens(request.instruction) + tokens_of_tools(request.tools) + count(request.messages)
