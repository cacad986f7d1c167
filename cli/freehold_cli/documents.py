"""Agent files on their way to a stack: read, and their `${OutputKey}` filled from a stack's outputs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from freehold.configuration import load_file

from .settings import WrongUse

PLACEHOLDER = re.compile(r"\$\{([A-Za-z0-9]+)\}")
AGENT_FILES = ("agent.json", "agent.yaml", "agent.yml")
STAND_IN = "arn:aws:lambda:us-east-1:000000000000:function:{}"

Document = dict[str, Any]


def read(path: Path) -> Document:
    """The configuration in `path`, with the local files that it names put in their place."""
    try:
        return load_file(path)
    except OSError as error:
        raise WrongUse(f"cannot read {path}: {error.strerror or error}") from error


def agent_file(directory: Path) -> Path:
    """The one agent file of an agent's folder."""
    found = [directory / name for name in AGENT_FILES if (directory / name).is_file()]
    if len(found) != 1:
        told = "none of them" if not found else "more than one"
        raise WrongUse(f"{directory} must hold one of {', '.join(AGENT_FILES)}; it holds {told}")
    return found[0]


def filled(document: Document, outputs: Mapping[str, str], source: str) -> Document:
    """`document` with each `${Key}` replaced by that output; one that `source` does not have is refused."""

    def value(key: str) -> str:
        if key not in outputs:
            known = ", ".join(sorted(outputs)) or "none"
            raise WrongUse(f"${{{key}}} is no output of {source}", f"Its outputs: {known}.")
        return outputs[key]

    return _replaced(document, value)


def placeholders(document: Document) -> list[str]:
    """Each `${Key}` in `document`, once."""
    found: dict[str, None] = {}

    def note(key: str) -> str:
        found[f"${{{key}}}"] = None
        return ""

    _replaced(document, note)
    return list(found)


def rehearsed(document: Document) -> Document:
    """`document` with an ARN of nothing for each `${Key}`, to be checked before there is a stack."""
    return _replaced(document, STAND_IN.format)


def _replaced(document: Document, value: Callable[[str], str]) -> Document:
    def walk(node: Any) -> Any:
        if isinstance(node, str):
            return PLACEHOLDER.sub(lambda found: value(found[1]), node)
        if isinstance(node, list):
            return [walk(each) for each in cast("list[Any]", node)]
        if isinstance(node, dict):
            entries = cast("dict[str, Any]", node).items()
            # A schema's own text is none of ours to change.
            return {key: each if key == "payload" else walk(each) for key, each in entries}
        return node

    return cast("Document", walk(document))
