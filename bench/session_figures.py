"""What is measured of sessions and memory, held against its bounds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import accumulate

from bench.conversations import Talk, talk
from bench.costs import growth_exponent
from bench.crowds import Busy, busy
from bench.facts import FACTS, SESSIONS, expected, recalled
from bench.figures import Figure
from bench.histories import Cached, Reading, cached, reading
from bench.tokens import LEAST, MOST, Compared, compare

TURNS, WINDOW = 500, 32_000
EXPONENT_BOUND = 1.1
LENGTHS, WINDOWS = (100, 1_000, 10_000), (8_000, 16_000, 64_000)
RECENT = (20, 10, 5, 1)
CACHED_TURNS, CACHED_BOUND = 20, 0.75
ROUNDS, MESSAGES = 20, 50


@dataclass(frozen=True, slots=True)
class Sessions:
    """All that was measured. `facts` are, by `maxRecentSessions`, how many came and whether they were the newest."""

    compacted: Talk
    whole: Talk
    readings: tuple[Reading, ...]
    facts: dict[int, tuple[int, bool]]
    cached: Cached
    busy: Busy
    estimates: tuple[Compared, ...]

    @classmethod
    def measure(cls, pool: Executor) -> Sessions:
        """The longest first: the others are done beside it."""
        whole = pool.submit(talk, TURNS, None)
        compacted = pool.submit(talk, TURNS, WINDOW)
        histories = [pool.submit(reading, items, WINDOW) for items in LENGTHS]
        histories += [pool.submit(reading, LENGTHS[-1], window) for window in WINDOWS]
        histories.append(pool.submit(reading, LENGTHS[-1], None))
        share = pool.submit(cached, CACHED_TURNS)
        crowds = busy(ROUNDS, MESSAGES)
        facts = {most: recalled(most) for most in RECENT}
        return cls(
            compacted.result(),
            whole.result(),
            tuple(each.result() for each in histories),
            {most: (len(found), found == expected(most)) for most, found in facts.items()},
            share.result(),
            crowds,
            compare(),
        )

    @property
    def of_lengths(self) -> tuple[Reading, ...]:
        """Of sessions of different lengths, with one window."""
        return self.readings[: len(LENGTHS)]

    @property
    def unbounded(self) -> Reading:
        """Of the longest session, without any compaction."""
        return self.readings[-1]

    @property
    def with_compactions(self) -> tuple[int, ...]:
        """Tokens sent through each turn, for answers and for compactions."""
        turns = list(self.compacted.turns)
        for turn, usage in zip(self.compacted.compacted, self.compacted.compactions, strict=True):
            turns[turn - 1] += usage.input_tokens
        return tuple(accumulate(turns))


def bounded(made: Sessions) -> tuple[Figure, ...]:
    """The rows that decide whether the bench succeeds."""
    most = max(made.compacted.sent)
    with_it, without = exponent(made.with_compactions), exponent(made.whole.cumulated)
    return (
        Figure(
            f"most tokens sent in a lap, {TURNS} turns, window of {WINDOW:,}",
            f"{most:,}",
            f"< {WINDOW:,}",
            most < WINDOW,
        ),
        Figure(
            f"exponent of all tokens sent over turns, {TURNS // 2} to {TURNS}, compactions among them",
            f"{with_it:.3f} (without compaction {without:.3f})",
            f"≤ {EXPONENT_BOUND}",
            with_it <= EXPONENT_BOUND,
        ),
        *_readings(made),
        *(_facts(most, *found) for most, found in made.facts.items()),
        Figure(
            f"share of the prompts that the cache gives, {CACHED_TURNS} turns",
            f"{made.cached.share:.0%}",
            f"≥ {CACHED_BOUND:.0%}",
            made.cached.share >= CACHED_BOUND,
        ),
        _busy(made.busy),
        _estimates(made.estimates),
    )


def exponent(cumulated: Sequence[int]) -> float:
    """Slope of the line through the logarithms, over the later half."""
    points = list(enumerate(cumulated, 1))[len(cumulated) // 2 :]
    return growth_exponent(points)


def _readings(made: Sessions) -> Iterable[Figure]:
    lengths = made.of_lengths
    units = [each.units for each in lengths]
    yield Figure(
        f"read units of a lap, sessions of {', '.join(f'{each.there:,}' for each in lengths)} items",
        f"{', '.join(map(str, units))} (the longest without compaction {made.unbounded.units:,})",
        "the same",
        max(units) - min(units) <= 1,
    )
    windows = sorted((each for each in made.readings if each.window), key=lambda each: each.window or 0)
    windows = [each for each in windows if each.there > LENGTHS[-1]]
    least, most = windows[0], windows[-1]
    grown = most.units / least.units
    wider = (most.window or 0) / (least.window or 1)
    yield Figure(
        f"read units of a lap of {most.there:,} items, windows of "
        + ", ".join(f"{each.window:,}" for each in windows),
        ", ".join(str(each.units) for each in windows),
        f"no more than {wider:g}-fold",
        grown <= wider,
    )


def _facts(most: int, found: int, newest: bool) -> Figure:
    wanted = min(most, SESSIONS) * FACTS
    return Figure(
        f"facts of {SESSIONS} sessions told to the next, maxRecentSessions {most}",
        f"{found} of {SESSIONS * FACTS}",
        f"the newest {wanted}",
        newest and found == wanted,
    )


def _busy(busy: Busy) -> Figure:
    wanted = busy.rounds * busy.messages
    return Figure(
        f"runs of {busy.rounds} times {busy.messages} messages at once to one session",
        f"{busy.runs:,}, of which lost, doubled or out of turn: {len(busy.problems)}",
        f"{wanted:,}, one after the other",
        busy.runs == wanted and not busy.problems,
    )


def _estimates(compared: Sequence[Compared]) -> Figure:
    ratios = [each.ratio for each in compared if each.bounded]
    return Figure(
        f"estimated tokens over o200k's, {len(ratios)} kinds of text",
        f"{min(ratios):.2f} to {max(ratios):.2f}",
        f"{LEAST} to {MOST}",
        all(each.reached for each in compared),
    )
