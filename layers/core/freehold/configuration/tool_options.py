"""What may be said about one tool, wherever it is described."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from freehold.configuration.part import Part


def _switch(value: object) -> object:
    return {True: "ENABLED", False: "DISABLED"}[value] if isinstance(value, bool) else value


Switch = Annotated[Literal["ENABLED", "DISABLED"], BeforeValidator(_switch)]
ToolTimeout = Annotated[int, Field(ge=1, le=300)]
Attempts = Annotated[int, Field(ge=1, le=10)]


class ToolOptions(Part):
    """In a function schema, in `allowedTools`, or as `x-…` in an OpenAPI operation."""

    require_confirmation: Switch = "DISABLED"
    require_approval: Switch = "DISABLED"
    idempotent: bool | None = None
    timeout_seconds: ToolTimeout = 60
    max_attempts: Attempts = 3
