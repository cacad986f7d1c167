"""The tools that Freehold runs itself."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.built_in_tools import PIECE, TOOLS, BuiltInCollaborators, answer
from freehold.tool_event import Answer

# 25 November 2026, 13:03 UTC: a Wednesday.
NOW = 1_795_611_780_999


def _time(zone: str | None = None, now: int = NOW) -> Answer:
    arguments = {} if zone is None else {"timeZone": zone}
    return answer(TOOLS["current_time"], arguments, BuiltInCollaborators(lambda *_: None, lambda: now))


def _read(content: str, **arguments: Any) -> Answer:
    """With `content` as the result of call 0 of lap 1 in turn 3, and nothing else."""
    there = {(3, 1, 0): content}
    using = BuiltInCollaborators(lambda *call: there.get(call), lambda: NOW)
    return answer(TOOLS["read_more"], {"call": "t3-l1-c0"} | arguments, using)


# -- current_time


@pytest.mark.parametrize(
    ("zone", "told"),
    [
        (None, "2026-11-25T13:03:00+00:00 (Wednesday, UTC)"),
        ("UTC", "2026-11-25T13:03:00+00:00 (Wednesday, UTC)"),
        ("Europe/Berlin", "2026-11-25T14:03:00+01:00 (Wednesday, Europe/Berlin)"),
        ("America/New_York", "2026-11-25T08:03:00-05:00 (Wednesday, America/New_York)"),
        ("Pacific/Kiritimati", "2026-11-26T03:03:00+14:00 (Thursday, Pacific/Kiritimati)"),
    ],
)
def test_the_time_is_told_in_the_zone_that_is_asked_for(zone: str | None, told: str):
    assert _time(zone) == Answer(True, told, None, None)


def test_summer_time_counts_where_there_is_one():
    summer = NOW - 150 * 86_400_000

    assert _time("Europe/Berlin", summer).content == "2026-06-28T15:03:00+02:00 (Sunday, Europe/Berlin)"


@pytest.mark.parametrize(
    "zone",
    [
        *("", "CEST", "Europe", "Berlin", "localtime", "/etc/localtime", "../zoneinfo/UTC", "tzdata.zi"),
        *("Europe/Berlin\0", "\ud800", "x" * 10_000),
    ],
)
def test_an_unknown_zone_is_a_failed_answer_that_says_what_is_allowed(zone: str):
    answered = _time(zone)

    assert not answered.ok
    assert "IANA time zone database, such as Europe/Berlin or UTC" in answered.content
    assert len(answered.content) < 300


def test_a_misspelt_zone_is_answered_with_the_one_that_was_meant():
    assert "Did you mean Europe/Berlin" in _time("Europe/Berln").content


def test_utc_is_known_where_the_machine_has_no_zones():
    code = """
from freehold.built_in_tools import TOOLS, BuiltInCollaborators, answer
for zone in ("UTC", "Europe/Berlin"):
    told = answer(TOOLS["current_time"], {"timeZone": zone}, BuiltInCollaborators(None, lambda: 0))
    print(told.content if zone == "UTC" else type(told.ok))
"""

    told = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONTZPATH": "", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert told.splitlines() == ["1970-01-01T00:00:00+00:00 (Thursday, UTC)", "<class 'bool'>"]


# -- read_more


def test_a_short_result_is_read_to_its_end():
    assert _read("found it") == Answer(True, "found it\n[end: 8 characters]", None, None)
    assert _read("found it", **{"from": 6}).content == "it\n[end: 8 characters]"
    assert _read("").content == "\n[end: 0 characters]"


def test_a_long_result_is_read_piece_by_piece():
    content = "a" * PIECE + "b" * PIECE + "c"

    first, second, third = (_read(content, **{"from": start}).content for start in (0, PIECE, 2 * PIECE))

    assert first == (
        "a" * PIECE + "\n[… characters 0 to 20000 of 40001; read_more with from: 20000 reads on …]"
    )
    assert second.startswith("b" * PIECE + "\n")
    assert second.endswith("[… characters 20000 to 40000 of 40001; read_more with from: 40000 reads on …]")
    assert third == "c\n[end: 40001 characters]"


def test_a_result_that_fills_a_piece_ends_with_it():
    assert _read("a" * PIECE).content == "a" * PIECE + "\n[end: 20000 characters]"


@given(
    st.text(st.characters() | st.sampled_from("\ud83d\ude00👩‍👩‍👧é\0"), min_size=1, max_size=50),
    st.integers(0, 30_000),
)
def test_the_pieces_of_any_text_make_the_whole(text: str, times: int):
    content = text * (times // len(text) + 1)
    read, start = "", 0

    while start < len(content):
        piece, _, mark = _read(content, **{"from": start}).content.rpartition("\n")
        read += piece
        start = len(content) if mark.startswith("[end") else int(mark.split("from: ")[1].split()[0])

    assert read == content


@pytest.mark.parametrize(
    "call",
    [
        *("", "t3", "3-1-0", "t3-l1-c0-x", "t-3-l1-c0", "t3-l1-c٠", "T3-L1-C0", "t3-l1-c0\0"),
        *("RUN#000003", "t" + "9" * 10_000 + "-l1-c0", "x" * 10_000, "\ud800"),
    ],
)
def test_what_is_no_id_of_a_call_is_refused_with_what_one_looks_like(call: str):
    answered = _read("secret", call=call)

    assert not answered.ok
    assert "such as t3-l1-c0" in answered.content
    assert "secret" not in answered.content
    assert len(answered.content) < 200


@pytest.mark.parametrize("call", ["t2-l1-c0", "t3-l2-c0", "t3-l1-c1", "t0-l0-c0", "t999999-l9999-c999"])
def test_a_result_that_is_not_there_is_a_failed_answer(call: str):
    answered = _read("found it", call=call)

    assert not answered.ok
    assert f"no result of the call {call}" in answered.content


def test_an_id_is_read_with_the_blanks_around_it():
    assert _read("found it", call=" t3-l1-c0\n").ok


@pytest.mark.parametrize(("content", "start"), [("four", 4), ("four", 10**19), ("", 1)])
def test_an_offset_past_the_end_is_refused_with_the_length(content: str, start: int):
    answered = _read(content, **{"from": start})

    assert not answered.ok
    assert f"from is {start}, past the end: the result has {len(content)} characters" in answered.content


def test_a_whole_number_that_is_written_with_a_fraction_counts_as_one():
    assert _read("found it", **{"from": 6.0}).content == "it\n[end: 8 characters]"
