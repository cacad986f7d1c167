"""Text from strangers: plain data, or an error with its line, quickly."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.configuration.reading import decode, read_text
from freehold.errors import Invalid

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=20,
)


class QuotedText(yaml.SafeDumper):
    """Writes every text in quotes."""


QuotedText.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
)


@settings(max_examples=30)
@given(st.dictionaries(st.text(st.characters(codec="utf-8")), PLAIN))
def test_json_text_is_read_as_what_it_holds(value: dict[str, Any]):
    assert read_text(json.dumps(value)) == value


@settings(max_examples=30)
@given(st.dictionaries(st.text("abc", min_size=1), PLAIN, min_size=1))
def test_yaml_text_is_read_as_what_it_holds(value: dict[str, Any]):
    # PyYAML writes YAML 1.1, where the text "0E0" needs no quotes; what is read is YAML 1.2, where it does.
    text = yaml.dump(value, Dumper=QuotedText, default_flow_style=False, allow_unicode=False)

    assert read_text(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: no", "no"),
        ("a: on", "on"),
        ("a: 2026-11-01", "2026-11-01"),
        ("a: 12:30", "12:30"),
        ("a: 010", 10),
        ("a: 0x1F", 31),
        ("a: 1e3", 1000.0),
        ("a: 3.0.3", "3.0.3"),
        ("a: '7'", "7"),
        ("a: !!str 7", "7"),
        ("a: ~", None),
        ("a:", None),
        ("a: True", True),
        ("a: |\n  x\n  y\n", "x\ny\n"),
        ("a: &b {c: 1}\n", {"c": 1}),
    ],
)
def test_yaml_scalars_follow_version_1_2(text: str, value: object):
    assert read_text(text) == {"a": value}


def test_yaml_keys_are_text_and_aliases_are_filled_in():
    text = "200: &ok {null: 1, true: 2}\n404: *ok\n"

    assert read_text(text) == {"200": {"null": 1, "true": 2}, "404": {"null": 1, "true": 2}}


def test_a_byte_order_mark_is_passed_over():
    assert read_text("\ufeff{}") == {} == read_text(decode(b"\xef\xbb\xbf{}"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("{", "line 1, column 2"),
        ('{"a": NaN}', "holds NaN"),
        ('{"a": -Infinity}', "holds -Infinity"),
        ('{"a": 1e999}', "NaN or infinite"),
        ('{"a": 1, "b": {"c": 1, "c": 2}}', '"c" twice'),
        ('{"a": %s}' % ("9" * 5_000), "more digits"),
        ('{"a": "\\ud800"}', "broken Unicode"),
        ("[" * 100_000, "100 levels"),
        ("[" * 101 + "]" * 101, "100 levels"),
        ("a: 1\nb: 2\na: 3", '"a" twice in one mapping (line 3'),
        ("a: .nan", "finite"),
        ("a: -.INF", "finite"),
        ("a: %s" % ("9" * 5_000), "more digits"),
        ("a: b: c", "line 1, column 5"),
        ("a: [1", "not valid YAML"),
        ("a: 1\n---\nb: 2", "second document"),
        ("a: !!python/name:os.system x", "tags are not allowed"),
        ("a: !custom [1]", "tags are not allowed"),
        ("a: !!binary aGk=", "tags are not allowed"),
        ("? [a]\n: 1", "keys must be text"),
        ("a: &x [*x]", "not (or not yet completely) defined"),
        ("a: *b", "not (or not yet completely) defined"),
        ("a: &b {c: 1}\nd:\n  <<: *b", "merge key"),
        ("a: \x07", "not valid YAML"),
        ("- " * 50_000, "100 levels"),
        (
            "a: &a [1,1]\n" + "".join(f"k{n}: &k{n} [*{f'k{n - 1}' if n else 'a'}, *a]\n" for n in range(3)),
            None,
        ),
    ],
)
def test_text_that_cannot_be_trusted_is_refused(text: str, message: str | None):
    if message is None:
        assert len(read_text(text)) == 4
        return
    with pytest.raises(Invalid) as refused:
        read_text(text, "here")

    (problem,) = refused.value.problems
    assert problem.path.startswith("here")
    assert message in problem.message


def test_aliases_that_multiply_are_refused_before_they_do():
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]\n" for n in range(1, 30))

    with pytest.raises(Invalid, match="400,000 values"):
        read_text("l0: &l0 [1]\n" + levels)


def test_bytes_that_are_no_utf_8_are_refused():
    with pytest.raises(Invalid, match=r"byte 3"):
        decode(b"ab\xff")


@given(st.text(st.characters(codec="utf-8")) | st.text(":-{}[]\"'&*!|>%@`, \n\tab", max_size=60))
def test_any_text_is_read_or_refused(text: str):
    try:
        read_text(text)
    except Invalid as error:
        if not str(error):
            pytest.fail("refused without a word")
