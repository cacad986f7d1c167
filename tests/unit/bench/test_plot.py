from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest
from bench.plot import HEIGHT, WIDTH, Line, Plot, short, thinned, ticks

STEEP = Line("steep", [(float(x), float(x * x)) for x in range(1, 1001)])
FLAT = Line("flat & even", [(1.0, 10.0), (1000.0, 10.0)])


def numbers(svg: str) -> list[tuple[float, float]]:
    points = " ".join(re.findall(r'points="([^"]*)"', svg))
    return [(float(x), float(y)) for x, y in (each.split(",") for each in points.split())]


def test_a_plot_is_xml_that_names_what_it_shows():
    root = ET.fromstring(Plot("Growth", "turns", "tokens", (STEEP, FLAT)).svg())

    told = [element.text for element in root.iter() if element.text]
    assert {"Growth", "turns", "tokens", "steep", "flat & even"} <= set(told)
    assert "prefers-color-scheme: dark" in "".join(told)


def test_every_point_lies_within_the_picture_and_more_is_higher():
    drawn = numbers(Plot("Growth", "turns", "tokens", (STEEP,)).svg())

    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in drawn)
    assert drawn == sorted(drawn, key=lambda point: (point[0], -point[1]))


def test_a_line_ends_where_it_leaves_the_picture():
    whole, cut = (numbers(Plot("Growth", "turns", "tokens", (STEEP,), top=top).svg()) for top in (None, 1e4))

    assert len(cut) < len(whole)
    assert all(0 <= y <= HEIGHT for _, y in cut)


def test_a_peak_stays_however_few_points_are_kept():
    points = [(float(x), 1.0) for x in range(1000)]
    points[517] = (517.0, 99.0)

    kept = thinned(points, 50)

    assert (517.0, 99.0) in kept
    assert (len(kept), kept[0], kept[-1]) == (50, points[0], points[-1])


@pytest.mark.parametrize(
    ("top", "expected"),
    [
        (500, [0, 100, 200, 300, 400, 500]),
        (80_000, [0, 20_000, 40_000, 60_000, 80_000]),
        (7, [0, 2, 4, 6]),
    ],
)
def test_an_axis_has_round_numbers(top: float, expected: list[float]):
    assert ticks(top) == expected


def test_large_numbers_are_told_shortly():
    assert [short(value) for value in (0, 7, 1_500, 20_000, 2_500_000)] == [
        "0",
        "7",
        "1.5 k",
        "20 k",
        "2.5 M",
    ]
