from __future__ import annotations

from dataclasses import replace

import pytest
from bench.conversations import Talk
from bench.crowds import Busy
from bench.facts import FACTS, SESSIONS, expected
from bench.histories import Cached, Reading
from bench.session_figures import LENGTHS, TURNS, WINDOW, WINDOWS, Sessions, bounded, exponent
from bench.session_report import markdown, plots
from bench.tokens import Compared

from freehold.values.model import Usage

STEADY = Talk((1_000,) * TURNS, (1_000,) * TURNS, (Usage(500, 50),), (40,))
GROWING = Talk(tuple(range(1, TURNS + 1)), tuple(range(1, TURNS + 1)))
WELL = Sessions(
    compacted=STEADY,
    whole=GROWING,
    readings=(
        *(Reading(WINDOW, items + 16, 3, 34, 14) for items in LENGTHS),
        *(Reading(window, LENGTHS[-1] + 16, 3, 34, window // 2_000) for window in WINDOWS),
        Reading(None, LENGTHS[-1] + 16, 3, LENGTHS[-1], 3_000),
    ),
    facts={20: (50, True), 5: (25, True)},
    cached=Cached(20, 1_000, 900),
    busy=Busy(20, 50, 1_000, ()),
    estimates=(Compared("English", 400, 100, 100, 118), Compared("white space", 1_000, 10, 10, 500)),
)
BADLY = {
    "most tokens sent": {"compacted": replace(STEADY, sent=(WINDOW,))},
    "exponent": {"compacted": replace(GROWING, sent=(1,))},
    "read units of a lap, sessions": {
        "readings": (replace(WELL.readings[0], units=30), *WELL.readings[1:]),
    },
    "read units of a lap of": {
        "readings": (*WELL.readings[:5], replace(WELL.readings[5], units=99), WELL.readings[6]),
    },
    "facts": {"facts": {20: (49, False)}},
    "share of the prompts": {"cached": Cached(20, 1_000, 100)},
    "runs of 20 times": {"busy": Busy(20, 50, 1_000, ("c-2 began before c-1 had ended",))},
    "estimated tokens": {"estimates": (Compared("English", 400, 100, 100, 80),)},
}


def test_sums_that_grow_evenly_have_exponent_one_and_those_of_growing_laps_two():
    even, growing = STEADY.cumulated, GROWING.cumulated

    assert exponent(even) == pytest.approx(1.0)
    assert exponent(growing) == pytest.approx(2.0, abs=0.01)


def test_what_compactions_took_is_in_the_sums():
    assert [WELL.with_compactions[turn] - STEADY.cumulated[turn] for turn in (38, 39, -1)] == [0, 500, 500]


def test_the_newest_sessions_are_those_that_are_expected():
    assert expected(99) == expected(SESSIONS)
    assert {len(expected(most)) for most in (1, 3)} == {FACTS, 3 * FACTS}
    assert expected(1) < expected(3)
    assert all(fact.startswith(f"Fact {SESSIONS - 1}-") for fact in expected(1))


def test_all_bounds_are_reached_where_all_is_well():
    assert [figure.name for figure in bounded(WELL) if not figure.reached] == []


@pytest.mark.parametrize("figure", BADLY)
def test_each_bound_can_be_missed(figure: str):
    missed = [row.name for row in bounded(replace(WELL, **BADLY[figure])) if not row.reached]  # pyright: ignore

    assert [name[: len(figure)] for name in missed] == [figure]


def test_the_page_shows_every_figure_and_refers_to_its_plots():
    figures = bounded(WELL)

    page = markdown(figures, WELL, day="2026-01-01")

    assert all(f"| {figure.name} | {figure.bound} | {figure.measured} | yes |" in page for figure in figures)
    assert all(f"](../docs/{name})" in page for name in plots(WELL))
