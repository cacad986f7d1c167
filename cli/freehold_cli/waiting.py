"""What a run waits for, as people read it, and what they can do about it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from freehold_client import Awaited, Run

from . import figures
from .printable import one_line, printable
from .screen import Screen

# Who is asked, and for what.
ASKED = {
    "confirmation": "whoever asked for the run confirms it",
    "approval": "an approver decides",
    "result": "its result comes from elsewhere",
    "answer": "the user answers",
    "handback": "a person has the conversation",
    "outcome": "somebody tells what came of it",
    "agent": "another agent answers",
}


def call(one: Awaited) -> Text:
    """The call in full, with all that it was asked with: nobody approves what was cut."""
    head = Text.assemble((one_line(one.call_id), "bold"), "  ", (one_line(one.tool), "magenta"))
    told = one_line(f"{ASKED.get(one.kind, one.kind)}, until {figures.clock(one.expires_at)}")
    head.append(f"  {told}", "dim").append("\n  ").append(printable(one.question or one.arguments))
    if one.reason.strip():
        head.append("\n  because: ", "dim").append(printable(one.reason.strip()))
    return head


def how(run: Run, one: Awaited) -> str:
    """The command that decides about it; empty where none does."""
    named = f"{run.run_id} {one.call_id}"
    match one.kind:
        case "confirmation" | "approval":
            return f"`freehold approve {named}` or `freehold deny {named}`"
        case "answer":
            return f"`freehold ask {run.agent} TEXT --session {run.session_id}`"
        case "handback":
            return f"`freehold sessions hand-back {run.session_id} --note TEXT`"
        case "result":
            return f"`freehold result {named} --body TEXT`"
        case "outcome":
            return f"`freehold result {named} --body TEXT`, or `freehold deny {named}` where nobody knows"
        case _:
            return ""


def tell(screen: Screen, asked: Run, awaited: Sequence[tuple[Run, Awaited]]) -> None:
    """Each call that somebody has to decide about, and how; beside the answer, which goes to standard output."""
    for run, one in awaited:
        if run.run_id != asked.run_id:
            screen.note(one_line(f"run {run.run_id} of {run.agent} waits:"))
        screen.err.print(call(one))
        if how(run, one):
            screen.note(f"  → {how(run, one)}")
