"""Traces as the rest of the package knows them: segments in one another, with annotations.

The X-Ray SDK is loaded only where there is a daemon to send to and nobody has switched tracing off.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

Fact = str | int


class Traces(Protocol):
    def segment(self, name: str, *, remote: bool = False) -> AbstractContextManager[Any]:
        """A part of the trace that takes as long as the block; `remote` where somebody else does the work."""
        ...

    def annotate(self, **annotations: Fact) -> None:
        """Make the trace be found by these, at the innermost open segment."""
        ...


class NoTraces:
    """Where tracing is off."""

    def segment(self, name: str, *, remote: bool = False) -> AbstractContextManager[Any]:
        return nullcontext()

    def annotate(self, **annotations: Fact) -> None:
        return


def make_traces(service: str) -> Traces:
    if not _is_on():
        return NoTraces()
    from .xray import XRay

    return XRay(service)


def _is_on() -> bool:
    """Lambda names the address of its daemon; the local stack has no daemon."""
    disabled = os.environ.get("POWERTOOLS_TRACE_DISABLED", "").lower()
    return "AWS_XRAY_DAEMON_ADDRESS" in os.environ and disabled not in ("1", "true", "yes", "on", "y", "t")
