"""The product's Python files, parsed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("layers/core", "functions", "client", "cli")


@dataclass(frozen=True)
class Source:
    path: Path
    text: str
    tree: ast.Module

    @property
    def name(self) -> str:
        return str(self.path.relative_to(ROOT))

    @property
    def lines(self) -> int:
        return len(self.text.splitlines())

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node

    def imports(self) -> set[str]:
        """Modules that are imported anywhere in the file, `from` imports with their names. Relative ones keep dots."""
        found: set[str] = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                start = "." * node.level + (node.module or "")
                joint = "" if start.endswith(".") else "."
                found |= {f"{start}{joint}{alias.name}" for alias in node.names}
        return found


@cache
def sources(*folders: str) -> tuple[Source, ...]:
    """Of these folders, or of all that is ours and runs."""
    found = [path for folder in folders or FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    assert found
    return tuple(Source(path, path.read_text(), ast.parse(path.read_text())) for path in found)


def read(path: str) -> Source:
    (found,) = [source for source in sources() if source.name == path]
    return found
