"""Dead letters: list, show, put back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import uuid4

import typer

from freehold_client import DeadLetter

from . import tables
from .explain import NOT_DONE
from .screen import AsJson, Screen
from .settings import WrongUse
from .world import World, world_of

if TYPE_CHECKING:
    from freehold.adapters.dead_letters import SqsDeadLetters

# Of one request, and of one look by AWS's own access.
PORTION = 100
EVENTS_STAY = (
    "The queue IncomingEvents takes none from your AWS settings: "
    "an event goes back over HTTP, with an administrator's key of its tenant and without --stack."
)

dlq = typer.Typer(
    help="Messages of queues and events that began no run. Needs a key with scope `admin`, or access to the account.",
    no_args_is_help=True,
)
StackName = Annotated[
    str | None,
    typer.Option(
        "--stack",
        metavar="NAME",
        help="Look by your AWS settings into this CloudFormation stack's: also at what belongs to no tenant.",
    ),
]


def list_letters(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=PORTION, metavar="N", help="How many at most.")] = PORTION,
    stack: StackName = None,
    as_json: AsJson = False,
) -> None:
    """List dead letters, oldest first, with the reason of each.

    Example: freehold dlq list
    """
    screen = Screen(json=as_json)
    with screen.progress("looking at the dead letters"):
        if stack is None:
            with world_of(ctx).client() as client:
                found = client.dead_letters.list(limit=limit)
            letters, complete = found.letters, found.complete
        else:
            raw, complete = _of_stack(world_of(ctx), stack)[0].listed(lambda _: True, most=limit)
            letters = tuple(_read(each) for each in raw)
    told = {"deadLetters": [letter.wire for letter in letters], "complete": complete}
    screen.answer(told, tables.dead_letters(letters))
    if not complete:
        screen.note("There may be more.")


def show(
    ctx: typer.Context,
    letter: Annotated[str, typer.Argument(metavar="LETTER", help="Its id, as `freehold dlq list` shows it.")],
    stack: StackName = None,
    as_json: AsJson = False,
) -> None:
    """Show one dead letter with what it says.

    Example: freehold dlq show 3d5f1c0a-6f1e-4b62-9d0f-0f6c5f0b9a11
    """
    screen = Screen(json=as_json)
    with screen.progress("looking for the dead letter"):
        if stack is None:
            with world_of(ctx).client() as client:
                found = client.dead_letters.get(letter)
        else:
            raw = _of_stack(world_of(ctx), stack)[0].find(letter, lambda _: True)
            if raw is None:
                raise WrongUse(
                    f"no dead letter {letter!r}, or others look at it; try again in half a minute",
                    f"`freehold dlq list --stack {stack}` tells what there is.",
                )
            found = _read(raw, body=raw.body)
    screen.answer(found.wire, *tables.dead_letter(found))


def redrive(
    ctx: typer.Context,
    letters: Annotated[
        list[str] | None,
        typer.Argument(metavar="LETTER…", help="Their ids, as `freehold dlq list` shows them."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that there are.")] = False,
    stack: StackName = None,
    as_json: AsJson = False,
) -> None:
    """Put dead letters back where they came from, once what was wrong is mended. None begins a second run.

    With --stack you are who asks for those runs, and events stay: they go back over HTTP alone.

    Example: freehold dlq redrive --all
    """
    if bool(letters) == everything:
        raise WrongUse("name dead letters, or say --all")
    if len(letters or ()) > PORTION:
        raise WrongUse(f"at most {PORTION} at once; --all puts back as many as there are")
    screen, world = Screen(json=as_json), world_of(ctx)
    with screen.progress("putting dead letters back"):
        back, missing, failed = (
            _over_http(world, letters) if stack is None else _by_aws(world, stack, letters)
        )
    told = [f"Put {len(back)} back."]
    told += [f"Not found: {', '.join(missing)}."] if missing else []
    told += [f"Could not be put back, and stays: {', '.join(failed)}."] if failed else []
    told += [EVENTS_STAY] if failed and stack is not None else []
    screen.answer({"redriven": back, "missing": missing, "failed": failed}, "\n".join(told))
    if missing or failed:
        raise typer.Exit(NOT_DONE)


def _over_http(world: World, letters: list[str] | None) -> tuple[list[str], list[str], list[str]]:
    """Portion by portion, as long as one puts any back. What is refused again meanwhile stays: it would never end."""
    back: list[str] = []
    began = None if letters else datetime.now(UTC)
    with world.client() as client:
        while True:
            done = client.dead_letters.redrive(letters, before=began)
            back += done.redriven
            if letters or done.complete or not done.redriven:
                return back, [*done.missing], [*done.failed]


def _by_aws(world: World, stack: str, letters: list[str] | None) -> tuple[list[str], list[str], list[str]]:
    queues, outputs = _of_stack(world, stack)
    incoming, began = outputs.get("IncomingEventsArn"), datetime.now(UTC).timestamp() * 1000
    back: list[str] = []
    while True:
        done = queues.redrive(
            lambda each: bool(letters) or each.at < began,
            most=PORTION,
            new_id=lambda: uuid4().hex,
            ids=letters or None,
            # Its policy keeps everybody out.
            may_return=lambda each: each.source != incoming,
        )
        back += (each.id for each in done.back)
        if letters or done.complete or not done.back:
            failed = [each.id for each in done.failed]
            return back, sorted({*(letters or ())} - {*back, *failed}), failed


def _of_stack(world: World, stack: str) -> tuple[SqsDeadLetters, dict[str, str]]:
    """Its dead letters, and its outputs."""
    account = world.account({})
    outputs = account.outputs(stack)
    if not {"DeadLetters", "RequestsDeadLetters"} <= set(outputs):
        raise WrongUse(
            f"the stack {stack!r} has no outputs DeadLetters and RequestsDeadLetters: it is none of Freehold"
        )
    return account.dead_letters((outputs["DeadLetters"], outputs["RequestsDeadLetters"])), outputs


def _read(letter: Any, **more: str) -> DeadLetter:
    """As HTTP shows it, with the tenant that it was found to belong to."""
    from freehold.http.dead_letters import shape

    told = shape(letter) | ({"tenant": letter.tenant} if letter.tenant else {})
    return DeadLetter.read(told | more)
