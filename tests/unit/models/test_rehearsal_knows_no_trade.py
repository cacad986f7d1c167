"""No word of a tried document, nor of the example, may stand in the rehearsal model's code: it works by general rules.

Left out are the lists of everyday English (`lexicon(…)`) and words that any program or any schema is full of.
"""

from __future__ import annotations

import ast
import io
import keyword
import re
import tokenize
from pathlib import Path
from typing import Any

import yaml

import freehold.adapters.rehearsal
from freehold.adapters.rehearsal.words import ACTING_VERBS, LOOKING_VERBS, STOP, lexicon, name_parts, stem

SOURCES = sorted(Path(freehold.adapters.rehearsal.__file__).parent.glob("*.py"))
ROOT = Path(__file__).parents[3]
DOCUMENTS = [
    *sorted((Path(__file__).parent / "worlds").glob("*.yaml")),
    ROOT / "examples" / "customer-support" / "orders-api.yaml",
]
TOLD = ("operationId", "name", "title", "enum", "summary")
EVERYDAY = lexicon(
    """
    amount back change collection com date day describe description detail due email english everything free help
    hour item kind known label low mail max message name near next not number open person place position read reason
    send slot start status step subject text three time title total two unit wrong
"""
)


def strings(node: Any, key: str = "") -> list[str]:
    """The texts of a document that name or describe something, property names included."""
    if isinstance(node, dict):
        own = list(node.get("properties", ())) if isinstance(node.get("properties"), dict) else []
        return own + [text for inner, value in node.items() for text in strings(value, inner)]
    if isinstance(node, list):
        return [text for item in node for text in strings(item, key)]
    return [node] if isinstance(node, str) and key in TOLD else []


def roots(texts: list[str]) -> set[str]:
    found = (part for text in texts for part in name_parts(text))
    return {stem(part) for part in found if len(part) > 2 and part not in STOP | LOOKING_VERBS | ACTING_VERBS}


def code_words(path: Path) -> dict[str, int]:
    """Roots of every word in names, texts and comments, with the line; `lexicon(…)` and keywords left out."""
    source = path.read_text("utf-8")
    lists = [
        range(node.lineno, (node.end_lineno or node.lineno) + 1)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "lexicon"
    ]
    found: dict[str, int] = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        line = token.start[0]
        named = token.type in (tokenize.NAME, tokenize.STRING, tokenize.COMMENT)
        if named and not keyword.iskeyword(token.string) and not any(line in lines for lines in lists):
            for word in re.findall(r"[A-Za-z]+", token.string):
                found |= {stem(part): line for part in name_parts(word)}
    return found


def test_the_code_holds_no_word_of_any_document():
    forbidden = roots(
        [text for path in DOCUMENTS for text in strings(yaml.safe_load(path.read_text("utf-8")))]
    )
    forbidden -= {stem(word) for word in EVERYDAY}

    traces = [
        f"{path.name}:{line}: {word}"
        for path in SOURCES
        for word, line in code_words(path).items()
        if word in forbidden
    ]

    assert len(forbidden) > 100
    assert not traces
