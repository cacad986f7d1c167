"""When schedules come due: what is taken, and what is said of the rest."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.configuration.schedules import FIELDS, MOST, once_at, schedule_fault, zone_fault

MONTHS = ("JAN", "feb", "Dec")
DAYS = ("SUN", "mon", "Sat")


@given(st.integers(2, MOST), st.sampled_from(["minutes", "hours", "days"]))
def test_a_rate_is_a_number_and_a_unit(number: int, unit: str):
    assert schedule_fault(f"rate({number} {unit})") is None
    assert schedule_fault(f"rate({number} {unit[:-1]})") is not None
    assert schedule_fault(f"rate(1 {unit[:-1]})") is None


@given(st.integers(0, 253_402_300_799))
def test_every_second_can_be_named(second: int):
    moment = datetime.fromtimestamp(second, UTC).replace(tzinfo=None)
    text = f"at({moment.isoformat()})"

    assert schedule_fault(text) is None
    assert once_at(text, "UTC") == second * 1000


def number_in(least: int, most: int, names: tuple[str, ...] = ()) -> st.SearchStrategy[str]:
    numbers = st.integers(least, most).map(str)
    return numbers | st.sampled_from(names) if names else numbers


def entries(
    least: int, most: int, names: tuple[str, ...] = (), *, steps: bool = True
) -> st.SearchStrategy[str]:
    """`*`, numbers and ranges, most of them with a step, in lists."""
    pairs = st.tuples(st.integers(least, most), st.integers(least, most))
    spans = number_in(least, most, names) | pairs.map(lambda ends: f"{min(ends)}-{max(ends)}") | st.just("*")
    stepped = st.tuples(spans, st.integers(1, most)).map(lambda both: f"{both[0]}/{both[1]}")
    return st.lists(spans | stepped if steps else spans, min_size=1, max_size=3).map(",".join)


DATES = entries(1, 31) | st.sampled_from(["L", "LW", "1W", "31W", "1,L"])
WEEKDAYS = entries(1, 7, DAYS, steps=False) | st.sampled_from(["L", "6L", "friL", "6#3", "MON#1"])


@given(
    entries(0, 59),
    entries(0, 23),
    st.tuples(DATES, st.just("?")) | st.tuples(st.just("?"), WEEKDAYS),
    entries(1, 12, MONTHS),
    entries(1970, 2199),
)
def test_a_cron_that_the_fields_allow_is_taken(
    minutes: str, hours: str, days: tuple[str, str], month: str, year: str
):
    assert schedule_fault(f"cron({minutes} {hours} {days[0]} {month} {days[1]} {year})") is None


@given(st.text(alphabet="0123456789*?,-/LW#SUNMOAT() cronateday:", max_size=30))
def test_whatever_is_written_is_taken_or_explained(text: str):
    for written in (text, f"cron({text})", f"rate({text})", f"at({text})"):
        fault = schedule_fault(written)
        assert fault is None or fault.startswith("is ")


@pytest.mark.parametrize("index", range(len(FIELDS)))
def test_a_number_out_of_a_fields_range_is_named_with_the_field(index: int):
    fields = ["0", "8", "?", "*", "MON", "*"]
    fields[index] = "9999"

    fault = schedule_fault(f"cron({' '.join(fields)})")

    assert fault is not None
    assert f'{FIELDS[index].name} has "9999"; allowed are {FIELDS[index].least} to ' in fault


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("every day", "must be rate(5 minutes), cron("),
        ("rate(5 weeks)", "minutes, hours or days"),
        ("rate(0 days)", "must be 1 to"),
        ("rate(1 minutes)", "must be rate(1 minute)"),
        ("rate(5  minutes)", "rate is a whole number"),
        ("cron(0 8 * * *)", "has 5 fields; cron has 6: minutes, hours"),
        ("cron(0 8 * * * *)", "one of day-of-month and day-of-week must be ?"),
        ("cron(0 8 ? * ? *)", "one of day-of-month and day-of-week must be ?"),
        ("cron(? 8 ? * MON *)", 'minutes has "?"'),
        ("cron(0 8 ? * FRI-MON *)", "begins after its end"),
        ("cron(0 8 ? * 2/2 *)", "takes no /"),
        ("cron(0/0 8 ? * MON *)", "after the / there must be 1 to 59"),
        ("cron(0 8 32W * ? *)", 'day-of-month has "32W"'),
        ("cron(0 8 ? * 6#6 *)", 'day-of-week has "6#6"'),
        ("at(2027-02-30T08:00:00)", "day is out of range"),
        ("at(2027-01-31 08:00)", "a date and a time without a zone"),
        ("at(2027-01-31T08:00:00Z)", "a date and a time without a zone"),
    ],
)
def test_what_is_wrong_is_said(text: str, told: str):
    fault = schedule_fault(text)

    assert fault is not None
    assert told in fault


def test_a_time_is_that_of_its_zone():
    text = "at(2027-01-31T08:00:00)"

    assert once_at(text, "Europe/Berlin") == once_at(text, "UTC") - 3_600_000  # pyright: ignore
    assert once_at("rate(1 day)", "UTC") is None


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "America/New_York"])
def test_zones_of_the_iana_database_are_known(name: str):
    assert zone_fault(name) is None


@pytest.mark.parametrize("name", ["", "Berlin", "../UTC", "/etc/localtime", "CEST"])
def test_other_zones_are_refused(name: str):
    assert zone_fault(name) is not None


def test_a_zone_that_was_nearly_named_is_suggested():
    assert re.search(r"did you mean Europe/Berlin\?", zone_fault("europe/berlin") or "")
