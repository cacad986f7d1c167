"""What the tools of one action group have in common while they are made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freehold.errors import Problem


MOST_TOOLS = 128
MOST_NAMED = 5


@dataclass
class Group:
    """The action group that tools are made for. `problems` and `warnings` are added to."""

    name: str
    lambda_arn: str
    enabled: bool
    problems: list[Problem] = field(default_factory=list["Problem"])
    warnings: list[str] = field(default_factory=list[str])

    def warn(self, path: str, sentence: str, found: Sequence[str]) -> None:
        """One warning for all that `found` names, and none where that is nothing."""
        if found:
            more = len(found) - MOST_NAMED
            names = ", ".join(found[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
            self.warnings.append(f"{path} {sentence}: {names}")
