"""The `freehold` command: what there is, and how it ends."""

from __future__ import annotations

import functools
import io
import os
import sys
from collections.abc import Callable
from typing import Any

import typer

from . import (
    access_commands,
    agent_commands,
    auth_commands,
    decision_commands,
    dlq_commands,
    key_commands,
    memory_commands,
    model_commands,
    replay_command,
    run_commands,
    schedule_commands,
    session_commands,
    stack_commands,
    try_command,
    validate_command,
)
from .explain import EXPECTED, explain
from .screen import Screen
from .stopping import TERMINATED, Terminated
from .world import World

UNEXPECTED = 1

app = typer.Typer(
    name="freehold",
    help="Run agents on any model, in your own AWS account or on this machine.",
    epilog="Start here: freehold try examples/customer-support",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def surroundings(ctx: typer.Context) -> None:
    """Run agents on any model, in your own AWS account or on this machine."""
    if ctx.obj is None:
        ctx.obj = World()


def _reporting(command: Callable[..., None]) -> Callable[..., None]:
    """`command`, whose expected errors are explained and become an exit code."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except BrokenPipeError:
            raise  # whoever read our output has gone, as `head` does
        except EXPECTED as error:
            raise typer.Exit(explain(error, Screen(json=bool(kwargs.get("as_json"))))) from error
        except Terminated as end:
            raise typer.Exit(TERMINATED) from end

    return run


PANELS: dict[str, dict[str, Callable[..., None]]] = {
    "The local stack": {
        "try": try_command.try_out,
        "up": stack_commands.up,
        "down": stack_commands.down,
        "status": stack_commands.status,
        "deploy": agent_commands.deploy,
    },
    "Agents": {
        "apply": agent_commands.apply,
        "validate": validate_command.validate,
        "agents": agent_commands.agents,
        "models": model_commands.models,
    },
    "Runs": {
        "ask": run_commands.ask,
        "chat": run_commands.chat,
        "runs": run_commands.runs,
        "show": run_commands.show,
        "replay": replay_command.replay,
        "cancel": run_commands.cancel,
    },
    "Decisions": {
        "approvals": decision_commands.approvals,
        "approve": decision_commands.approve,
        "deny": decision_commands.deny,
        "result": decision_commands.result,
    },
    "Sessions and memories": {
        "erase": memory_commands.erase,
    },
}
GROUPS: dict[str, tuple[str, typer.Typer, dict[str, Callable[..., None]]]] = {
    "sessions": (
        "Sessions and memories",
        session_commands.sessions,
        {
            "list": session_commands.list_sessions,
            "show": session_commands.show,
            "hand-back": session_commands.hand_back,
            "end": session_commands.end,
            "delete": session_commands.delete,
        },
    ),
    "memory": (
        "Sessions and memories",
        memory_commands.memory,
        {
            "list": memory_commands.list_memories,
            "show": memory_commands.show,
            "delete": memory_commands.delete,
        },
    ),
    "dlq": (
        "Governance",
        dlq_commands.dlq,
        {
            "list": dlq_commands.list_letters,
            "show": dlq_commands.show,
            "redrive": dlq_commands.redrive,
        },
    ),
    "schedule": (
        "Triggers",
        schedule_commands.schedules,
        {
            "add": schedule_commands.add,
            "list": schedule_commands.list_schedules,
            "show": schedule_commands.show,
            "remove": schedule_commands.remove,
        },
    ),
    "keys": (
        "Governance",
        key_commands.keys,
        {
            "create": key_commands.create,
            "list": key_commands.list_keys,
            "revoke": key_commands.revoke,
        },
    ),
    "access": (
        "Governance",
        access_commands.access,
        {
            "grant": access_commands.grant,
            "list": access_commands.list_access,
            "revoke": access_commands.revoke,
        },
    ),
    "auth": ("Governance", auth_commands.auth, {"token": auth_commands.token}),
}

for panel, commands in PANELS.items():
    for name, command in commands.items():
        app.command(name, rich_help_panel=panel)(_reporting(command))
for group, (panel, typed, commands) in GROUPS.items():
    for name, command in commands.items():
        typed.command(name)(_reporting(command))
    app.add_typer(typed, name=group, rich_help_panel=panel)


def main() -> None:
    """Run the command line; an error that nobody foresaw is named without a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that knows no UTF-8 shows `?` and goes on
    try:
        app()
    except Exception as error:
        if os.environ.get("FREEHOLD_TRACEBACK"):
            raise
        told = f"error: {type(error).__name__}: {error}\n"
        told += "This is a fault in Freehold. FREEHOLD_TRACEBACK=1 shows where.\n"
        sys.stderr.write(told)
        sys.exit(UNEXPECTED)
