"""Tool names are allowed everywhere, unique in the agent and always made the same way."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.configuration.arguments import Arguments
from freehold.configuration.naming import plain_name, with_unique_names
from freehold.values.agent import Tool

from .conftest import Workbench

ALLOWED = re.compile(r"[A-Za-z0-9_-]{1,64}")
KEY = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def _tool(name: str, group: str, number: int) -> Tool:
    return Tool(name, "", {}, group, (), "", idempotent=False, function=f"{name}{number}")


def _by_function(tools: Sequence[Tool]) -> dict[str | None, str]:
    return {tool.function: tool.name for tool in tools}


NAMES = st.text("ab_-", min_size=1, max_size=6) | st.text("a_", min_size=60, max_size=100)
GROUPS = st.sampled_from(["a", "b", "a_b", "g" * 100])
TOOLS = st.lists(st.tuples(NAMES, GROUPS), max_size=40).map(
    lambda pairs: [_tool(name, group, number) for number, (name, group) in enumerate(pairs)]
)


@given(TOOLS)
def test_names_are_unique_and_of_allowed_characters(tools: list[Tool]):
    named = with_unique_names(tools)

    assert len({tool.name for tool in named}) == len(tools)
    assert all(ALLOWED.fullmatch(tool.name) for tool in named)
    assert [tool.function for tool in named] == [tool.function for tool in tools]


@given(TOOLS, st.randoms())
def test_names_do_not_depend_on_the_order_of_groups(tools: list[Tool], random: Any):
    shuffled = random.sample(tools, len(tools))

    assert _by_function(with_unique_names(shuffled)) == _by_function(with_unique_names(tools))


@given(st.text())
def test_a_plain_name_holds_nothing_foreign(text: str):
    assert re.fullmatch(r"[A-Za-z0-9_-]*", plain_name(text))


@settings(max_examples=50)
@given(
    st.lists(
        st.tuples(st.text("a[]é_", min_size=1, max_size=90), st.sampled_from(["path", "query", "body"])),
        unique=True,
        max_size=30,
    )
)
def test_argument_keys_are_unique_and_of_allowed_characters(names: list[tuple[str, Any]]):
    arguments = Arguments()
    for name, place in names:
        arguments.add(name, {}, place, required=True)
    schema, places = arguments.done()

    assert len(schema["properties"]) == len(names)
    assert all(KEY.fullmatch(key) for key in schema["properties"])
    assert [(argument.name, argument.place) for argument in places] == names


def test_long_names_of_arguments_are_shortened_and_told_apart():
    arguments = Arguments()
    for name in ("n" * 70 + "a", "n" * 70 + "b", "n" * 70 + "a" + "[]"):
        arguments.add(name, {}, "query", required=True)
    schema, places = arguments.done()

    assert len(schema["properties"]) == 3
    assert all(KEY.fullmatch(key) for key in schema["properties"])
    assert [argument.name[70:] for argument in places] == ["a", "b", "a[]"]


IDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=90) | st.sampled_from(
    ["a", "a_", "é", "x" * 80]
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.none() | IDS, min_size=1, max_size=12))
def test_any_operation_ids_make_unique_names_of_allowed_characters(ids: list[str | None]):
    operations = [
        {"responses": {"200": {"description": "ok"}}}
        | ({} if given_id is None else {"operationId": given_id})
        for given_id in ids
    ]
    paths = {f"/{'é' * number}": {"get": operation} for number, operation in enumerate(operations)}
    document = {"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": paths}
    bench = Workbench()

    tools = bench.compile(bench.with_api(json.dumps(document))).agent.tools

    assert [tool.api_path for tool in tools] == list(paths)
    assert len({tool.name for tool in tools}) == len(ids)
    assert all(ALLOWED.fullmatch(tool.name) for tool in tools)


def test_clashing_names_get_their_group_in_front(bench: Workbench):
    functions = {"functions": [{"name": "list"}, {"name": "open"}]}
    groups = [bench.group(actionGroupName=name, functionSchema=functions) for name in ("orders", "returns")]
    alone = bench.group(actionGroupName="stock", functionSchema={"functions": [{"name": "count"}]})

    agent = bench.compile(bench.document(actionGroups=[*groups, alone])).agent

    assert [tool.name for tool in agent.tools] == [
        *("orders_list", "orders_open", "returns_list", "returns_open"),
        "count",
    ]
    assert [tool.function for tool in agent.tools] == ["list", "open", "list", "open", "count"]


def test_a_long_name_is_shortened_with_a_digest(bench: Workbench):
    first, second = (
        bench.compile(bench.with_functions({"name": "x" * 99 + end})).agent.tools[0].name for end in "ab"
    )

    assert len(first) == 64
    assert re.fullmatch(r"x{55}_[0-9a-f]{8}", first)
    assert first != second
