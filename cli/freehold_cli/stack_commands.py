"""The local stack: up, down, status."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import Annotated

import typer
from rich.text import Text

from .local_start import Models as ChosenModels
from .local_start import begin, chosen_models
from .printable import one_line
from .screen import AsJson, Screen
from .settings import Down, WrongUse
from .stopping import undisturbed, unwinding
from .world import Stack, StackInfo, World, world_of

Models = Annotated[
    str | None,
    typer.Option(
        metavar="rehearsal|aws|URL",
        help="What answers: `rehearsal` (built in, offline), `aws` (Amazon Bedrock, with your AWS credentials) or "
        "the address of an OpenAI-compatible server. Default: FREEHOLD_MODEL_URL, else rehearsal.",
    ),
]
Port = Annotated[
    int | None,
    typer.Option(
        min=1, max=65535, help="Where it listens. Default: as before; at first 8080, or the next free one."
    ),
]
ToolsOnLoopback = Annotated[
    bool, typer.Option("--tools-on-loopback", help="Let HTTP and MCP tools ask servers of this machine.")
]
Parameter = Annotated[
    list[str] | None,
    typer.Option(
        "--parameter",
        metavar="NAME=VALUE",
        help="One of the template's parameters, which keeps its value from then on; may be given again for others.",
    ),
]
WATCH_SECONDS = 3.0


def up(
    ctx: typer.Context,
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Return once it runs; `down` stops it.")
    ] = False,
    models: Models = None,
    port: Port = None,
    tools_on_loopback: ToolsOnLoopback = False,
    parameter: Parameter = None,
    as_json: AsJson = False,
) -> None:
    """Start Freehold on this machine and deploy the template to it.

    What it keeps lies in .freehold/ and is there again the next time. It runs until Ctrl-C, with --detach
    until `freehold down`. If it runs already, what has changed is deployed to it. `freehold status` tells where it
    answers.

    Example: freehold up --models http://127.0.0.1:11434/v1
    """
    world, screen = world_of(ctx), Screen(json=as_json)
    chosen = chosen_models(world, screen, models).beside(parameter or ())
    stack = world.local_stack()
    running = stack.running()
    _check_port(running, port)
    with unwinding(), owned(screen, stack, owned=running is None) as keep:
        with screen.progress("starting the local stack", lines=True) as progress:
            info, _ = begin(
                world,
                stack,
                models=chosen,
                progress=progress,
                port=port,
                detached=detach,
                tools_on_loopback=tools_on_loopback,
            )
        screen.answer(_shape(info), _ready(info, chosen))
        if detach or running:
            keep()
            return
        _watch(world, screen, stack)


def _check_port(running: StackInfo | None, port: int | None) -> None:
    if running and port and not running.url.endswith(f":{port}"):
        raise WrongUse(f"the stack already runs at {running.url}", "Stop it first: `freehold down`.")


def _watch(world: World, screen: Screen, stack: Stack) -> None:
    """Return on Ctrl-C or SIGTERM; that is how `up` is meant to end."""
    screen.note("Ctrl-C stops it.")
    with suppress(KeyboardInterrupt):
        while stack.running():
            world.sleep(WATCH_SECONDS)
        raise Down(
            "the local stack ended by itself",
            "Its logs lie in .freehold/logs.",
        )


@contextmanager
def owned(screen: Screen, stack: Stack, *, owned: bool) -> Generator[Callable[[], None]]:
    """Stop the stack in the end, whatever happened, if it is `owned`; what it yields gives it up."""
    left = [owned]
    try:
        yield left.clear
    finally:
        if any(left):
            stop(screen, stack)


def stop(screen: Screen, stack: Stack) -> bool:
    """Stop the stack to the end, however often Ctrl-C is pressed meanwhile."""
    with undisturbed(), screen.progress("stopping the local stack", lines=True) as progress:
        return stack.stop(progress)


def down(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Stop the local stack. What it kept stays in .freehold/.

    Example: freehold down
    """
    world, screen = world_of(ctx), Screen(json=as_json)
    stopped = stop(screen, world.local_stack())
    screen.answer({"stopped": stopped}, "Stopped." if stopped else "It was not running.")


def status(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Tell whether the stack answers: of the local one, whether all of its processes do.

    The exit code is 3 if it does not, 2 if it does not accept the key.

    Example: freehold status
    """
    world, screen = world_of(ctx), Screen(json=as_json)
    target = world.target()
    if target.local:
        _check_that_all_answer(world, screen)
    with world.client(target) as client, screen.progress("asking the stack"):
        names = [agent.agent_name for agent in client.agents.list()]
    where = "local stack" if target.local else "stack"
    text = Text().append(f"The {where} answers at {target.url}", "green")
    told = f"\nagents: {', '.join(names) or 'none yet; `freehold apply FILE` makes one'}"
    screen.answer({"url": target.url, "local": target.local, "agents": names}, text.append(told))


def _check_that_all_answer(world: World, screen: Screen) -> None:
    with screen.progress("asking the stack's processes"):
        silent = world.local_stack().silent()
    if silent:
        told = (
            f"Of the local stack's processes, {' and '.join(silent)} {'does' if len(silent) == 1 else 'do'}"
        )
        raise Down(
            f"{told} not answer",
            "`freehold down` and `freehold up` begin it anew; .freehold/logs tells more.",
        )


def _shape(info: StackInfo) -> dict[str, object]:
    return {"url": info.url, "awsEndpoint": info.aws_endpoint, "outputs": dict(info.outputs)}


def _ready(info: StackInfo, models: ChosenModels) -> Text:
    text = Text().append(f"Freehold runs at {info.url}\n", "bold green")
    text.append(one_line(f"models: {models.told}") + "\n")
    if info.tools_on_loopback:
        text.append("tools may ask servers of this machine\n", "yellow")
    return text.append(
        "\n  freehold deploy examples/customer-support   deploy an agent and its tools\n"
        '  freehold ask customer-support-agent "…"     ask it something\n'
        "  freehold agents · runs · status             look around\n"
        "  freehold down                               stop\n"
    )
