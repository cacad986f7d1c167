"""What those who watch are told of a lap, and when."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from freehold.errors import StoreUnavailable
from freehold.telling import LONGEST_PIECE, LOOK_EVERY_MS, WRITE_EVERY_MS, Audience
from freehold.values.live import Piece
from freehold.values.run import RunKey
from freehold.values.text import well_formed

KEY = RunKey("acme", "C1", 1)


@dataclass
class Clock:
    at: int = 1_000

    def __call__(self) -> int:
        return self.at


@dataclass
class Watchers:
    """`LiveTexts` of one run, which somebody watches from a time on; at the `fails`th request there is none."""

    since: int = 0
    fails: int = 0
    looks: list[int] = field(default_factory=list[int])
    written: list[Piece] = field(default_factory=list[Piece])
    times: list[int] = field(default_factory=list[int])
    requests: int = 0

    def watch(self, key: RunKey, *, until: int) -> None: ...

    def watched(self, key: RunKey, *, now: int) -> bool:
        self._count()
        self.looks.append(now)
        return now >= self.since

    def write(self, key: RunKey, piece: Piece, *, now: int) -> None:
        self._count()
        self.written.append(piece)
        self.times.append(now)

    def pieces(self, key: RunKey, lap: int) -> list[Piece]:
        return self.written

    def _count(self) -> None:
        self.requests += 1
        if self.requests == self.fails:
            raise StoreUnavailable("the table is on strike")


def audience(watchers: Watchers, clock: Clock) -> Audience:
    names = iter(f"id{i}" for i in range(1, 100))
    return Audience(KEY, 3, watchers, clock, lambda: next(names))


def test_what_a_model_writes_is_written_at_most_every_quarter_of_a_second():
    watchers, clock = Watchers(), Clock()
    telling = audience(watchers, clock).attempt()

    for word in ("one ", "two ", "three ", "four ", "five"):
        telling.tell(word)
        clock.at += 100
    telling.end()

    assert watchers.written == [
        Piece(3, 1_000, "id1", 0, "one "),
        Piece(3, 1_000, "id1", 4, "two three four "),
        Piece(3, 1_000, "id1", 19, "five"),
    ]
    assert watchers.looks == [1_000]


def test_nothing_is_written_of_what_nobody_watches():
    watchers, clock = Watchers(since=1_000_000), Clock()
    telling = audience(watchers, clock).attempt()

    for _ in range(20):
        clock.at += 100
        telling.tell("word ")
    telling.end()

    assert watchers.written == []
    assert watchers.looks == [1_000, 1_500, 2_000, 2_500, 3_000]


def test_who_comes_later_is_told_from_the_beginning():
    watchers, clock = Watchers(since=2_000), Clock()
    telling = audience(watchers, clock).attempt()

    for word in ("one ", "two ", "three"):
        telling.tell(word)
        clock.at += 600
    telling.end()

    assert [(piece.offset, piece.text) for piece in watchers.written] == [(0, "one two three")]


def test_an_attempt_that_was_watched_once_is_told_to_its_end():
    watchers, clock = Watchers(), Clock()
    telling = audience(watchers, clock).attempt()

    for _ in range(20):
        telling.tell("word ")
        clock.at += 100
    telling.end()

    assert watchers.looks == [1_000]
    assert sum(len(piece.text) for piece in watchers.written) == 100


def test_what_was_written_last_is_told_while_the_model_asks_for_calls():
    watchers, clock = Watchers(), Clock()
    telling = audience(watchers, clock).attempt()

    for text in ("Let me ", "look that up", "", "", "", "", ""):
        telling.tell(text)
        clock.at += 100

    assert "".join(piece.text for piece in watchers.written) == "Let me look that up"
    assert len(watchers.written) == 2


def test_who_comes_while_the_model_asks_for_calls_is_told_what_it_has_written():
    watchers, clock = Watchers(since=2_000), Clock()
    telling = audience(watchers, clock).attempt()

    for text in ("Let me", "", "", ""):
        telling.tell(text)
        clock.at += 500

    assert [(piece.offset, piece.text) for piece in watchers.written] == [(0, "Let me")]


def test_a_text_that_comes_after_none_is_written_at_once():
    watchers, clock = Watchers(), Clock()
    telling = audience(watchers, clock).attempt()

    for text in ("", "Hello"):
        telling.tell(text)
        clock.at += 1

    assert [(piece.offset, piece.text) for piece in watchers.written] == [(0, "Hello")]


def test_a_long_text_is_written_in_pieces_that_an_item_can_hold():
    watchers, clock = Watchers(), Clock()
    telling = audience(watchers, clock).attempt()

    telling.tell("\U0001f600" * (2 * LONGEST_PIECE + 1))
    telling.end()

    assert [piece.offset for piece in watchers.written] == [0, LONGEST_PIECE, 2 * LONGEST_PIECE]


def test_attempts_have_names_of_their_own_and_begin_one_after_the_other():
    watchers, clock = Watchers(), Clock()
    asked = audience(watchers, clock)

    attempts = [asked.attempt() for _ in range(3)]

    assert [(each.name, each.began_at) for each in attempts] == [
        ("id1", 1_000),
        ("id2", 1_001),
        ("id3", 1_002),
    ]


def test_a_table_that_fails_is_left_alone_for_the_rest_of_the_attempt():
    for fails in range(1, 5):
        watchers, clock = Watchers(fails=fails), Clock()
        asked = audience(watchers, clock)
        telling = asked.attempt()

        for _ in range(5):
            telling.tell("word ")
            clock.at += 1_000
        telling.end()
        assert watchers.requests == fails

        asked.attempt().tell("again")
        assert watchers.written[-1].text == "again"


@given(
    st.lists(
        st.tuples(st.text(st.sampled_from("ab \ud83d\ude00\U0001f600"), max_size=5), st.integers(0, 400))
    ),
    st.integers(1_000, 4_000),
    st.none() | st.integers(1, 9),
)
def test_pieces_are_the_texts_beginning_without_a_gap(
    told: list[tuple[str, int]], since: int, fails: int | None
):
    watchers, clock = Watchers(since, fails or 0), Clock()
    telling = audience(watchers, clock).attempt()

    for text, pause in told:
        telling.tell(text)
        clock.at += pause
    telling.end()

    whole = well_formed("".join(text for text, _ in told))
    written = "".join(piece.text for piece in watchers.written)
    assert whole.startswith(written)
    assert written == whole or fails or not any(look >= since for look in watchers.looks)
    assert [piece.offset for piece in watchers.written] == [
        sum(len(each.text) for each in watchers.written[:i]) for i in range(len(watchers.written))
    ]
    # The last one may follow at once.
    gaps = [after - before for before, after in zip(watchers.times, watchers.times[1:], strict=False)]
    assert all(gap >= WRITE_EVERY_MS for gap in gaps[:-1])
    looks = [after - before for before, after in zip(watchers.looks, watchers.looks[1:], strict=False)]
    assert all(gap >= LOOK_EVERY_MS for gap in looks)
