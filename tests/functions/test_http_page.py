"""docs/http.md says what the API does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel
from samtranslator.yaml_helper import yaml_parse

from freehold.approving import ALLOWED
from freehold.http.decisions import DecisionBody, ResultBody
from freehold.http.problems import STATUS
from freehold.http.requests import RunBody
from freehold.http.sessions import HandBackBody
from freehold.http.uploads import UploadBody
from freehold.values.agent import Wait

from .calls import CALLS, shape

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "http.md").read_text()
CALL = re.compile(r"`((?:GET|PUT|POST|DELETE|PATCH) /[^`?]*)`")
ROW = re.compile(r"^\| (`(?:GET|PUT|POST|DELETE|PATCH) .*?) \| ([a-z ]+) \|", re.MULTILINE)


def described() -> list[str]:
    """Every call of `openapi.yaml`, which other tests hold equal to the code."""
    paths = yaml_parse((ROOT / "openapi.yaml").read_text())["paths"]
    methods = ("get", "put", "post", "delete", "patch")
    return [
        f"{method.upper()} {path}" for path, item in paths.items() for method in item if method in methods
    ]


def test_the_pages_calls_are_the_apis_own():
    listed = [call for calls, _ in ROW.findall(PAGE) for call in CALL.findall(calls)]

    assert sorted({shape(call) for call in listed}) == sorted({shape(route) for route in described()})
    assert len(listed) == len(set(listed))


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
def test_the_page_names_the_scopes_of_a_call(call):
    ((_, told),) = [row for row in ROW.findall(PAGE) if shape(call.name) in map(shape, CALL.findall(row[0]))]

    assert set(told.split(" or ")) | {"admin"} == set(call.scopes)


def test_the_page_has_an_example_of_every_call():
    examples = "\n".join(re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL))

    for call in CALLS:
        path = re.escape(call.path).replace("/", "['\"]?/", 1)
        pattern = re.sub(r"\\{\w+\\}", r"[^/ ]+", path)
        assert re.search(rf"call {call.method} {pattern}['\"?]?(\s|\?|\)|\"|$)", examples, re.MULTILINE), (
            call.name
        )


@pytest.mark.parametrize("body", [RunBody, DecisionBody, ResultBody, UploadBody, HandBackBody])
def test_every_field_of_a_body_is_on_the_page(body: type[BaseModel]):
    assert [field for field in body.model_fields if f"`{field}`" not in PAGE] == []


@pytest.mark.parametrize("kind", get_args(Wait))
def test_the_page_says_who_decides_about_what_a_call_waits_for(kind: Wait):
    table = PAGE.partition("| `kind` | decisions | by |")[2].partition("\n\n")[0]
    (row,) = [line for line in table.splitlines() if line.startswith(f"| `{kind}` |")]

    told = {verdict for verdict in ("approve", "deny", "result") if f"`{verdict}`" in row.split("|")[2]}
    assert told == set(ALLOWED[kind])


@pytest.mark.parametrize(("error", "status", "title"), STATUS)
def test_every_error_is_on_the_page(error: type, status: int, title: str):
    (row,) = [line for line in PAGE.splitlines() if f"`urn:freehold:{error.__name__}`" in line]

    assert row.startswith(f"| {status} |")


def test_every_error_that_api_gateway_makes_is_on_the_page():
    document = (ROOT / "openapi.yaml").read_text()

    for kind in set(re.findall(r"urn:freehold:(\w+)\"", document)):
        assert f"`urn:freehold:{kind}`" in PAGE, kind


def test_the_page_says_of_every_call_that_can_be_sent_twice_what_the_second_gets():
    """Those are the calls that `openapi.yaml` gives the header."""
    document = yaml_parse((ROOT / "openapi.yaml").read_text())
    header = "#/components/parameters/IdempotencyKey"
    taking = {
        path
        for path, item in document["paths"].items()
        for method, call in item.items()
        if method == "post" and {"$ref": header} in call.get("parameters", ())
    }
    table = PAGE.partition("| repeated | is answered with |")[2].partition("\n\n")[0]
    named = {call.split("/")[-1] for call in re.findall(r"`POST \S*?(/[a-z/-]+)`", table)}

    assert named == {path.split("/")[-1] for path in taking}
