"""The catalog of known models, read from `models.yaml` in this package."""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from functools import cache
from importlib.resources import files
from typing import Any, cast, get_args

import yaml

from freehold.errors import Invalid, Problem
from freehold.values.model import Cache, Effort, Host, ModelEntry, Price, Sampling, Where

BEDROCK_APIS = ("responses", "converse")
APIS = (*BEDROCK_APIS, "openai_compatible", "rehearsal")
BEDROCK_FIELDS = ("host", "inference")
HOSTS, PLACES, EFFORTS, SAMPLINGS, CACHES = (
    get_args(each) for each in (Host, Where, Effort, Sampling, Cache)
)
ENTRY_FIELDS = (
    *("id", "aliases", "api", *BEDROCK_FIELDS, "regions"),
    *("window", "images", "sampling", "effort", "cache", "price"),
)
PRICE_FIELDS = ("input", "cached", "cacheWrite", "output", "source", "date")

# The C loader is ten times faster; PyYAML is also built without it.
_Loader = cast("type[yaml.SafeLoader]", getattr(yaml, "CSafeLoader", yaml.SafeLoader))


class Catalog:
    """Models by id or alias. A malformed document raises `Invalid`, which names every entry that is wrong."""

    def __init__(self, document: str) -> None:
        self._entries = _parse(document)
        self._by_name = {name: entry for entry in self._entries for name in (entry.id, *entry.aliases)}

    @classmethod
    @cache
    def packaged(cls) -> Catalog:
        """The catalog that comes with Freehold; read once in a process."""
        return cls(files("freehold").joinpath("models.yaml").read_text("utf-8"))

    def find(self, name: str) -> ModelEntry | None:
        """The entry with this id or alias, to the letter."""
        return self._by_name.get(name)

    def all(self) -> tuple[ModelEntry, ...]:
        """Every entry, in the document's order."""
        return self._entries

    def close_to(self, name: str) -> list[str]:
        """Up to three ids or aliases that `name` may have been meant to be, the likeliest first."""
        lowered = {known.lower(): known for known in self._by_name}
        wanted = name.lower()
        inside = [
            known for low, known in lowered.items() if len(wanted) > 3 and (wanted in low or low in wanted)
        ]
        near = [lowered[low] for low in difflib.get_close_matches(wanted, lowered, n=3, cutoff=0.7)]
        return list(dict.fromkeys([*near, *inside]))[:3]


def _parse(document: str) -> tuple[ModelEntry, ...]:
    try:
        # S506 does not see through the variable: both candidates are safe loaders.
        loaded: object = yaml.load(document, Loader=_Loader)  # noqa: S506
    except yaml.YAMLError as error:
        raise Invalid(f"is no YAML: {error}", path="models.yaml") from error
    rows = cast("dict[str, object]", loaded).get("models") if isinstance(loaded, dict) else None
    if not isinstance(rows, list) or not rows:
        raise Invalid("must be a list with at least one model", path="models")
    problems: list[Problem] = []
    entries = [_entry(row, f"models[{i}]", problems) for i, row in enumerate(cast("list[object]", rows))]
    seen: set[str] = set()
    for i, entry in enumerate(entries):
        for name in (entry.id, *entry.aliases):
            if name in seen:
                problems.append(Problem(f"models[{i}]", f"the name {name!r} is already taken"))
            seen.add(name)
    if problems:
        raise Invalid(problems)
    return tuple(entries)


def _entry(row: object, path: str, problems: list[Problem]) -> ModelEntry:
    """The row as an entry, which is good for nothing where something went to `problems`."""
    if not isinstance(row, dict):
        problems.append(Problem(path, f"must be a mapping, not {row!r}"))
        return ModelEntry("", "")
    fields = cast("dict[str, Any]", row)
    _only(fields, ENTRY_FIELDS, path, problems)
    if not isinstance(fields.get("id"), str) or not fields["id"]:
        problems.append(Problem(f"{path}.id", f"must be text, not {fields.get('id')!r}"))
    if "api" not in fields:
        problems.append(Problem(f"{path}.api", f"is missing; it is one of {', '.join(APIS)}"))
    if "price" not in fields:
        problems.append(Problem(f"{path}.price", "is missing; write null where the price is not known"))
    window = fields.get("window")
    if window is not None and (type(window) is not int or window < 1):
        problems.append(Problem(f"{path}.window", f"must be a number of tokens or null, not {window!r}"))
    _reach(fields, path, problems)
    return ModelEntry(
        id=str(fields.get("id")),
        api=_one_of(fields, "api", APIS, path, problems) or "",
        window=cast("int | None", window),
        price=_price(fields.get("price"), f"{path}.price", problems),
        aliases=_texts(fields, "aliases", path, problems),
        host=cast("Host | None", _one_of(fields, "host", HOSTS, path, problems)) or "bedrock-runtime",
        regions=_texts(fields, "regions", path, problems),
        inference=cast("Where | None", _one_of(fields, "inference", PLACES, path, problems)),
        images=_flag(fields, "images", path, problems),
        sampling=cast("Sampling | None", _one_of(fields, "sampling", SAMPLINGS, path, problems)) or "any",
        effort=cast("Effort | None", _one_of(fields, "effort", EFFORTS, path, problems)),
        cache=cast("Cache | None", _one_of(fields, "cache", CACHES, path, problems)),
        listed=True,
    )


def _reach(fields: Mapping[str, Any], path: str, problems: list[Problem]) -> None:
    """How a model is reached is said of Bedrock's models, all of them, and of no other."""
    api = fields.get("api")
    if api in BEDROCK_APIS:
        problems.extend(
            Problem(f"{path}.{name}", f"is missing, and the API {api} needs it")
            for name in BEDROCK_FIELDS
            if fields.get(name) is None
        )
    elif api in APIS:
        problems.extend(
            Problem(f"{path}.{name}", f"must be left out: only models on Bedrock have it, not those of {api}")
            for name in (*BEDROCK_FIELDS, "regions")
            if name in fields
        )
    if api == "converse" and fields.get("host") == "bedrock-mantle":
        problems.append(Problem(f"{path}.host", "must be bedrock-runtime: no other endpoint serves Converse"))
    if api in APIS and api != "converse" and "cache" in fields:
        problems.append(Problem(f"{path}.cache", f"must be left out: only Converse takes marks, not {api}"))


def _price(value: object, path: str, problems: list[Problem]) -> Price | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        problems.append(Problem(path, f"must be a mapping or null, not {value!r}"))
        return None
    fields = cast("dict[str, object]", value)
    _only(fields, PRICE_FIELDS, path, problems)
    amounts = {name: _amount(fields, name, path, problems) for name in ("input", "cached", "output")}
    source = fields.get("source")
    if not isinstance(source, str) or not source:
        problems.append(Problem(f"{path}.source", "must say where the price was read"))
    date = str(fields.get("date"))
    try:
        dt.date.fromisoformat(date)
    except ValueError:
        problems.append(
            Problem(f"{path}.date", f"must be a date such as 2026-01-31, not {fields.get('date')!r}")
        )
    fresh = amounts["input"] or Decimal(0)
    cached = fresh if amounts["cached"] is None else amounts["cached"]
    if cached > fresh:
        problems.append(Problem(f"{path}.cached", f"must be at most the input's {fresh}, not {cached}"))
    written = _amount(fields, "cacheWrite", path, problems) if "cacheWrite" in fields else None
    return Price(fresh, amounts["output"] or Decimal(0), cached, str(source), date, written)


def _amount(fields: Mapping[str, object], name: str, path: str, problems: list[Problem]) -> Decimal | None:
    """Amounts are texts: YAML would make binary floats of them, and those are not what was written."""
    value = fields.get(name)
    if value is None and name == "cached" and name in fields:
        return None
    try:
        amount = Decimal(value) if isinstance(value, str) else None
    except InvalidOperation:
        amount = None
    if amount is None or not amount.is_finite() or amount < 0:
        problems.append(Problem(f"{path}.{name}", f'must be quoted, such as "0.80", not {value!r}'))
        return None
    return amount


def _one_of(
    fields: Mapping[str, object], name: str, allowed: tuple[str, ...], path: str, problems: list[Problem]
) -> str | None:
    value = fields.get(name)
    if value is None:
        return None
    if value not in allowed:
        problems.append(Problem(f"{path}.{name}", f"{value!r} is none of {', '.join(allowed)}"))
        return None
    return cast("str", value)


def _flag(fields: Mapping[str, object], name: str, path: str, problems: list[Problem]) -> bool:
    value = fields.get(name, True)
    if not isinstance(value, bool):
        problems.append(Problem(f"{path}.{name}", f"must be true or false, not {value!r}"))
    return value is True


def _texts(fields: Mapping[str, object], name: str, path: str, problems: list[Problem]) -> tuple[str, ...]:
    value = fields.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in cast("list[object]", value)):
        problems.append(Problem(f"{path}.{name}", f"must be a list of texts, not {value!r}"))
        return ()
    return tuple(cast("list[str]", value))


def _only(fields: Mapping[str, object], known: tuple[str, ...], path: str, problems: list[Problem]) -> None:
    unknown = [name for name in fields if name not in known]
    problems.extend(
        Problem(f"{path}.{name}", f"is unknown; known are {', '.join(known)}") for name in unknown
    )
