"""Descriptions become plain text that is no longer than what helps."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.configuration.wording import for_field, for_tool, shortened


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("<p>Lists <code>orders</code>.</p><p>Newest first.</p>", "Lists orders.\nNewest first."),
        ("One<br/>two<br>three", "One\ntwo\nthree"),
        ('See <a href="https://x.example/a">the page</a>.', "See the page."),
        ("See [the page](https://x.example/a) or ![logo](x.png).", "See the page or logo."),
        ("# Title\n\n\nText **in bold**, 2 * 3 * 4.", "Title\nText in bold, 2 * 3 * 4."),
        ("```json\n{}\n```", "{}"),
        ("a &amp; b &lt; c", "a & b < c"),
        ("/orders/<id> of <customer>", "/orders/<id> of <customer>"),
        ("if a<b and c>d", "if a<b and c>d"),
        ("<!-- hidden -->shown", "shown"),
        ("  two   spaces \n and a line ", "two spaces\nand a line"),
        ("a list [1, 2] (of two)", "a list [1, 2] (of two)"),
    ],
)
def test_marks_of_html_and_markdown_go(text: str, plain: str):
    assert for_tool(text) == plain


def test_a_field_has_one_line():
    assert for_field("First line.\n\nSecond <b>line</b>.") == "First line. Second line."


@pytest.mark.parametrize(
    ("text", "end"),
    [("A sentence. " * 30, "sentence."), ("word " * 60, "word…"), ("w" * 300, "www…"), ("1.5 " * 80, "1.5…")],
)
def test_a_long_text_ends_after_a_sentence_or_a_word(text: str, end: str):
    made = for_field(text)

    assert made.endswith(end)
    assert 100 <= len(made) <= 200


@given(st.text(max_size=2_500) | st.text("<>p/ab[]()*#&;.! \n", max_size=2_500))
def test_no_text_is_too_long_or_broken_by_it(text: str):
    assert len(for_tool(text)) <= 1_000
    assert len(for_field(text)) <= 200
    assert not re.search(r"\n|\s\s", for_field(text))
    assert shortened(text, 200) == text or len(shortened(text, 200)) <= 200
