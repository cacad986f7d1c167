"""A model's real tokenizer: byte pairs, merged in the order of OpenAI's published ranks.

The ranks come with js-tiktoken (MIT), which `make bench` fetches. They are for the bench alone.
"""

from __future__ import annotations

import json
from base64 import b64decode
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import regex

FOLDER = Path(__file__).parents[1] / ".venv-tiktoken" / "package" / "dist" / "ranks"
PREFIX = "export default "


class Tokenizer:
    """Of one encoding, as js-tiktoken writes it down."""

    def __init__(self, path: Path) -> None:
        text = path.read_text(encoding="utf-8").strip().removeprefix(PREFIX).rstrip(";")
        given = json.loads(text)
        self._ranks = _ranks(given["bpe_ranks"])
        self._pattern = regex.compile(given["pat_str"])
        self._of_word = lru_cache(1 << 18)(self._merged)

    @classmethod
    def of(cls, encoding: str) -> Tokenizer:
        """`o200k_base` (GPT-4o and later) or `cl100k_base` (GPT-4)."""
        return cls(FOLDER / f"{encoding}.js")

    def count(self, text: str) -> int:
        """Tokens of the text. What looks like a special token is text."""
        return sum(self._of_word(found.group()) for found in self._pattern.finditer(text))

    def _merged(self, word: str) -> int:
        given = word.encode()
        if given in self._ranks:
            return 1
        parts = [given[i : i + 1] for i in range(len(given))]
        while len(parts) > 1:
            ranks = [self._ranks.get(one + next_, -1) for one, next_ in pairwise(parts)]
            known = [rank for rank in ranks if rank >= 0]
            if not known:
                break
            at = ranks.index(min(known))
            parts[at : at + 2] = [parts[at] + parts[at + 1]]
        return len(parts)


def _ranks(lines: str) -> dict[bytes, int]:
    """Of lines such as `! 0 IQ== Ig==`: tokens of consecutive ranks, from the one that is named."""
    found: dict[bytes, int] = {}
    for line in lines.split("\n"):
        _, first, *coded = line.split(" ")
        found |= {b64decode(each): rank for rank, each in enumerate(coded, int(first))}
    return found
