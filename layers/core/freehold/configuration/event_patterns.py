"""Which events a trigger waits for: patterns as EventBridge's PutRule takes them."""

from __future__ import annotations

import json
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, cast

from freehold.configuration.paths import at, choices, close_to, show
from freehold.errors import Problem
from freehold.triggering import EVENT_FIELDS, sources_of
from freehold.ways_in import FREEHOLD, MOST_HOPS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from freehold.configuration.part import Json

LONGEST = 2_048
OR = "$or"
COMPARISONS = ("<", "<=", "=", ">", ">=")
AFFIXES = ("prefix", "suffix")
TEXTS = ("equals-ignore-case", "wildcard")


def pattern_problems(pattern: Json, path: str) -> Iterator[Problem]:
    size = len(json.dumps(pattern, ensure_ascii=False))
    if size > LONGEST:
        yield Problem(path, f"has {size:,} characters as JSON; at most {LONGEST:,} are allowed")
    yield from _source_problems(pattern.get("source"), at(path, "source"))
    for name, value in pattern.items():
        where = at(path, name)
        if name == OR:
            yield from _or_problems(value, where)
        elif name not in EVENT_FIELDS:
            close = close_to(name, EVENT_FIELDS)
            hint = f"did you mean `{close}`?" if close else f"allowed: {choices(EVENT_FIELDS)}"
            yield Problem(where, f"is no field of an event; {hint}")
        elif name == "detail":
            if isinstance(value, dict):
                yield from _object_problems(cast("Json", value), where)
            else:
                yield Problem(where, f"is {show(value)}; must be an object")
        elif name != "source":
            yield from _list_problems(value, where)


def _source_problems(given: object, path: str) -> Iterator[Problem]:
    allowed = 'a list of sources as text or {"prefix": TEXT}'
    if given is None:
        yield Problem(path, f"is required: {allowed}")
    elif not isinstance(given, list) or not given:
        yield Problem(path, f"is {show(cast('object', given))}; must be {allowed}")
    else:
        for index, one in enumerate(cast("list[object]", given)):
            if (fault := _source_fault(one)) is not None:
                yield Problem(at(path, index), f"is {show(one)}{fault}")


def _source_fault(one: object) -> str | None:
    named = cast("Json", one) if isinstance(one, dict) else {"prefix": one}
    text = named.get("prefix")
    if named.keys() != {"prefix"} or not isinstance(text, str):
        return '; must be text or {"prefix": TEXT}'
    if "*" in text:
        begins = json.dumps({"prefix": text.partition("*")[0]})
        return f", where * would be itself; {begins} stands for all that begin so"
    return None


def pattern_warnings(pattern: Json, path: str) -> Iterator[str]:
    """Of a pattern that holds."""
    for index, (text, prefix) in enumerate(sources_of(pattern)):
        if FREEHOLD.startswith(text) if prefix else text == FREEHOLD:
            where = at(path, "source", index)
            yield (
                f"{where} takes in the stack's own events of runs: where runs begin one another so, "
                f"a limit alone ends it, after {MOST_HOPS} of them"
            )


def _object_problems(pattern: Json, path: str) -> Iterator[Problem]:
    if not pattern:
        yield Problem(path, "is empty; at least one field must be there")
    for name, value in pattern.items():
        where = at(path, name)
        if name == OR:
            yield from _or_problems(value, where)
        elif isinstance(value, dict):
            yield from _object_problems(cast("Json", value), where)
        else:
            yield from _list_problems(value, where)


def _or_problems(given: object, path: str) -> Iterator[Problem]:
    branches = cast("list[Any]", given) if isinstance(given, list) else []
    if len(branches) < 2 or not all(isinstance(one, dict) for one in branches):
        yield Problem(path, "must be a list of at least two patterns")
        return
    for index, one in enumerate(branches):
        yield from _object_problems(one, at(path, index))


def _list_problems(given: object, path: str) -> Iterator[Problem]:
    if not isinstance(given, list) or not given:
        shown = show(cast("object", given))
        yield Problem(path, f"is {shown}; must be a list of values that match, with one at least")
        return
    for index, one in enumerate(cast("list[Any]", given)):
        where = at(path, index)
        if isinstance(one, list):
            yield Problem(where, "is a list; must be text, a number, true, false, null or a comparison")
        elif isinstance(one, dict):
            yield from _comparison_problems(cast("Json", one), where)


def _comparison_problems(given: Json, path: str) -> Iterator[Problem]:
    """Of an object in place of a value, such as `{"prefix": "order."}`."""
    if len(given) != 1 or not given.keys() <= COMPARING.keys():
        yield Problem(path, f"is {json.dumps([*given])}; a comparison is exactly one of {choices(COMPARING)}")
        return
    ((name, value),) = given.items()
    fault = COMPARING[name](name, value)
    if fault is not None:
        yield Problem(at(path, name), f"is {show(value)}; must be {fault}")


def _text(name: str, value: object) -> str | None:
    if not isinstance(value, str):
        return "text"
    if name == "wildcard" and "**" in value:
        return "text in which no * follows another"
    return None


def _affix(name: str, value: object) -> str | None:
    inner: object = cast("Json", value).get("equals-ignore-case") if isinstance(value, dict) else value
    alone = not isinstance(value, dict) or len(cast("Json", value)) == 1
    return None if isinstance(inner, str) and alone else 'text or {"equals-ignore-case": TEXT}'


def _exists(name: str, value: object) -> str | None:
    return None if isinstance(value, bool) else "true or false"


def _cidr(name: str, value: object) -> str | None:
    try:
        if isinstance(value, str) and "/" in value:
            ip_network(value, strict=False)
            return None
    except ValueError:
        pass
    return "a range of addresses such as 10.0.0.0/24"


def _numeric(name: str, value: object) -> str | None:
    given = cast("list[Any]", value) if isinstance(value, list) else []
    signs, numbers = given[::2], given[1::2]
    right = len(given) in (2, 4) and all(sign in COMPARISONS for sign in signs)
    if right and all(_is_number(number) for number in numbers) and ("=" not in signs or len(given) == 2):
        return None
    return 'a comparison such as ["=", 3] or [">", 0, "<=", 100]'


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _anything_but(name: str, value: object) -> str | None:
    if isinstance(value, dict):
        inner = cast("Json", value)
        right = len(inner) == 1 and inner.keys() <= {*AFFIXES, *TEXTS} and _all(inner.values(), _is_text)
    else:
        right = _all([value], _is_text) or _all([value], _is_number)
    if right:
        return None
    return f"text, a number, a list of either, or an object with one of {choices((*AFFIXES, *TEXTS))}"


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _all(values: Iterable[object], is_right: Callable[[object], bool]) -> bool:
    """Of one value, or the one list of them."""
    (given,) = values
    each = cast("list[object]", given) if isinstance(given, list) else [given]
    return bool(each) and all(map(is_right, each))


COMPARING: dict[str, Callable[[str, object], str | None]] = {
    "prefix": _affix,
    "suffix": _affix,
    "equals-ignore-case": _text,
    "wildcard": _text,
    "anything-but": _anything_but,
    "numeric": _numeric,
    "exists": _exists,
    "cidr": _cidr,
}
