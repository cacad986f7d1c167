"""What cannot be undone is asked for once more, and what waits for a person is asked."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

import typer

from .explain import NOT_DONE
from .screen import Screen
from .settings import WrongUse
from .world import World

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask; needed where there is no terminal.")]


def confirm(world: World, screen: Screen, deed: str, *, yes: bool) -> None:
    """Go on only with `--yes` or with a yes that is typed; no other answer is one."""
    if yes:
        return
    if screen.json or not world.interactive():
        raise WrongUse(f"{deed} cannot be undone, and nobody is here to be asked", "Say `--yes` to do it.")
    if not agreed(world, f"{deed} cannot be undone. Go on?"):
        screen.note("Nothing was erased.")
        raise typer.Exit(NOT_DONE)


def agreed(world: World, question: str) -> bool:
    """Whether a yes was typed; no other answer is one."""
    answer = ""
    with suppress(EOFError):
        answer = world.read_line(f"{question} [y/N] ")
    return answer.strip().lower() in ("y", "yes")
