"""docs/http.md says what the API does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from freehold.http.problems import STATUS
from freehold.http.requests import RunBody

from .calls import CALLS, routes, shape

PAGE = (Path(__file__).parents[2] / "docs" / "http.md").read_text()
CALL = re.compile(r"`((?:GET|PUT|POST|DELETE|PATCH) /[^`?]*)`")
ROW = re.compile(r"^\| (`(?:GET|PUT|POST|DELETE|PATCH) .*?) \| ([a-z ]+) \|", re.MULTILINE)


def test_the_pages_calls_are_the_apis_own():
    listed = [call for calls, _ in ROW.findall(PAGE) for call in CALL.findall(calls)]

    assert sorted({shape(call) for call in listed}) == sorted({shape(route) for route in routes()})
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


@pytest.mark.parametrize("field", list(RunBody.model_fields))
def test_every_field_of_a_new_run_is_on_the_page(field: str):
    assert f"`{field}`" in PAGE


@pytest.mark.parametrize(("error", "status", "title"), STATUS)
def test_every_error_is_on_the_page(error: type, status: int, title: str):
    (row,) = [line for line in PAGE.splitlines() if f"`urn:freehold:{error.__name__}`" in line]

    assert row.startswith(f"| {status} |")
