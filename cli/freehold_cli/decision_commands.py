"""Calls that wait: approvals, approve, deny, result."""

from __future__ import annotations

import sys
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from freehold_client import Awaited, Decision, DecisionItem, Freehold, Run, Unauthorized

from . import tables, waiting
from .confirming import agreed
from .explain import NOT_DONE
from .screen import AsJson, Screen
from .settings import WrongUse
from .world import World, world_of

# What is larger goes beside the request; the API takes no more than the second.
MOST_INLINE, MOST_BYTES = 1_000_000, 20_000_000
RunId = Annotated[str, typer.Argument(metavar="RUN", help="The run's id, as `freehold approvals` lists it.")]
CallId = Annotated[str, typer.Argument(metavar="CALL", help="The call's id, such as t1-l1-c0.")]
Comment = Annotated[str, typer.Option(metavar="TEXT", help="What the model is told beside it.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask on a terminal.")]


def approvals(
    ctx: typer.Context,
    agent: Annotated[str | None, typer.Option(metavar="NAME", help="Only of this agent.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many runs.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List runs that wait for people, the first due first.

    Example: freehold approvals --agent customer-support-agent
    """
    screen = Screen(json=as_json)
    with world_of(ctx).client() as client, screen.progress("reading what waits"):
        found = list(islice(client.approvals.list(agent=agent), limit))
    screen.answer({"approvals": [each.wire for each in found]}, *tables.approvals(found))


def approve(
    ctx: typer.Context,
    run: RunId,
    call: CallId,
    comment: Comment = "",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Let a call be made: confirm or approve it as it is shown. Asks first on a terminal.

    Example: freehold approve 01JZK3V9F0Q4T8-1 t1-l1-c0 --comment "within the limit"
    """
    world, screen = world_of(ctx), Screen(json=as_json)
    with world.client() as client:
        awaited = _shown(client, screen, run, call)
        _ask(world, screen, "Approve it?", yes=yes)
        _decide(client, screen, run, awaited.approve(comment))


def deny(
    ctx: typer.Context,
    run: RunId,
    call: CallId,
    comment: Comment = "",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Do not let a call be made; the model is told so. Asks first on a terminal.

    Example: freehold deny 01JZK3V9F0Q4T8-1 t1-l1-c0 --comment "ask for the invoice first"
    """
    world, screen = world_of(ctx), Screen(json=as_json)
    with world.client() as client:
        awaited = _shown(client, screen, run, call)
        _ask(world, screen, "Deny it?", yes=yes)
        _decide(client, screen, run, awaited.deny(comment))


def result(
    ctx: typer.Context,
    run: RunId,
    call: CallId,
    body: Annotated[str | None, typer.Option(metavar="TEXT", help="What the call came to.")] = None,
    file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A file with it, as UTF-8; `-` reads it from standard input."),
    ] = None,
    failure: Annotated[bool, typer.Option("--failure", help="The call failed; this says why.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send the result of a call that you have made yourself. Up to 20 MB; what is large is uploaded.

    Example: freehold result 01JZK3V9F0Q4T8-1 t1-l1-c0 --file order.json
    """
    if (body is None) == (file is None):
        raise WrongUse("a result is given with --body or with --file, and not with both")
    content = _content(file) if file is not None else (body or "").encode(errors="replace")
    screen = Screen(json=as_json)
    with world_of(ctx).client() as client:
        awaited = _shown(client, screen, run, call)
        if len(content) > MOST_INLINE:
            with screen.progress("uploading"):
                decision = awaited.result(upload_id=client.runs.upload(run, content), failure=failure)
        else:
            decision = awaited.result(content.decode(), failure=failure)
        _decide(client, screen, run, decision)


def _content(path: Path) -> bytes:
    piped = str(path) == "-"
    name = "standard input" if piped else str(path)
    try:
        content = sys.stdin.buffer.read(MOST_BYTES + 1) if piped else path.read_bytes()
    except OSError as error:
        raise WrongUse(f"cannot read {name}: {error.strerror}") from error
    if len(content) > MOST_BYTES:
        raise WrongUse(f"{name} is larger than {MOST_BYTES:,} bytes, the most that a result may have")
    try:
        content.decode()
    except UnicodeDecodeError as error:
        raise WrongUse(f"{name} is no UTF-8 text from byte {error.start:,} on") from error
    return content


def _shown(client: Freehold, screen: Screen, run_id: str, call_id: str) -> Awaited:
    """The call as it stands, once it is on the screen: what is decided about is what was seen."""
    with screen.progress("reading the run"):
        run = client.runs.get(run_id)
        found = next((each for each in run.awaiting if each.call_id == call_id), None)
        if found is None:
            raise _not_awaited(run, call_id, _decided(client, run, call_id))
    screen.err.print(waiting.call(found))
    return found


def _decided(client: Freehold, run: Run, call_id: str) -> DecisionItem | None:
    """The last decision about the call; None where there is none, or this key may not read it."""
    with suppress(Unauthorized):
        items = client.sessions.items(run.session_id, run_id=run.run_id)
        made = [each for each in items if isinstance(each, DecisionItem) and each.call_id == call_id]
        return max(made, key=lambda item: item.at, default=None)
    return None


def _not_awaited(run: Run, call_id: str, made: DecisionItem | None) -> WrongUse:
    waits = ", ".join(each.call_id for each in run.awaiting)
    hint = f"It waits for: {waits}." if waits else f"It is {run.status}."
    if made is not None:
        return WrongUse(f"call {call_id} was decided already: {made.decision} by {made.by}", hint)
    return WrongUse(f"run {run.run_id} waits for no decision about a call {call_id}", hint)


def _ask(world: World, screen: Screen, question: str, *, yes: bool) -> None:
    if yes or screen.json or not world.interactive():
        return
    if not agreed(world, question):
        screen.note("Nothing was decided.")
        raise typer.Exit(NOT_DONE)


def _decide(client: Freehold, screen: Screen, run_id: str, decision: Decision) -> None:
    with screen.progress("deciding"):
        run = client.runs.decide(run_id, [decision])
    screen.answer(run.wire, _then(run))


def _then(run: Run) -> str:
    """What comes next."""
    waits = [f"{each.call_id} ({each.kind})" for each in run.awaiting]
    if waits:
        return f"Decided. The run still waits for {', '.join(waits)}."
    return f"Decided. The run is {run.status}: `freehold show {run.run_id}` tells how it goes on."
