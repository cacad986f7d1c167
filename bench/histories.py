"""What a lap of a long session reads, and how much of its prompt a cache gives back."""

from __future__ import annotations

from dataclasses import dataclass

from moto import mock_aws

from bench.conversations import ENDLESS, Talking, talk
from freehold.adapters import keys
from freehold.adapters.converse_request import converse_request
from freehold.value import replace
from freehold.values.model import ModelEntry, ModelRequest
from freehold.values.run import RunKey
from prompt_cache import PromptCache
from world import TENANT

# A turn of the session that is made longer: its run, two laps, a result.
ITEMS_OF_A_TURN = 4
# Turns after the compaction, so that all histories end alike.
TAIL = 3
CLAUDE = ModelEntry("anthropic.claude-sonnet", "converse", cache="tools")


@dataclass(frozen=True, slots=True)
class Reading:
    """What InvokeModel read for one lap of a session of so many items."""

    window: int | None
    there: int
    requests: int
    items: int
    units: int


def reading(items: int, window: int | None) -> Reading:
    """Of a session with so many items before its last turns; without a window nothing is ever compacted."""
    with mock_aws():
        talking = Talking(window)
        talking.turn()
        _lengthen(talking, items // ITEMS_OF_A_TURN)
        for _ in range(TAIL):
            talking.turn()
        run = talking.ask()
        talking.mirror.reads.clear()
        talking.invoke_model(run)
        reads = talking.mirror.reads
        there = talking.mirror.size(run.key.conversation)
        return Reading(
            window, there, len(reads), sum(read.items for read in reads), sum(read.units for read in reads)
        )


def _lengthen(talking: Talking, turns: int) -> None:
    """As if the session's first turn had come so many times."""
    session = talking.world.sessions.session(TENANT, "s1")
    assert session is not None
    talking.mirror.repeat_turn(keys.conversation(RunKey(TENANT, session.conversation, 1)), turns)
    longer = replace(session, next_turn=turns + 1, rev=session.rev + 1)
    talking.world.sessions.change(longer, before=session)


@dataclass(frozen=True, slots=True)
class Cached:
    """Of a conversation's prompts, in tokens: all, and what the cache gave."""

    turns: int
    tokens: int
    read: int

    @property
    def share(self) -> float:
        return self.read / self.tokens


def cached(turns: int, window: int = ENDLESS) -> Cached:
    """With marks as Converse is sent them, and a cache that counts as Bedrock's does."""
    cache, sums = PromptCache(), [0, 0]

    def watch(request: ModelRequest) -> None:
        counted = cache.count(converse_request(request, CLAUDE))
        sums[0] += counted.fresh + counted.read + counted.written
        sums[1] += counted.read

    talk(turns, window, watch)
    return Cached(turns, *sums)
