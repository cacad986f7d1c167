"""The built-in tools that an agent asks for, beside those of its action groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freehold.built_in_tools import TOOLS
from freehold.configuration.group import MOST_TOOLS
from freehold.configuration.paths import at, show
from freehold.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from freehold.values.agent import BuiltIn, Tool

PATH = "builtInTools"


def built_in_tools(asked: Sequence[BuiltIn]) -> tuple[Tool, ...]:
    """A tool for each of `asked`, in that order."""
    return tuple(TOOLS[name] for name in asked)


def built_in_problems(asked: Sequence[BuiltIn], others: Sequence[Tool]) -> Iterator[Problem]:
    """What is wrong with built-in tools that stand beside `others`, those of the action groups."""
    groups = {tool.name: tool.action_group for tool in others}
    for index, name in enumerate(asked):
        first = asked.index(name)
        if first != index:
            yield Problem(at(PATH, index), f"is {show(name)}, as in {at(PATH, first)}; each is named once")
        elif name in groups:
            yield Problem(
                at(PATH, index),
                f"is {show(name)}, as a tool of the action group {show(groups[name])}; rename that one",
            )
    if len(others) <= MOST_TOOLS < len(others) + len(asked):
        made = len(others) + len(asked)
        message = f"make {made} tools with those of actionGroups; at most {MOST_TOOLS} are allowed"
        yield Problem(PATH, f"{message} in one agent")
