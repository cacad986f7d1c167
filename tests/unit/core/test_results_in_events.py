"""How much of a call's result those who follow a run are told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from freehold.following import Cursor, Event, ToolFinished
from freehold.http.events import event_shape
from freehold.values.history import Excerpt
from freehold.values.run import Result
from freehold.watching import LONGEST_RESULT

from .followed import NOW, Record


def told(content: str, refused: str | None = None) -> dict[str, Any]:
    record = Record()
    lap = record.write("a", "", "look", refused=refused)
    read = Excerpt.of(Result(1, 0, "look", "success", content, NOW), LONGEST_RESULT)
    event = Event(ToolFinished(lap, 0, None if refused else read), NOW, Cursor(1))
    shape = event_shape(record.run.key, event, reads=True)
    assert shape is not None
    return {name: value for name, value in json.loads(shape["data"]).items() if name.startswith("result")}


def test_a_result_is_told_in_full_as_far_as_it_goes():
    assert told("x" * LONGEST_RESULT) == {"result": "x" * LONGEST_RESULT}


@pytest.mark.parametrize("refused", [False, True])
def test_of_a_longer_one_its_beginning_and_its_length_are_told(refused: bool):
    content = "y" * LONGEST_RESULT + "z"

    shown = told("", content) if refused else told(content)

    assert shown == {"result": "y" * LONGEST_RESULT, "resultLength": LONGEST_RESULT + 1}
