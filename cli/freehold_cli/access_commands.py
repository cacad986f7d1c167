"""Which tenant comes in by which door: granted by those who may write to the stack's own table."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from freehold.values.access import AccessEntry, EntryKind

from . import tables
from .key_commands import FIRST_TENANT
from .screen import AsJson, Screen
from .settings import LOCAL_TENANT, Down, WrongUse
from .world import Account, World, world_of

if TYPE_CHECKING:
    from freehold.adapters.access import AccessEntries

KINDS: tuple[EntryKind, ...] = get_args(EntryKind)
# What a grant alone does not do.
STILL_TO_DO: dict[EntryKind, str] = {
    "iam": "It needs execute-api:Invoke on POST /auth/token as well; then `freehold auth token` gives it tokens.",
    "queue": "Name the queue in the stack's parameter RequestQueues and make its event source mapping, if it is "
    "not the stack's own; docs/queues.md tells how.",
    "rule": "The rule needs the stack's queue of incoming events as its target, with an input transformer; "
    "docs/queues.md tells how.",
    "source": "",
}

access = typer.Typer(
    help="Who comes in without a key, and as which tenant. Needs access to the stack's account.",
    no_args_is_help=True,
)
Kind = Annotated[
    str, typer.Argument(metavar="iam|queue|rule|source", help="An AWS principal, a queue, a rule, or events.")
]
Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="Its ARN. Of events their source, at whose end * stands for any text."
    ),
]
StackName = Annotated[
    str | None,
    typer.Option(
        "--stack",
        metavar="NAME",
        help="A CloudFormation stack, by your AWS settings. Default: the local stack.",
    ),
]
Tenant = Annotated[
    str | None,
    typer.Option(metavar="TENANT", help=f"Default: {FIRST_TENANT}, and {LOCAL_TENANT} for the local stack."),
]


def grant(
    ctx: typer.Context,
    kind: Kind,
    name: Name,
    tenant: Tenant = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(metavar="SCOPE", help="With iam; may be given again. Default: run, read."),
    ] = None,
    stack: StackName = None,
    as_json: AsJson = False,
) -> None:
    """Let an AWS principal, a queue, a rule or a source of events in.

    Example: freehold access grant iam arn:aws:iam::123456789012:role/support --scope run --stack freehold
    """
    screen, chosen = Screen(json=as_json), _kind(kind)
    scopes = tuple(dict.fromkeys(scope or (("run", "read") if chosen == "iam" else ())))
    with screen.progress("granting access"):
        account, entries, first = _entries(world_of(ctx), stack)
        # On the local stack there is nobody to be told apart.
        by = account.caller() if stack else None
        entry = AccessEntry(chosen, name, tenant or first, int(time.time()), scopes, created_by=by)
        entries.grant(entry)
    screen.answer(_shape(entry), f"{name} comes in as tenant {entry.tenant}.")
    if STILL_TO_DO[chosen]:
        screen.note(STILL_TO_DO[chosen])


def list_access(ctx: typer.Context, stack: StackName = None, as_json: AsJson = False) -> None:
    """List who was let in.

    Example: freehold access list --stack freehold
    """
    screen = Screen(json=as_json)
    with screen.progress("reading who may come in"):
        _, entries, _ = _entries(world_of(ctx), stack)
        found = [entry for kind in KINDS for entry in entries.list(kind)]
    screen.answer({"access": [_shape(entry) for entry in found]}, tables.access(found))


def revoke(
    ctx: typer.Context,
    kind: Kind,
    name: Name,
    tenant: Tenant = None,
    stack: StackName = None,
    as_json: AsJson = False,
) -> None:
    """Let it in no longer; tokens that it got hold for a minute more at most. --tenant matters for a source alone.

    Example: freehold access revoke iam arn:aws:iam::123456789012:role/support --stack freehold
    """
    screen, chosen = Screen(json=as_json), _kind(kind)
    with screen.progress("revoking access"):
        _, entries, first = _entries(world_of(ctx), stack)
        entries.revoke(chosen, name, tenant or first)
    screen.answer({"kind": chosen, "name": name, "revoked": True}, f"Revoked {name}.")


def _kind(given: str) -> EntryKind:
    if given not in KINDS:
        raise WrongUse(f"{given!r} is none of {', '.join(KINDS)}")
    return given


def _entries(world: World, stack: str | None) -> tuple[Account, AccessEntries, str]:
    """The account of a stack, its entries, and the tenant that is meant where none is named."""
    if stack is None:
        local = world.local_stack()
        info = local.running()
        if info is None:
            raise Down(
                "the local stack is not running", "Start it with `freehold up`, or name one by --stack."
            )
        account, outputs, tenant = world.account(local.aws.environment()), info.outputs, LOCAL_TENANT
    else:
        account, tenant = world.account({}), FIRST_TENANT
        outputs = account.outputs(stack)
    if "AgentsTable" not in outputs:
        raise WrongUse(f"the stack {stack!r} has no output AgentsTable: it is none of Freehold")
    return account, account.access(outputs["AgentsTable"]), tenant


def _shape(entry: AccessEntry) -> dict[str, object]:
    shape: dict[str, object] = {"kind": entry.kind, "name": entry.name, "tenant": entry.tenant}
    shape |= {"scopes": list(entry.scopes)} if entry.scopes else {}
    by = entry.created_by
    return shape | ({"createdBy": {"type": by.type, "id": by.id}} if by else {})
