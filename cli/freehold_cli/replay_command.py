"""replay: a run gone through again, step by step from its records, or asked once more of another model."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

import typer

from freehold_client import (
    Freehold,
    FreeholdClientError,
    InvalidRequest,
    LapItem,
    Run,
    Started,
    in_order,
)

from .comparison import Recorded, side_by_side
from .explain import RUN_FAILED
from .screen import AsJson, Screen
from .settings import WrongUse
from .timeline import Timeline, heading, outcome
from .world import World, world_of

ENOUGH = "q"
PROMPT = f"Enter: the next step, {ENOUGH}: enough> "


def replay(
    ctx: typer.Context,
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run's id, as `freehold runs` lists it.")],
    model: Annotated[
        str | None, typer.Option("--model", metavar="MODEL", help="Ask this model, and compare the two runs.")
    ] = None,
    api: Annotated[
        str | None,
        typer.Option("--api", metavar="API", help="How to reach a model that the catalog does not know."),
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Print long arguments and results whole.")] = False,
    as_json: AsJson = False,
) -> None:
    """Go through a run again.

    Without --model it is shown from its records, on a terminal a step each time you press Enter. With --model another
    model gets the same input in a session of its own. Its tools answer what they answered then: none is called.

    Example: freehold replay 01JZK3V9F0Q4T8-1 --model amazon.nova-pro-v1:0
    """
    world, screen = world_of(ctx), Screen(json=as_json)
    if api is not None and model is None:
        raise WrongUse("--api says how to reach the model of --model, and there is none")
    with world.client() as client:
        if model is None:
            _step_through(run, client, world, screen, full=full)
            return
        replayed = _compare(run, model, api, client, screen, full=full)
    if replayed.status != "COMPLETED":
        raise typer.Exit(RUN_FAILED)


def _step_through(run_id: str, client: Freehold, world: World, screen: Screen, *, full: bool) -> None:
    with screen.progress("reading the run"):
        found = _recorded(run_id, client)
    if screen.json:
        screen.write_json(found.wire)
        return
    timeline = Timeline(found.run.created_at, full=full, width=screen.width)
    screen.show(heading(found.run), "")
    for position, item in enumerate(found.items):
        if position and world.interactive() and not _goes_on(world):
            return
        screen.show(timeline.step(item))
    screen.show("", outcome(found.run))


def _goes_on(world: World) -> bool:
    try:
        return world.read_line(PROMPT).strip().lower() != ENOUGH
    except EOFError:
        return False


def _compare(
    run_id: str, model: str, api: str | None, client: Freehold, screen: Screen, *, full: bool
) -> Run:
    with screen.progress("beginning the replay"):
        started = _begun(run_id, model, api, client)
    _wait_for(started, client, screen)
    with screen.progress("reading both runs"):
        original, replayed = _recorded(run_id, client), _recorded(started.run_id, client)
    wire = {"original": original.wire, "replay": replayed.wire}
    screen.answer(wire, *side_by_side(original, replayed, full=full))
    return replayed.run


def _begun(run_id: str, model: str, api: str | None, client: Freehold) -> Started:
    try:
        return client.runs.replay(run_id, model, api=api)
    except InvalidRequest as error:
        if any('"api"' in problem.message for problem in error.problems):
            error.add_note(f"On the command line: `freehold replay {run_id} --model {model} --api API`.")
        raise


def _wait_for(started: Started, client: Freehold, screen: Screen) -> None:
    """Until the replay has ended; Ctrl-C cancels it."""
    with screen.progress("the model is thinking") as progress:
        try:
            for news in client.runs.follow(started):
                if isinstance(news, LapItem):
                    progress(f"lap {news.lap} is there")
        except KeyboardInterrupt:
            with suppress(FreeholdClientError):
                client.runs.cancel(started.run_id)
            raise


def _recorded(run_id: str, client: Freehold) -> Recorded:
    run = client.runs.get(run_id)
    return Recorded(run, tuple(in_order(client.sessions.items(run.session_id, run_id=run_id))))
