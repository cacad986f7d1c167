"""One request to the API, and what is answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..ending import EndCollaborators
from ..value import Value, field
from ..values.precondition import Precondition
from . import preconditions
from .caller import Caller
from .shapes import Json


class Call(Value):
    """`ids` are those in the path. `headers` are found in upper and lower case. `context` is API Gateway's own.

    `ends` makes what the ends of runs need: few calls end one.
    """

    ids: Mapping[str, str]
    query: dict[str, str] | None
    body: str | None
    headers: Mapping[str, str]
    context: Mapping[str, Any]
    ends: Callable[[], EndCollaborators]

    def __getitem__(self, name: str) -> str:
        return self.ids[name]

    @property
    def caller(self) -> Caller:
        return Caller.of(self.context["authorizer"])

    @property
    def idempotency_key(self) -> str | None:
        return self.headers.get("Idempotency-Key")

    @property
    def precondition(self) -> Precondition:
        """Raises `Invalid`."""
        return preconditions.read(self.headers)


class Answer(Value):
    """`body` is None where there is nothing to say. `noted` is a line of the log, by its message, if there is one."""

    body: Json | None = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    noted: Mapping[str, Mapping[str, object]] = field(default_factory=dict[str, Mapping[str, object]])
