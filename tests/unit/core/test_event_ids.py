"""Ids of events: a place in one run, or refused."""

from __future__ import annotations

from typing import Any

import pytest

from freehold.following import Cursor
from freehold.http.events import cursor_text, read_cursor
from freehold.value import replace

from .followed import Record


@pytest.mark.parametrize(
    "text",
    ["", "x", "e30", "bnVsbA", "W10", "WzFd", "ÿ", "=" * 9, "WzEsMiwzXQ", "W" * 100_000, "WzFlOTk5OV0"],
)
def test_what_is_no_id_is_refused(text: str):
    from freehold.errors import Invalid

    with pytest.raises(Invalid) as refused:
        read_cursor(text, Record().run.key)

    assert refused.value.problems[0].path == "Last-Event-ID"


@pytest.mark.parametrize(
    "place",
    [
        {"attempt": "a" * 101},
        {"attempt": "é"},
        {"attempt": "\ud800"},
        {"began_at": 10**15},
        {"offset": 10**9},
    ],
)
def test_a_place_that_no_text_has_is_refused(place: dict[str, Any]):
    """It would become part of a key of the table."""
    from freehold.errors import Invalid

    key = Record().run.key
    text = cursor_text(replace(Cursor(3, begun=True, lap=2, attempt="a"), **place), key)

    with pytest.raises(Invalid):
        read_cursor(text, key)


@pytest.mark.parametrize(
    "place", [{"seq": 10**9}, {"started": 1 << 90}, {"finished": 1 << 90}, {"asked": ("a",) * 1_001}]
)
def test_a_place_that_no_run_comes_to_is_refused(place: dict[str, Any]):
    """What follows it could be a number that nobody can write down."""
    from freehold.errors import Invalid

    key = Record().run.key
    far = Cursor(
        10**9 - 1, begun=True, lap=2, started=(1 << 90) - 1, finished=(1 << 90) - 1, asked=("a",) * 1_000
    )

    assert read_cursor(cursor_text(far, key), key) == far
    with pytest.raises(Invalid):
        read_cursor(cursor_text(replace(far, **place), key), key)


def test_the_id_of_another_run_is_refused():
    from freehold.errors import Invalid

    key = Record().run.key
    text = cursor_text(Cursor(3, begun=True, lap=2, attempt="a", offset=5, asked=("ab",)), key)

    assert read_cursor(text, key) == Cursor(3, begun=True, lap=2, attempt="a", offset=5, asked=("ab",))
    with pytest.raises(Invalid):
        read_cursor(text, replace(key, turn=2))
