"""When a schedule comes due: `rate(…)`, `cron(…)` and `at(…)`, as EventBridge Scheduler has them."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING

from freehold.built_in_tools import time_zone, time_zones
from freehold.configuration.paths import choices, close_to, show
from freehold.value import Value

if TYPE_CHECKING:
    from collections.abc import Iterator

FORMS = "rate(5 minutes), cron(0 8 * * ? *) or at(2027-01-31T08:00:00)"
UNITS = ("minute", "hour", "day")
MOST = 999_999

_FORM = re.compile(r"(rate|cron|at)\(([^()]*)\)")
_RATE = re.compile(r"([0-9]{1,10}) ([a-z]+)")
_AT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


class Field(Value):
    """A field of cron: numbers from `least` to `most`, or `names` of them. `special` is what no other field has."""

    name: str
    least: int
    most: int
    names: tuple[str, ...] = ()
    special: re.Pattern[str] | None = None
    steps: bool = True

    def number(self, text: str) -> int | None:
        """None for what is neither a number in range nor a name."""
        if text.upper() in self.names:
            return self.least + self.names.index(text.upper())
        found = int(text) if re.fullmatch(r"[0-9]{1,4}", text) else -1
        return found if self.least <= found <= self.most else None

    @property
    def allowed(self) -> str:
        named = f" or {self.names[0]} to {self.names[-1]}" if self.names else ""
        return f"{self.least} to {self.most}{named}"


FIELDS = (
    Field("minutes", 0, 59),
    Field("hours", 0, 23),
    Field("day-of-month", 1, 31, special=re.compile(r"\?|L|LW|([1-9]|[12][0-9]|3[01])W")),
    Field("month", 1, 12, _MONTHS),
    Field(
        *("day-of-week", 1, 7, _DAYS),
        special=re.compile(rf"\?|([1-7]|{'|'.join(_DAYS)})?L|([1-7]|{'|'.join(_DAYS)})#[1-5]"),
        steps=False,
    ),
    Field("year", 1970, 2199),
)


def schedule_fault(text: str) -> str | None:
    """What is wrong with the expression, and what is allowed; None where it holds."""
    form = _FORM.fullmatch(text)
    if form is None:
        return f"is {show(text)}; must be {FORMS}"
    kind, inside = form.groups()
    fault = {"rate": _rate_fault, "cron": _cron_fault, "at": _at_fault}[kind](inside)
    return f"is {show(text)}; {fault}" if fault else None


def zone_fault(name: str) -> str | None:
    if time_zone(name) is not None:
        return None
    close = close_to(name, sorted(time_zones()))
    hint = f" (did you mean {close}?)" if close else ""
    return f"is {show(name)}; must be a name of the IANA time zone database, such as Europe/Berlin{hint}"


def once_at(text: str, zone: str) -> int | None:
    """When a valid one-time schedule comes due, as epoch milliseconds; None for all others."""
    form = _FORM.fullmatch(text)
    if form is None or form[1] != "at":
        return None
    moment = datetime.fromisoformat(form[2]).replace(tzinfo=time_zone(zone))
    return int(moment.timestamp()) * 1000


def _rate_fault(inside: str) -> str | None:
    found = _RATE.fullmatch(inside)
    singular = found[2].removesuffix("s") if found else ""
    if found is None or singular not in UNITS:
        return f"rate is a whole number and {choices([f'{unit}s' for unit in UNITS])}: rate(5 minutes)"
    if not 1 <= int(found[1]) <= MOST:
        return f"the number must be 1 to {MOST:,}"
    right = singular if int(found[1]) == 1 else f"{singular}s"
    return None if found[2] == right else f"must be rate({int(found[1])} {right})"


def _at_fault(inside: str) -> str | None:
    if _AT.fullmatch(inside):
        try:
            datetime.fromisoformat(inside)
        except ValueError as error:
            return str(error)
        return None
    return "at is a date and a time without a zone, which timeZone names: at(2027-01-31T08:00:00)"


def _cron_fault(inside: str) -> str | None:
    given = inside.split()
    if len(given) != len(FIELDS):
        names = ", ".join(field.name for field in FIELDS)
        return f"has {len(given)} fields; cron has {len(FIELDS)}: {names}"
    faults = [
        fault for field, text in zip(FIELDS, given, strict=True) for fault in _field_faults(field, text)
    ]
    if not faults and (given[2] == "?") == (given[4] == "?"):
        faults.append("one of day-of-month and day-of-week must be ?, and the other must not")
    return "; ".join(faults) or None


def _field_faults(field: Field, text: str) -> Iterator[str]:
    if text == "?" and field.special:
        return
    for part in text.split(","):
        if (fault := _part_fault(field, part)) is not None:
            yield f"{field.name} {fault}"


def _part_fault(field: Field, part: str) -> str | None:
    """Of one entry of a list: `*`, a number, a range, either with a step, or what only this field has."""
    if field.special and part != "?" and field.special.fullmatch(part.upper()):
        return None
    span, slash, step = part.partition("/")
    if slash and not field.steps:
        return f"has {show(part)}; it takes no /"
    if slash and not (re.fullmatch(r"[0-9]{1,4}", step) and 1 <= int(step) <= field.most):
        return f"has {show(part)}; after the / there must be 1 to {field.most}"
    if span == "*":
        return None
    ends = [field.number(end) for end in span.split("-")]
    if None in ends or len(ends) > 2:
        return f"has {show(part)}; allowed are {field.allowed}"
    first, last = ends[0] or 0, ends[-1] or 0
    return f"has {show(part)}, which begins after its end" if first > last else None
