"""What a schema says beside what it allows: in JSON Schema's own words and, for a model, no longer than what helps."""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from freehold.configuration.wording import LONGEST_FIELD, for_field

if TYPE_CHECKING:
    from freehold.configuration.references import Schema

LONGEST_EXAMPLE = 60


def worded(given: Schema, made: Schema, *, terse: bool) -> None:
    """Word the notes that `made` took over from `given`; where `terse`, short ones alone.

    What is short shows the model a form; what is long only costs tokens.
    """
    if "examples" not in made and isinstance(shown := given.get("example"), str | int | float):
        made["examples"] = [shown]
    if not terse:
        return
    for key in ("title", "description"):
        if isinstance(said := made.get(key), str):
            made[key] = for_field(said)
    if not made.get("description", True):
        del made["description"]
    for key in ("default", "format"):
        if key in made and _is_long(made[key]):
            del made[key]
    if "examples" in made:
        shown = cast("list[Any]", made["examples"]) if isinstance(made["examples"], list) else []
        short = [
            one for one in shown if not isinstance(one, dict | list) and len(str(one)) <= LONGEST_EXAMPLE
        ]
        made["examples"] = short[:2]
        if not short:
            del made["examples"]


def _is_long(value: object) -> bool:
    """Whether `value` as JSON is longer than a description may be; no more of it is read than that takes."""
    if isinstance(value, str | list | dict) and len(cast("list[object]", value)) > LONGEST_FIELD:
        return True
    parts = islice(json.JSONEncoder(ensure_ascii=False).iterencode(value), LONGEST_FIELD + 1)
    return sum(map(len, parts)) > LONGEST_FIELD


def untitled(name: str, schema: Any) -> Any:
    """`schema` without a title that is `name` again: generators give each property its own."""
    if not isinstance(schema, dict):
        return schema
    titled = cast("Schema", schema)
    title = titled.get("title")
    if not isinstance(title, str) or _letters(title) != _letters(name):
        return titled
    return {key: part for key, part in titled.items() if key != "title"}


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text)).casefold()
