"""The triggers of an agent that is applied or deleted."""

from __future__ import annotations

from typing import Any

from .. import wiring
from ..adapters.agents import Draft
from ..errors import Invalid, NotFound, Problem
from ..triggering import is_granted, settle, sources_of
from ..values.trigger import Trigger
from ..wiring.triggers import triggering
from .caller import Caller


def check_sources(caller: Caller, source: dict[str, Any]) -> None:
    """Raises `Invalid` where a pattern names a source of events that the tenant was not granted."""
    named = [
        (f"triggers[{i}].eventPattern.source[{j}]", text, prefix)
        for i, trigger in enumerate(source.get("triggers") or ())
        if trigger.get("eventPattern") is not None
        for j, (text, prefix) in enumerate(sources_of(trigger["eventPattern"]))
    ]
    if not named:
        return
    grants = [*wiring.access().sources(caller.tenant)]
    told = f"granted are {', '.join(grants)}" if grants else "none is granted"
    problems = [
        Problem(path, f"is {text!a}, a source of events that this tenant has no access entry for; {told}")
        for path, text, prefix in named
        if not is_granted(text, prefix=prefix, grants=grants)
    ]
    if problems:
        raise Invalid(problems)


def follow(caller: Caller, name: str, draft: Draft | None) -> None:
    """Leave the agent with the triggers of its draft, or with none where it has no draft any more.

    Where another request changes the draft meanwhile, the last one's triggers are what is left.
    """
    while True:
        if not settle(caller.tenant, name, draft and _triggers(caller, draft), triggering()):
            return
        there = _draft(caller.tenant, name)
        if (there and there.rev) == (draft and draft.rev):
            return
        draft = there


def _triggers(caller: Caller, draft: Draft) -> list[Trigger]:
    from ..configuration.triggers import triggers_of

    return triggers_of(draft.source, tenant=caller.tenant, by=caller.principal, now=wiring.now())


def _draft(tenant: str, name: str) -> Draft | None:
    try:
        return wiring.agents().draft(tenant, name)
    except NotFound:
        return None
