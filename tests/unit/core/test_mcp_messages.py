from __future__ import annotations

from typing import Any

import pytest

from freehold.mcp_messages import arguments, digest, read_answer
from freehold.values.agent import Argument, Tool
from freehold.values.tool import Answer

GIVEN = {
    "name": "search",
    "title": "Search",
    "description": "Search the docs",
    "inputSchema": {"type": "object", "properties": {"q": {"type": "string"}}},
    "outputSchema": {"type": "object"},
    "annotations": {"readOnlyHint": True},
}


def test_a_digest_does_not_depend_on_the_order_of_names():
    assert digest(dict(reversed(GIVEN.items()))) == digest(GIVEN)
    assert len(digest(GIVEN)) == 64


@pytest.mark.parametrize("name", GIVEN)
def test_whatever_defines_a_tool_changes_its_digest(name: str):
    assert digest(GIVEN | {name: "other"}) != digest(GIVEN)
    assert digest({key: value for key, value in GIVEN.items() if key != name}) != digest(GIVEN)


@pytest.mark.parametrize("name", ["icons", "_meta", "execution"])
def test_what_does_not_define_it_changes_nothing(name: str):
    assert digest(GIVEN | {name: {"a": 1}}) == digest(GIVEN)


def test_what_is_not_said_is_as_if_it_were_null():
    assert digest({"name": "search", "title": None}) == digest({"name": "search"})


def test_true_is_not_one():
    """For JSON they differ, though not for Python."""
    assert digest({"name": "a", "inputSchema": {"const": True}}) != digest(
        {"name": "a", "inputSchema": {"const": 1}}
    )


IMAGE = {"type": "image", "mimeType": "image/png", "data": "QUJDRA=="}
AUDIO = {"type": "audio", "mimeType": "audio/wav", "data": "QUJDRA=="}
LINK = {"type": "resource_link", "name": "the manual", "uri": "file:///manual.pdf"}
TEXT_RESOURCE = {"type": "resource", "resource": {"uri": "docs://1", "text": "Read me."}}
BLOB = {"type": "resource", "resource": {"uri": "docs://2", "mimeType": "image/png", "blob": "QUJDRA=="}}


@pytest.mark.parametrize(
    ("result", "told"),
    [
        ({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}, "a\nb"),
        ({"content": [IMAGE]}, "[left out: image, image/png, 6 bytes]"),
        ({"content": [{"type": "text", "text": "see"}, AUDIO]}, "see\n[left out: audio, audio/wav, 6 bytes]"),
        ({"content": [LINK]}, "[a link to the manual: file:///manual.pdf]"),
        ({"content": [TEXT_RESOURCE]}, "[the resource docs://1]\nRead me."),
        ({"content": [BLOB]}, "[left out: the resource docs://2, image/png, 6 bytes]"),
        ({"content": [], "structuredContent": {"größe": 1}}, '{"größe": 1}'),
        ({"content": [{"type": "text", "text": ""}], "structuredContent": [1]}, "[1]"),
        ({"content": [{"type": "text", "text": "one"}], "structuredContent": {"n": 1}}, "one"),
        ({"content": []}, ""),
        ({"content": [{"type": "hologram"}]}, "[left out: hologram]"),
        ({"content": [{"type": "text", "text": "a\ud800b"}]}, "a?b"),
    ],
)
def test_what_a_call_came_to_is_told_as_text(result: dict[str, Any], told: str):
    assert read_answer(result) == Answer(ok=True, content=told)


def test_a_result_that_is_an_error_is_none():
    assert read_answer({"content": [{"type": "text", "text": "no"}], "isError": True}) == Answer(False, "no")


def test_arguments_go_by_the_names_that_the_server_gave_them():
    """A model may not be offered every name."""
    places = (Argument("filter", "$filter", "string", "function"), Argument("q", "q", "string", "function"))
    tool = Tool("search", "", {}, "docs", places, "", False)

    assert arguments(tool, {"filter": "a", "other": 1}) == {"$filter": "a"}
