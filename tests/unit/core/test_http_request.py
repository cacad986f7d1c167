"""The request that an operation's arguments become, and how its answer is told."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.errors import ToolFailed
from freehold.http_request import NEVER_ARGUMENTS, read_answer, request
from freehold.values.agent import Argument, Server, Tool
from freehold.values.tool import Answer

COLORS = ["blue", "black"]
RGB = {"R": 100, "G": 200}


def tool(*arguments: Argument, path: str = "/things", method: str = "GET", body: str | None = None) -> Tool:
    return Tool(
        name="t",
        description="",
        input_schema={},
        action_group="g",
        arguments=arguments,
        lambda_arn="",
        idempotent=True,
        api_path=path,
        http_method=method,
        body_content_type=body,
        http=Server("https://api.example.com"),
    )


def at(place: Any, name: str = "color", style: str = "", explode: bool | None = None) -> Argument:
    return Argument(name, name, "string", place, style, explode)


def path_of(value: Any, style: str = "", explode: bool | None = None) -> str:
    return request(
        tool(at("path", "color", style, explode), path="/things/{color}/parts"), {"color": value}
    ).path


# -- path. The expected values are those of the table in OpenAPI 3.1.0, "Style Examples".


@pytest.mark.parametrize(
    ("style", "explode", "text", "array", "object_"),
    [
        ("", None, "blue", "blue,black", "R,100,G,200"),
        ("", True, "blue", "blue,black", "R=100,G=200"),
        ("label", None, ".blue", ".blue,black", ".R,100,G,200"),
        ("label", True, ".blue", ".blue.black", ".R=100.G=200"),
        ("matrix", None, ";color=blue", ";color=blue,black", ";color=R,100,G,200"),
        ("matrix", True, ";color=blue", ";color=blue;color=black", ";R=100;G=200"),
    ],
)
def test_a_path_parameter_is_written_in_its_style(
    style: str, explode: bool | None, text: str, array: str, object_: str
):
    written = [path_of(value, style, explode) for value in ("blue", COLORS, RGB)]

    assert written == [f"/things/{each}/parts" for each in (text, array, object_)]


@pytest.mark.parametrize(
    ("value", "step"),
    [
        ("a/b", "a%2Fb"),
        ("a b?c#d", "a%20b%3Fc%23d"),
        ("ü", "%C3%BC"),
        ("100%", "100%25"),
        ("a..b", "a..b"),
        ("{color}", "%7Bcolor%7D"),
        ("a\r\nb", "a%0D%0Ab"),
        (7, "7"),
        (True, "true"),
    ],
)
def test_a_path_parameter_stays_within_its_step(value: Any, step: str):
    assert path_of(value) == f"/things/{step}/parts"


@pytest.mark.parametrize(
    "value",
    [
        "",
        ".",
        "..",
        "../admin",
        "a/../../admin",
        "..\\admin",
        "%2e%2e",
        "%2e%2e%2fadmin",
        "%252e%252e/x",
        "a/.",
        "..;",
        ".;x=y",
        "..;/admin",
        ".%2e;x",
        "a/..%3Bx/admin",
        ["a", ".."],
        {"a": ".."},
        {"..": "a"},
        [],
        {},
    ],
)
@pytest.mark.parametrize("style", ["", "label", "matrix"])
def test_a_path_parameter_that_leads_elsewhere_is_refused(value: Any, style: str):
    with pytest.raises(ToolFailed, match="path parameter"):
        path_of(value, style)


def test_a_dot_before_a_label_makes_no_step_upwards():
    with pytest.raises(ToolFailed, match=r"step \. or \.\."):
        path_of(".", "label")


@pytest.mark.parametrize("value", [";x", "%3Bx", ";/x"])
def test_a_dot_before_a_semicolon_makes_no_step_either(value: str):
    with pytest.raises(ToolFailed, match="leads elsewhere"):
        path_of(value, "label")
    with pytest.raises(ToolFailed, match="leads elsewhere"):
        request(tool(at("path"), path="/things/.{color}/parts"), {"color": value})


@pytest.mark.parametrize("value", ["...", "..a;b", "a;..", "a;b/c"])
def test_dots_and_semicolons_that_make_no_step_are_sent(value: str):
    assert path_of(value) == f"/things/{quote(value, safe='')}/parts"


def test_a_path_parameter_that_is_missing_is_never_sent_as_its_name():
    with pytest.raises(ToolFailed, match="is missing"):
        request(tool(at("path"), path="/things/{color}"), {})


def test_a_path_of_a_document_is_written_as_urls_are():
    asked = request(tool(at("path", "a"), at("path", "b"), path="/süß/{a}:{b}/x y"), {"a": "{b}", "b": "2"})

    assert asked.path == "/s%C3%BC%C3%9F/%7Bb%7D:2/x%20y"


def test_a_path_with_a_question_mark_fixes_a_part_of_the_query():
    asked = request(tool(at("path", "v"), at("query", "q"), path="/x?op=find&v={v}"), {"v": "1&2", "q": "z"})

    assert (asked.path, asked.query) == ("/x", (("op", "find"), ("v", "1&2"), ("q", "z")))


@given(st.text() | st.lists(st.text(), max_size=3), st.sampled_from(["", "label", "matrix"]), st.booleans())
def test_whatever_a_model_writes_the_path_has_the_steps_of_the_document(
    value: Any, style: str, explode: bool
):
    try:
        path = path_of(value, style, explode)
    except ToolFailed:
        return

    first, *between, last = path[1:].split("/")
    assert (first, last, len(between)) == ("things", "parts", 1)
    assert between[0] not in ("", ".", "..")
    assert not {".", ".."} & {step.partition(";")[0] for step in unquote(between[0]).split("/")}
    assert path.isascii()
    assert not set(path) & set("?#\\ ")


# -- query


@pytest.mark.parametrize(
    ("style", "explode", "value", "query"),
    [
        ("", None, "blue", [("color", "blue")]),
        ("", None, COLORS, [("color", "blue"), ("color", "black")]),
        ("", None, RGB, [("R", "100"), ("G", "200")]),
        ("", False, COLORS, [("color", "blue,black")]),
        ("", False, RGB, [("color", "R,100,G,200")]),
        ("spaceDelimited", False, COLORS, [("color", "blue black")]),
        ("spaceDelimited", None, COLORS, [("color", "blue"), ("color", "black")]),
        ("pipeDelimited", False, COLORS, [("color", "blue|black")]),
        ("pipeDelimited", False, RGB, [("color", "R|100|G|200")]),
        ("deepObject", None, RGB, [("color[R]", "100"), ("color[G]", "200")]),
        ("deepObject", False, {"a": {"b": [1, 2]}}, [("color[a][b][0]", "1"), ("color[a][b][1]", "2")]),
        ("json", None, RGB, [("color", '{"R": 100, "G": 200}')]),
        ("json", None, "blue", [("color", "blue")]),
        ("", None, [], []),
        ("", False, [], []),
        ("", None, True, [("color", "true")]),
        ("", None, 1.5, [("color", "1.5")]),
        ("", None, {"a": {"b": 1}}, [("a", '{"b": 1}')]),
        ("", None, None, []),
    ],
)
def test_a_query_parameter_is_written_in_its_style(
    style: str, explode: bool | None, value: Any, query: list[tuple[str, str]]
):
    asked = request(tool(at("query", style=style, explode=explode)), {"color": value})

    assert list(asked.query) == query


# -- headers and cookies


@pytest.mark.parametrize(
    ("explode", "value", "text"),
    [
        (None, "blue", "blue"),
        (None, COLORS, "blue,black"),
        (None, RGB, "R,100,G,200"),
        (True, RGB, "R=100,G=200"),
        (None, 7, "7"),
        (None, "grün", "grün"),
    ],
)
def test_a_header_is_written_in_the_simple_style(explode: bool | None, value: Any, text: str):
    asked = request(tool(at("header", "X-Color", explode=explode)), {"X-Color": value})

    assert asked.headers == (("X-Color", text),)


@pytest.mark.parametrize("value", ["a\r\nHost: evil", "a\nb", "a\rb", "a\x00b", ["a", "b\n"], {"k\n": "v"}])
def test_a_header_takes_no_line_break(value: Any):
    with pytest.raises(ToolFailed, match="X-Color has a line break"):
        request(tool(at("header", "X-Color")), {"X-Color": value})


@pytest.mark.parametrize("name", [*sorted(NEVER_ARGUMENTS), "Idempotency-Key", "HOST"])
def test_a_model_never_says_what_the_protocol_and_the_executor_say(name: str):
    assert request(tool(at("header", name)), {name: "evil"}).headers == ()


def test_cookies_are_one_header_and_keep_to_themselves():
    asked = request(
        tool(at("cookie", "a"), at("cookie", "b"), at("cookie", "c", explode=False)),
        {"a": "1; admin=1", "b": [1, 2], "c": [3, 4]},
    )

    assert asked.headers == (("Cookie", "a=1%3B%20admin%3D1; b=1; b=2; c=3%2C4"),)


# -- body


def test_properties_become_a_json_object():
    properties = tool(at("body", "a"), at("body", "b"), method="POST", body="application/json")

    asked = request(properties, {"a": {"x": [1, None]}, "b": "ü"})

    assert (asked.method, asked.content_type) == ("POST", "application/json")
    assert json.loads(asked.body or b"") == {"a": {"x": [1, None]}, "b": "ü"}


def test_a_body_property_has_its_own_name_and_not_the_models_key():
    both = tool(
        Argument("id", "id", "string", "query"),
        Argument("body_id", "id", "string", "body"),
        method="POST",
        body="application/json",
    )

    asked = request(both, {"id": "q", "body_id": "b"})

    assert (asked.query, asked.body) == ((("id", "q"),), b'{"id": "b"}')


@pytest.mark.parametrize(
    ("kind", "value", "body"),
    [
        ("application/json", [1, 2], b"[1, 2]"),
        ("application/vnd.api+json", "text", b'"text"'),
        ("text/plain", "a\nb", b"a\nb"),
        ("text/plain", {"a": 1}, b'{"a": 1}'),
        ("application/x-www-form-urlencoded", {"a": "1 2", "b": [1, 2]}, b"a=1+2&b=1&b=2"),
        ("application/x-www-form-urlencoded", "a&b", b"a%26b"),
    ],
)
def test_a_whole_body_stands_for_itself(kind: str, value: Any, body: bytes):
    whole = tool(Argument("body", "body", "object", "wholeBody"), method="POST", body=kind)

    asked = request(whole, {"body": value})

    assert (asked.body, asked.content_type) == (body, kind)


@pytest.mark.parametrize(
    ("style", "explode", "value", "body"),
    [
        ("", None, "a=b&c", b"color=a%3Db%26c"),
        ("", None, COLORS, b"color=blue&color=black"),
        ("", False, COLORS, b"color=blue%2Cblack"),
        ("", None, {"a": 1}, b"color=%7B%22a%22%3A+1%7D"),
        ("deepObject", None, {"a": {"b": 1}}, b"color%5Ba%5D%5Bb%5D=1"),
    ],
)
def test_a_field_of_a_form_is_written_as_the_document_says(
    style: str, explode: bool | None, value: Any, body: bytes
):
    form = tool(
        at("body", style=style, explode=explode), method="POST", body="application/x-www-form-urlencoded"
    )

    assert request(form, {"color": value}).body == body


def test_a_body_that_nothing_was_said_of():
    optional = tool(at("body"), method="POST", body="application/json")
    whole = tool(Argument("body", "body", "object", "wholeBody"), method="POST", body="application/json")

    assert request(optional, {}).body == b"{}"
    assert (request(whole, {}).body, request(whole, {}).content_type) == (None, None)
    assert request(tool(at("query")), {"color": "x"}).body is None


def test_half_a_character_is_marked_and_not_sent():
    asked = request(
        tool(at("query"), at("body", "b"), method="POST", body="application/json"),
        {"color": "\ud800", "b": "\ud800"},
    )

    assert (asked.query, asked.body) == ((("color", "?"),), b'{"b": "?"}')


# -- answers


@pytest.mark.parametrize(
    ("status", "text", "answer"),
    [
        (200, '{"a": 1}', Answer(ok=True, content='{"a": 1}')),
        (204, "", Answer(ok=True, content="HTTP 204")),
        (
            302,
            "redirects to https://x, which was not followed",
            Answer(ok=True, content="HTTP 302: redirects to https://x, which was not followed"),
        ),
        (404, "no such order", Answer(ok=True, content="HTTP 404: no such order")),
        (500, "oh", Answer(ok=False, content="HTTP 500: oh")),
        (503, "", Answer(ok=False, content="HTTP 503")),
    ],
)
def test_an_answer_is_told_with_its_status_unless_it_is_a_success(status: int, text: str, answer: Answer):
    assert read_answer(status, text) == answer
