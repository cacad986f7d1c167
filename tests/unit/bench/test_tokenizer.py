from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path

import pytest
from bench.tokenizer import Tokenizer

BYTES = [bytes([byte]) for byte in range(256)]


@pytest.fixture
def tokenizer(tmp_path: Path) -> Tokenizer:
    """One that knows each byte, then `ab`, `bc` and `abab`; words are runs of letters."""
    known = [*BYTES, b"ab", b"bc", b"abab"]
    ranks = "! 0 " + " ".join(b64encode(token).decode() for token in known)
    given = {"pat_str": r"\p{L}+|\s|.", "special_tokens": {}, "bpe_ranks": ranks}
    path = tmp_path / "small.js"
    path.write_text(f"export default {json.dumps(given)};")
    return Tokenizer(path)


@pytest.mark.parametrize(
    ("text", "counted"),
    [
        ("", 0),
        ("ab", 1),
        ("abab", 1),
        ("ababab", 2),
        # `ab` comes before `bc`, so that `c` stays alone.
        ("abc", 2),
        # No token reaches beyond a word.
        ("a b", 3),
        ("ж", 2),
    ],
)
def test_the_pair_of_lowest_rank_is_merged_first(tokenizer: Tokenizer, text: str, counted: int):
    assert tokenizer.count(text) == counted
