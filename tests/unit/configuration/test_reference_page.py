"""docs/agent.md says what the code does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from freehold.built_in_tools import PIECE, TOOLS
from freehold.configuration import document
from freehold.configuration.document import MODEL_APIS
from freehold.configuration.part import field_names
from freehold.configuration.unsupported import UNUSED_IN_AGENT
from freehold.values.agent import Wait

from .conftest import Workbench

PAGE = (Path(__file__).parents[3] / "docs" / "agent.md").read_text()
# Parts of what is refused whole: the page names the field that holds them.
REFUSED = {"inference", "regions", "logContent"}


def _fields() -> Iterator[str]:
    for part in vars(document).values():
        if isinstance(part, type) and issubclass(part, BaseModel):
            yield from field_names(part)


def test_the_example_compiles_without_a_warning(bench: Workbench):
    (example,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)

    compiled = bench.compile(json.loads(example), name="customer-support-agent")

    assert compiled.warnings == ()
    waits = {tool.name: tool.waits for tool in compiled.agent.tools if tool.waits}
    assert {"findBook", "find_returns"} <= {tool.name for tool in compiled.agent.tools}
    assert waits == {
        "open_return": ("confirmation",),
        "refund": ("approval",),
        "show_label": ("result",),
        "ask_user": ("answer",),
        "escalate_to_human": ("handback",),
        "billing-agent": ("agent",),
    }


@pytest.mark.parametrize("kind", get_args(Wait))
def test_everything_that_a_call_may_wait_for_is_on_the_page(kind: str):
    (row,) = re.findall(rf"^\| [^|]+ \| `{kind}` \| .*", PAGE, re.MULTILINE)

    assert row


@pytest.mark.parametrize("field", sorted(set(_fields()) - REFUSED))
def test_every_field_is_on_the_page(field: str):
    assert re.search(rf"\b{field}\b", PAGE)


@pytest.mark.parametrize("name", [*MODEL_APIS, *UNUSED_IN_AGENT[:6]])
def test_every_model_api_and_unused_setting_is_on_the_page(name: str):
    assert f"`{name}`" in PAGE


@pytest.mark.parametrize("name", TOOLS)
def test_every_built_in_tool_is_on_the_page_with_its_arguments(name: str):
    (row,) = re.findall(rf"^\| `{name}` \| .*", PAGE, re.MULTILINE)

    assert all(f"`{argument}`" in row for argument in TOOLS[name].input_schema["properties"])


def test_the_page_knows_how_much_is_read_at_once():
    assert f"up to {PIECE:,} characters" in PAGE
