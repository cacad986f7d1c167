"""Erasing everything of a memory or of a principal, over HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..erasing import ErasingCollaborators, erase_memory, erase_principal
from ..values.run import Principal
from . import requests, shapes
from .caller import Caller
from .shapes import Json

# API Gateway waits 29 seconds for an answer, and what was begun is finished.
WORK_SECONDS = 20


def work_is_over() -> Callable[[], bool]:
    """Whether the time of a request that began just now is used up."""
    deadline = time.monotonic() + WORK_SECONDS
    return lambda: time.monotonic() >= deadline


def once_complete(shape: Json) -> Json | None:
    """What is kept of an answer: nothing, as long as the same request has something left to do."""
    return shape if shape["complete"] else None


def create(caller: Caller, body: str | None, using: ErasingCollaborators) -> Json:
    """Erase for 20 seconds at most; `complete` is false where more is left for the same request again."""
    tenant = caller.needs("admin").tenant
    asked = requests.erasure(requests.document(body))
    until = work_is_over()
    if isinstance(asked, requests.MemoryErasure):
        report = erase_memory(tenant, asked.agent, asked.memoryId, using, until)
    else:
        kind, _, principal_id = asked.principal.partition(":")
        report = erase_principal(tenant, Principal(kind, principal_id), using, until)
    return shapes.erasure_shape(report.erased, busy=report.busy, complete=report.complete)
