"""What a write rests on: that what it changes is as its caller has seen it."""

from __future__ import annotations

from ..errors import PreconditionFailed
from ..value import Value


class Precondition(Value):
    """`tags`: it is as one of these names it. `there`: it is there, however it is. `absent`: it is not."""

    tags: tuple[str, ...] = ()
    there: bool = False
    absent: bool = False

    def check(self, what: str, tag: str | None) -> None:
        """`tag` names its present state, None where it is not there. Raises `PreconditionFailed`."""
        if self.absent and tag is not None:
            raise PreconditionFailed(f"{what} is there already")
        if tag is None and (self.there or self.tags):
            raise PreconditionFailed(f"there is no {what}")
        if self.tags and tag not in self.tags:
            raise PreconditionFailed(f"{what} has changed: its ETag is {tag}, not {', '.join(self.tags)}")


ANYTHING = Precondition()
