"""Results as text that a person can read: what was asked about first, long lists cut, nothing left as JSON."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, cast

from .parameters import KEY_WORDS
from .words import name_parts, stem, stems

MOST_ROWS = 6
MOST_FIELDS = 14
MOST_ROW_FIELDS = 6
LONGEST_TEXT = 1500
_LONGEST_VALUE = 300
_TITLES = ("name", "title", "label", "summary", "subject", "headline")
_COUNTS = frozenset(("count", "total", "size", "length", "number"))


class Renderer:
    """Renders for one request: `said` are its roots, `echoed` the values that it gave itself."""

    def __init__(self, text: str, said: Collection[str], echoed: Collection[str]) -> None:
        self._said = set(said)
        self._echoed = echoed
        self._timely = bool(re.search(r"\bwhen\b|\bwhat time\b|\bhow long\b", text, re.IGNORECASE))
        self._counting = bool(re.search(r"\bhow (many|much)\b", text, re.IGNORECASE))

    def sole_table(self, data: Any) -> list[Any] | None:
        """The list that is all of a result, but for what counts it or echoes the request."""
        if not isinstance(data, dict):
            return cast("list[Any]", data) if isinstance(data, list) else None
        fields = cast("dict[str, Any]", data)
        rows = {key: value for key, value in fields.items() if _is_table(value)}
        more = [key for key in fields if key not in rows and not self._is_count(key, fields[key], rows)]
        return next(iter(rows.values())) if len(rows) == 1 and not more else None

    def lines(self, data: Any) -> list[str]:
        """A whole result."""
        if isinstance(data, list):
            return self._rows(cast("list[Any]", data))
        if not isinstance(data, dict):
            return [shown(data, LONGEST_TEXT)]
        fields = cast("dict[str, Any]", data)
        rows = {key: value for key, value in fields.items() if _is_table(value)}
        rest = {key: value for key, value in fields.items() if key not in rows}
        if rows:
            rest = {key: value for key, value in rest.items() if not self._is_count(key, value, rows)}
        lines = [*self._sentences(rest), *self._facts(rest)]
        for key, value in rows.items():
            lines += [
                f"{spoken(key)}: none" if not value else f"{spoken(key)} ({len(value)}):",
                *self._rows(value),
            ]
        return lines or ["done"]

    def _sentences(self, fields: Mapping[str, Any]) -> Iterator[str]:
        return (value.strip() for value in fields.values() if _is_sentence(value))

    def _facts(self, fields: Mapping[str, Any]) -> list[str]:
        """What the sentences do not say anyway."""
        said = " ".join(self._sentences(fields))
        facts = {key: value for key, value in fields.items() if not _is_sentence(value)}
        facts = {key: value for key, value in facts.items() if len(str(value)) < 6 or str(value) not in said}
        told = self._told(facts, MOST_FIELDS)
        return [f"- {fact}" for fact in told] if len(told) > 3 else [", ".join(told)] if told else []

    def _told(self, fields: Mapping[str, Any], most: int) -> list[str]:
        """`key: value` for each field, the relevant first."""
        ranked = sorted(fields, key=lambda key: self._rank(key, fields[key]))
        told = [f"{spoken(key)}: {flat(fields[key])}" for key in ranked if fields[key] not in (None, "")]
        return told if len(told) <= most else [*told[:most], f"{len(told) - most} more fields"]

    def _rank(self, key: str, value: Any) -> int:
        if {stem(part) for part in name_parts(key)} & self._said:
            return 0
        if self._timely and re.match(r"\d{4}-\d\d-\d\d|\d\d?:\d\d", str(value)):
            return 1
        if self._counting and isinstance(value, (int, float)) and not isinstance(value, bool):
            return 1
        return 3 if str(value) in self._echoed or KEY_WORDS & set(name_parts(key)[-1:]) else 2

    def _rows(self, items: list[Any]) -> list[str]:
        shown_items = [f"{i}. {self._row(item)}" for i, item in enumerate(items[:MOST_ROWS], start=1)]
        left = len(items) - MOST_ROWS
        return [*shown_items, f"… and {left} more"] if left > 0 else shown_items

    def _row(self, item: Any) -> str:
        if not isinstance(item, dict):
            return flat(item)
        fields = dict(cast("dict[str, Any]", item))
        title = _titled(fields)
        told = [
            *self._told(
                {key: fields[key] for key in fields if not _is_sentence(fields[key])}, MOST_ROW_FIELDS
            )
        ]
        ending = max(self._sentences(fields), key=lambda text: len(self._said & set(stems(text))), default="")
        body = ", ".join(told) + (f". {ending}" if told and ending else ending)
        return f"{title}: {body}" if title and body else title or body

    def _is_count(self, key: str, value: Any, rows: Mapping[str, Any]) -> bool:
        """The length of the one list that is shown anyway, or an echo of what was asked."""
        counted = bool(_COUNTS & set(name_parts(key))) and value in [len(row) for row in rows.values()]
        return counted or str(value) in self._echoed


def _titled(fields: dict[str, Any]) -> str:
    """Takes name and key out of an object's fields and makes a title of them."""
    scalar = [
        key for key, value in fields.items() if isinstance(value, (str, int)) and not isinstance(value, bool)
    ]
    name = next((key for key in scalar if name_parts(key)[-1:] and name_parts(key)[-1] in _TITLES), None)
    key = next((key for key in scalar if KEY_WORDS & set(name_parts(key)[-1:])), None)
    title = str(fields.pop(name)) if name else ""
    code = str(fields.pop(key)) if key else ""
    return f"{title} ({code})" if title and code else title or code


def flat(value: Any) -> str:
    """A value within a line."""
    if isinstance(value, dict):
        fields = dict(cast("dict[str, Any]", value))
        title = _titled(fields)
        body = ", ".join(f"{spoken(key)} {flat(inner)}" for key, inner in fields.items() if inner is not None)
        return f"{title} ({body})" if title and body else title or body or "none"
    if isinstance(value, list):
        items = cast("list[Any]", value)
        more = f" and {len(items) - MOST_ROWS} more" if len(items) > MOST_ROWS else ""
        return "; ".join(flat(item) for item in items[:MOST_ROWS]) + more if items else "none"
    return shown(value, _LONGEST_VALUE)


def shown(value: Any, longest: int) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = str(value).strip()
    if re.fullmatch(r"[a-z]+(_[a-z]+)+", text):
        return text.replace("_", " ")
    return f"{text[:longest]}… ({len(text) - longest:,} more characters)" if len(text) > longest else text


def spoken(name: str) -> str:
    """`someThing_else` as words."""
    return " ".join(name_parts(name)) or name


def _is_table(value: Any) -> bool:
    if not isinstance(value, list):
        return False
    items = cast("list[Any]", value)
    return (
        not items
        or isinstance(items[0], dict)
        or len(items) > 3
        or any(len(str(item)) > 40 for item in items)
    )


def _is_sentence(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r".*\w \w.*[.!?]", value.strip(), re.DOTALL) is not None
