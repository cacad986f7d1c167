"""Work that MiniStack does again for each item of a table, so that a stack would slow down as it fills."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from typing import Any

from freehold_cli.local.patches.upstream import wrap

_EXPRESSIONS = 1_000
# Attribute, how it is compared, and with which value.
_Comparison = tuple[str, Callable[[str, str], bool], str]
_KEYS = re.compile(
    r"([a-z_]+) = (:\w+)"
    r"(?: AND (?:begins_with\(([a-z_]+), (:\w+)\)|([a-z_]+) BETWEEN (:\w+) AND (:\w+)|([a-z_]+) ([<>]) (:\w+)))?"
)
# All that a save holds but for the tables.
_SMALL = (
    "tags",
    "ttl_settings",
    "pitr_settings",
    "kinesis_destinations",
    "contributor_insights",
    "backups",
    "resource_policies",
    "exports",
    "imports",
)


def read_expressions_once() -> None:
    """A query holds its condition against every item of the partition, and parses its text for each of them."""
    tables: Any = import_module("ministack.services.dynamodb")
    problem = lru_cache(_EXPRESSIONS)(tables._condition_syntax_error)
    tokens = lru_cache(_EXPRESSIONS)(tables._tokenize)

    def syntax_error(original: Any, expression: str, slot: str) -> str | None:
        return problem(expression, slot)

    def tokenize(original: Any, expression: str) -> list[Any]:
        # Who asks may change the list.
        return list(tokens(expression))

    wrap(tables, "_condition_syntax_error", syntax_error, reads=("_COND_TOKEN_RE.finditer(expr)",))
    wrap(tables, "_tokenize", tokenize, reads=("tokens.append(('LPAREN', '('))",))


def compare_keys_as_text() -> None:
    """A query works its condition out for every item of the partition, however few of them it is about."""
    tables: Any = import_module("ministack.services.dynamodb")

    @lru_cache(_EXPRESSIONS)
    def comparisons(expression: str) -> list[_Comparison]:
        refused = tables._check_reserved_keyword_usage(tables._tokenize(expression))
        return [] if refused else _compared(expression)

    def evaluate(
        original: Any, expression: str, item: Any, values: Any, names: Any, slot: str = "ConditionExpression"
    ) -> bool:
        found = comparisons(expression) if slot == "KeyConditionExpression" else []
        try:
            if found:
                return all(holds(item[name]["S"], values[value]["S"]) for name, holds, value in found)
        except KeyError:
            pass  # A number, say.
        return original(expression, item, values, names, slot)

    evaluated = "return _ExprEval(tokens, item, attr_values, attr_names).evaluate()"
    wrap(tables, "_evaluate_condition", evaluate, reads=(evaluated,))


def _compared(condition: str) -> list[_Comparison]:
    """What a condition of the forms in which Freehold asks compares; nothing of any other one."""
    found = _KEYS.fullmatch(condition)
    if not found:
        return []
    pk, pk_value, begins, prefix, between, first, last, sk, sign, bound = found.groups()
    comparisons = (
        (pk, str.__eq__, pk_value),
        (begins, str.startswith, prefix),
        (between, str.__ge__, first),
        (between, str.__le__, last),
        (sk, str.__lt__ if sign == "<" else str.__gt__, bound),
    )
    return [each for each in comparisons if each[0]]


def save_items_without_copying_them() -> None:
    """A write puts another item in an item's place and changes none, so that a save need not copy what is in them."""
    tables: Any = import_module("ministack.services.dynamodb")

    def state(original: Any) -> dict[str, Any]:
        saved = type(tables._tables)()
        for (account, region, name), table in tables._tables.all_items():
            items = {key: dict(partition) for key, partition in table["items"].items()}
            rest = {
                part: each for part, each in table.items() if part not in ("items", tables._INDEX_MEMBERS)
            }
            saved.set_scoped(account, region, name, {**copy.deepcopy(rest), "items": items})
        return {"tables": saved, **{name: copy.deepcopy(getattr(tables, f"_{name}")) for name in _SMALL}}

    small = (f'"{name}": copy.deepcopy(_{name}),\n' for name in _SMALL)
    wrap(
        tables, "get_state", state, reads=('"tables": tables,\n        ' + "        ".join(small) + "    }",)
    )
