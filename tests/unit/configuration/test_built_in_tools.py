"""Built-in tools stand beside those of the action groups."""

from __future__ import annotations

from typing import Any

from freehold.adapters.argument_check import check_arguments
from freehold.errors import Problem

from .conftest import Workbench


def _group(bench: Workbench, *names: str, group: str = "orders") -> dict[str, Any]:
    functions = [{"name": name} for name in names]
    return bench.group(actionGroupName=group, functionSchema={"functions": functions})


def test_built_in_tools_come_after_the_agents_own_in_the_order_in_which_they_are_named(bench: Workbench):
    groups = [_group(bench, "look")]

    agent = bench.compile(
        bench.document(actionGroups=groups, builtInTools=["current_time", "read_more"])
    ).agent

    assert [(tool.name, tool.built_in) for tool in agent.tools] == [
        ("look", None),
        ("current_time", "current_time"),
        ("read_more", "read_more"),
    ]


def test_an_agent_may_have_built_in_tools_alone(bench: Workbench):
    (tool,) = bench.compile(bench.document(builtInTools=["read_more"])).agent.tools

    assert (tool.action_group, tool.executor, tool.enabled) == ("freehold", "builtIn", True)
    assert (tool.idempotent, tool.timeout_seconds, tool.max_attempts) == (True, 10, 3)


def test_their_schemas_take_what_they_understand_and_nothing_else(bench: Workbench):
    read_more, current_time = bench.compile(
        bench.document(builtInTools=["read_more", "current_time"])
    ).agent.tools

    assert check_arguments(read_more, '{"call": "t3-l1-c0"}') is None
    assert check_arguments(read_more, '{"call": "t3-l1-c0", "from": 20000}') is None
    assert check_arguments(current_time, "{}") is None
    assert check_arguments(current_time, '{"timeZone": "Europe/Berlin"}') is None
    assert "required" in (check_arguments(read_more, "{}") or "")
    assert "minimum" in (check_arguments(read_more, '{"call": "t3-l1-c0", "from": -1}') or "")
    assert "zone" in (check_arguments(current_time, '{"zone": "UTC"}') or "")


def test_a_tool_of_the_agents_own_with_the_same_name_is_named(bench: Workbench):
    groups = [_group(bench, "read_more", "look", group="archive")]

    problems = bench.problems(bench.document(actionGroups=groups, builtInTools=["current_time", "read_more"]))

    assert problems == [
        Problem(
            "builtInTools[1]",
            'makes the tool "read_more", as the action group "archive" does; rename that one',
        )
    ]


def test_tools_that_are_told_apart_by_their_groups_clash_with_none(bench: Workbench):
    groups = [_group(bench, "read_more", group=name) for name in ("archive", "orders")]

    agent = bench.compile(bench.document(actionGroups=groups, builtInTools=["read_more"])).agent

    assert [tool.name for tool in agent.tools] == ["archive_read_more", "orders_read_more", "read_more"]


def test_they_count_among_the_tools_that_an_agent_may_have(bench: Workbench):
    full, over = (
        bench.document(
            actionGroups=[_group(bench, *(f"f{i}" for i in range(count)))], builtInTools=["read_more"]
        )
        for count in (127, 128)
    )

    assert len(bench.compile(full).agent.tools) == 128
    assert bench.problems(over) == [
        Problem("builtInTools", "takes the tools to 129; at most 128 are allowed in one agent")
    ]
