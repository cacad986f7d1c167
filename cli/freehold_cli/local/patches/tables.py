"""Work that MiniStack does again for each item of a table, so that a stack would slow down as it fills."""

from __future__ import annotations

import copy
from functools import lru_cache
from importlib import import_module
from typing import Any

from freehold_cli.local.patches.upstream import wrap

_EXPRESSIONS = 1_000
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
