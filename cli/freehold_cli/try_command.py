"""The shortest way from a folder to an answer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .agent_commands import Folder, deployed, stored
from .explain import RUN_FAILED
from .local_start import begin, chosen_models, make_sure_of_key
from .screen import AsJson, Screen
from .settings import Target, WrongUse
from .stack_commands import owned
from .stopping import unwinding
from .talking import Conversation, chat
from .world import Stack, StackInfo, World, world_of


def try_out(
    ctx: typer.Context,
    directory: Folder,
    ask: Annotated[
        str | None, typer.Option(metavar="TEXT", help="The question. Default: what stands in DIR/ask.txt.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Deploy a folder, ask its agent something, go on as a chat.

    Uses the local stack that runs, or starts one and stops it in the end. Without a terminal it ends after
    the answer.

    Example: freehold try examples/customer-support --ask "Which headphones are in stock?"
    """
    world, screen = world_of(ctx), Screen(json=as_json)
    question = ask or _question(directory)
    stack = world.local_stack()
    with unwinding():
        running = stack.running()
        with owned(screen, stack, owned=running is None):
            target = _ready(world, screen, stack, running)
            code = _tried(world, screen, stack, target, directory, question)
    raise typer.Exit(code)


def _ready(world: World, screen: Screen, stack: Stack, running: StackInfo | None) -> Target:
    if running is None:
        models = chosen_models(world, screen, None)
        with screen.progress("starting the local stack", lines=True) as progress:
            return begin(world, stack, models=models, progress=progress)[1]
    return make_sure_of_key(world, stack, running)


def _tried(world: World, screen: Screen, stack: Stack, target: Target, directory: Path, question: str) -> int:
    with world.client(target) as client:
        agent = deployed(screen, stack, client, directory)
        screen.note(f"{target.url} · {stored(agent)}")
        conversation = Conversation(client, screen, agent.agent_name)
        run = conversation.say(question)
        if world.interactive():
            return chat(world, screen, conversation)
    return 0 if run.status == "COMPLETED" else RUN_FAILED


def _question(directory: Path) -> str:
    path = directory / "ask.txt"
    try:
        text = path.read_text("utf-8").strip()
    except OSError as error:
        raise WrongUse(
            f"cannot read {path}: {error.strerror}", "Give the question with --ask TEXT."
        ) from error
    if not text:
        raise WrongUse(f"{path} is empty", "Give the question with --ask TEXT.")
    return text
