"""Runs: ask, chat, runs, show, cancel."""

from __future__ import annotations

import sys
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from freehold_client import Item, Run, Unauthorized, in_order

from . import tables, waiting
from .explain import AWAITS, RUN_FAILED
from .screen import AsJson, Screen
from .settings import WrongUse
from .talking import Conversation
from .talking import chat as chat_with
from .timeline import WAITING, Timeline, heading, outcome
from .world import world_of

# The API takes no more, and API Gateway refuses a much larger request without a word of why.
MOST_BYTES = 3_750_000
TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]
AgentName = Annotated[str, typer.Argument(metavar="AGENT", help="The agent's name.", show_default=False)]
Session = Annotated[
    str | None, typer.Option("--session", metavar="ID", help="Go on in this session. Default: a new one.")
]
Memory = Annotated[
    str | None,
    typer.Option("--memory", metavar="ID", help="What the agent remembers under this id. Default: nothing."),
]
Alias = Annotated[str | None, typer.Option(metavar="NAME", help="Which version answers. Default: the draft.")]
Images = Annotated[
    list[Path] | None,
    typer.Option(metavar="FILE", help="A PNG, JPEG, GIF or WebP image for the model; may be given again."),
]
Enqueue = Annotated[
    bool, typer.Option("--enqueue", help="Wait until the session has answered what it was asked before.")
]


def ask(
    ctx: typer.Context,
    agent: AgentName,
    text: Annotated[
        str, typer.Argument(metavar="TEXT", help="The message; `-` reads it from standard input.")
    ],
    session: Session = None,
    memory: Memory = None,
    alias: Alias = None,
    image: Images = None,
    enqueue: Enqueue = False,
    stream: Annotated[
        bool, typer.Option("--stream/--no-stream", help="Each step, or the answer alone.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Ask an agent something.

    Prints each step as it happens: replies, tool calls, results, tokens, cost, time. Ctrl-C cancels the run.
    The exit code is 0 when it completed, 1 when it failed, was stopped by a limit or was cancelled, and 4 when
    somebody has to decide before it goes on, or before its turn comes.

    Example: freehold ask customer-support-agent "Where is order 1042?"
    """
    screen = Screen(json=as_json)
    message = sys.stdin.read() if text == "-" else text
    with world_of(ctx).client() as client:
        talk = Conversation(
            client,
            screen,
            agent,
            session_id=session,
            memory_id=memory,
            alias=alias,
            enqueue=enqueue,
            steps=stream,
        )
        run = talk.say(message, images=[_content(path) for path in image or ()])
    if run.status != "COMPLETED":
        raise typer.Exit(AWAITS if run.status in WAITING else RUN_FAILED)


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise WrongUse(f"cannot read {path}: {error.strerror}") from error
    if len(content) > MOST_BYTES:
        raise WrongUse(f"{path} is larger than {MOST_BYTES:,} bytes, the most that an image may have")
    return content


def chat(
    ctx: typer.Context,
    agent: AgentName,
    session: Session = None,
    memory: Memory = None,
    alias: Alias = None,
    as_json: AsJson = False,
) -> None:
    """Talk with an agent in one session until Ctrl-D or `exit`.

    Messages may also come from a pipe, one a line. With --json each answer is a JSON document of its own.

    Example: freehold chat customer-support-agent
    """
    world, screen = world_of(ctx), Screen(json=as_json)
    with world.client() as client:
        talk = Conversation(client, screen, agent, session_id=session, memory_id=memory, alias=alias)
        code = chat_with(world, screen, talk)
    raise typer.Exit(code)


def runs(
    ctx: typer.Context,
    session: Annotated[str | None, typer.Option(metavar="ID", help="Only of this session.")] = None,
    agent: Annotated[str | None, typer.Option(metavar="NAME", help="Only of this agent.")] = None,
    status: Annotated[
        str | None,
        typer.Option(
            metavar="STATUS",
            help="Only QUEUED, RUNNING, AWAITING, COMPLETED, FAILED, CANCELLED or STOPPED ones.",
        ),
    ] = None,
    after: Annotated[
        datetime | None,
        typer.Option(formats=TIMES, metavar="TIME", help="Only those that were created then or later."),
    ] = None,
    before: Annotated[
        datetime | None,
        typer.Option(formats=TIMES, metavar="TIME", help="Only those that were created before."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List runs, newest first. A time is a day or a moment of yours, or has its zone: 2026-11-25T12:00:00Z.

    Example: freehold runs --agent customer-support-agent --status FAILED
    """
    screen = Screen(json=as_json)
    wanted = status.upper() if status else None
    with world_of(ctx).client() as client, screen.progress("reading the runs"):
        listed = client.runs.list(
            session_id=session, agent=agent, status=wanted, created_after=after, created_before=before
        )
        found = list(islice(listed, limit))
    screen.answer({"runs": [run.wire for run in found]}, tables.runs(found))


def show(
    ctx: typer.Context,
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run's id, as `freehold runs` lists it.")],
    full: Annotated[bool, typer.Option("--full", help="Print long arguments and results whole.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show a run step by step.

    When, how long, tokens and cost of each; tool calls with arguments and results. At last what it waits for.

    Example: freehold show 01JZK3V9F0Q4T8-1 --full
    """
    screen = Screen(json=as_json)
    with world_of(ctx).client() as client, screen.progress("reading the run"):
        found = client.runs.get(run)
        try:
            items = list(client.sessions.items(found.session_id, run_id=found.run_id))
            ahead, awaited = client.runs.ahead(found), client.runs.awaited(found)
        except Unauthorized:
            screen.note("Its steps are not shown: they need a key with the scope `read` or `run`.")
            items, ahead, awaited = list[Item](), None, [(found, each) for each in found.awaiting]
    timeline = Timeline(found.created_at, full=full, width=screen.width)
    wire = {"run": found.wire, "items": [item.wire for item in items]}
    shown = [timeline.step(item) for item in in_order(items)]
    screen.answer(wire, heading(found), "", *shown, "", outcome(found, ahead))
    if not as_json:
        waiting.tell(screen, found, awaited)


def cancel(
    ctx: typer.Context,
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")],
    as_json: AsJson = False,
) -> None:
    """Ask a run to end. It does so before its next model or tool call, and at once where it waits.

    Example: freehold cancel 01JZK3V9F0Q4T8-1
    """
    screen = Screen(json=as_json)
    with world_of(ctx).client() as client, screen.progress("cancelling"):
        found = client.runs.cancel(run)
    screen.answer(found.wire, _cancelled(found))


def _cancelled(run: Run) -> str:
    if run.status == "CANCELLED":
        return "It is cancelled."
    return f"It had ended before: {run.status}." if run.ended else "It ends before its next step."
