"""Text made safe, figures in words, lines broken where a terminal ends."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from freehold_cli import figures
from freehold_cli.printable import as_json, one_line, printable, well_formed
from freehold_cli.screen import Screen
from freehold_cli.tables import add, columns
from freehold_cli.timeline import GUTTER, Timeline
from freehold_client import Usage, in_order
from freehold_client.items import read_item

from .fake_api import asks, call, compaction, lap, user

HARMFUL = [*range(0x09), *range(0x0B, 0x20), *range(0x7F, 0xA0), 0x200E, 0x202E, 0x2028, 0x2066, 0xD800]


@pytest.mark.parametrize("number", HARMFUL, ids=hex)
def test_what_a_terminal_would_act_on_is_shown_as_something_else(number: int):
    shown = printable(f"a{chr(number)}b")

    assert chr(number) not in shown
    assert shown.startswith("a")
    assert shown.endswith("b")
    assert len(shown) > 2


def test_lines_tabs_and_every_script_stay_as_they_are():
    assert printable("Grüße\r\n\t北京 👩‍💻 مرحبا") == "Grüße\n    北京 👩‍💻 مرحبا"


def test_one_line_is_one_line():
    assert one_line(" a\n\tb \r\n c ") == "a b c"


@given(st.recursive(st.none() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_json_is_safe_to_print_and_means_the_same(value: object):
    printed = as_json(value)

    assert json.loads(printed) == value
    assert printable(printed) == printed


def test_bytes_that_are_no_text_still_make_a_message():
    assert well_formed("caf\udce9").encode() == "caf\ufffd".encode()


@pytest.mark.parametrize(
    ("usd", "told"),
    [
        (None, "unknown price"),
        (0, "$0"),
        (0.0000001, "<$0.000001"),
        (0.000012, "$0.000012"),
        (0.5, "$0.5"),
        (0.123456789, "$0.123457"),
        (1234.5, "$1,234.50"),
    ],
)
def test_money_in_words(usd: float | None, told: str):
    assert figures.cost(usd) == told


@pytest.mark.parametrize(
    ("milliseconds", "told"),
    [(None, "?"), (0, "0 ms"), (999, "999 ms"), (1500, "1.5 s"), (61_000, "1 min 1 s")],
)
def test_time_in_words(milliseconds: int | None, told: str):
    assert figures.duration(milliseconds) == told


@pytest.mark.parametrize(
    ("cached", "told"),
    [
        (0, "1,000 tokens in, 60 out"),
        (9, "1,000 tokens in (<1% cached), 60 out"),
        (815, "1,000 tokens in (81% cached), 60 out"),
        (999, "1,000 tokens in (99% cached), 60 out"),
        (1000, "1,000 tokens in (100% cached), 60 out"),
    ],
)
def test_tokens_in_words(cached: int, told: str):
    assert figures.tokens(Usage(1000, 60, cached)) == told


def test_cached_tokens_of_a_provider_that_counts_otherwise_are_no_error():
    assert figures.tokens(Usage(0, 60, 5)) == "0 tokens in (100% cached), 60 out"


@pytest.mark.parametrize(
    ("turn", "laps", "told"),
    [
        (8, 0, "   0.00 s compact turns 1–7 ·"),
        (2, 0, "   0.00 s compact turn 1 ·"),
        (1, 4, "   0.00 s compact laps 1–4 of turn 1 ·"),
        (3, 1, "   0.00 s compact turns 1–2 and lap 1 of turn 3 ·"),
    ],
)
def test_a_compaction_says_what_it_stands_for(turn: int, laps: int, told: str):
    step = Timeline().step(read_item(compaction(begins={"turn": turn, "laps": laps})))

    assert step.plain.startswith(told)
    assert f"\n{' ' * GUTTER}They asked for an order." in step.plain


def test_a_compaction_is_shown_where_it_was_made_though_it_is_told_last():
    told = [user(), lap(1), call(), lap(2), compaction(lap=1)]

    shown = [type(item).__name__ for item in in_order(map(read_item, told))]

    assert shown == ["UserItem", "LapItem", "CallItem", "CompactionItem", "LapItem"]


@pytest.mark.parametrize("broken", [None, "", "yesterday", "2026-11-23", "2026-11-23T12:00:00"])
def test_what_is_no_moment_has_no_distance(broken: str | None):
    assert figures.between(broken, "2026-11-23T12:00:00Z") is None
    assert figures.clock(broken) == ""


def test_lines_are_broken_where_the_terminal_ends_and_hang_under_their_own_text():
    step = Timeline(width=60).step(read_item(user("word " * 40)))

    lines = step.plain.split("\n")
    assert len(lines) > 3
    assert max(map(len, lines)) <= 60
    assert all(line.startswith(" " * GUTTER) for line in lines[1:])


def test_nothing_is_broken_where_there_is_no_terminal():
    step = Timeline(width=None).step(read_item(user("word " * 400)))

    assert "\n" not in step.plain


def test_a_terminal_gets_colours_and_a_pipe_does_not():
    step = Timeline().step(read_item(lap(1, "hello", (asks(),))))
    printed: dict[bool, str] = {}
    for terminal in (True, False):
        file = io.StringIO()
        console = Console(
            file=file, force_terminal=terminal, color_system="standard" if terminal else None, markup=False
        )
        Screen(out=console).show(step)
        printed[terminal] = file.getvalue()

    assert "\x1b[" in printed[True]
    assert "\x1b" not in printed[False]


def test_a_table_ends_its_lines_with_their_text_where_there_is_no_terminal():
    file, table = io.StringIO(), columns("name", "said")
    add(table, "a", "x")
    add(table, "a longer one", "y" * 100)
    add(table, "b", "")
    Screen(out=Console(file=file, width=100_000)).show(table)

    lines = file.getvalue().split("\n")
    assert lines == ["name          said", "a             x", f"a longer one  {'y' * 100}", "b", ""]


def test_json_is_made_compact_unless_all_is_asked_for():
    item = read_item(call(result='{"a":\n  1.10}'))

    assert '{"a": 1.1}' in Timeline().step(item).plain
    assert "1.10}" in Timeline(full=True).step(item).plain


def test_progress_is_silent_where_nobody_watches_unless_it_matters():
    err = io.StringIO()
    screen = Screen(out=Console(file=io.StringIO()), err=Console(file=err))
    with screen.progress("reading") as tell:
        tell("still reading")
    with screen.progress("starting", lines=True) as tell:
        tell("deploying [red]x")

    assert err.getvalue() == "starting\ndeploying [red]x\n"
