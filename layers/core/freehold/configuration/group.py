"""What the tools of one action group have in common while they are made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freehold.value import Value, field, replace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freehold.configuration.document import ToolOptions
    from freehold.errors import Problem
    from freehold.values.agent import Guard, Server, Tool


MOST_TOOLS = 128
MOST_NAMED = 5


class Group(Value):
    """The action group that tools are made for. `problems` and `warnings` are added to."""

    name: str
    lambda_arn: str
    enabled: bool
    problems: list[Problem] = field(default_factory=list["Problem"])
    warnings: list[str] = field(default_factory=list[str])
    returns_control: bool = False
    http: Server | None = None

    def with_executor(self, tool: Tool, options: ToolOptions) -> Tool:
        """`tool` with what runs it, and with those who must agree before that."""
        guards = guards_of(options)
        return replace(
            tool,
            guards=guards,
            lambda_arn="" if guards else self.lambda_arn,
            guarded_lambda=self.lambda_arn if guards else "",
            returns_control=self.returns_control,
            http=self.http,
        )

    def warn(self, path: str, sentence: str, found: Sequence[str]) -> None:
        """One warning for all that `found` names, and none where that is nothing."""
        if found:
            more = len(found) - MOST_NAMED
            names = ", ".join(found[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
            self.warnings.append(f"{path} {sentence}: {names}")


def guards_of(options: ToolOptions) -> tuple[Guard, ...]:
    """Who must agree: the user before the approvers, whose time is dearer."""
    asked: dict[Guard, str] = {
        "confirmation": options.require_confirmation,
        "approval": options.require_approval,
    }
    return tuple(guard for guard, switch in asked.items() if switch == "ENABLED")
