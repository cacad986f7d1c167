"""API keys: create, list, revoke."""

from __future__ import annotations

from typing import Annotated

import typer

from . import tables
from .screen import AsJson, Screen
from .settings import WrongUse
from .world import World, world_of

FIRST_TENANT = "main"

keys = typer.Typer(
    help="API keys: make, list and revoke them. Needs a key with scope `admin`, or access to the stack's account.",
    no_args_is_help=True,
)


def create(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who or what will use it.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SCOPE",
            help="run, read, approve, admin or gateway; may be given again. Default: run, read.",
        ),
    ] = None,
    expires_in_days: Annotated[
        int | None, typer.Option(min=1, metavar="DAYS", help="Default: never.")
    ] = None,
    stack: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Make the first key of this CloudFormation stack, by your AWS settings."
        ),
    ] = None,
    tenant: Annotated[
        str | None,
        typer.Option(metavar="TENANT", help=f"With --stack: whose it is. Default: {FIRST_TENANT}."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a key. Its text is printed once, here, and kept nowhere.

    Example: freehold keys create nightly-report --scope run --scope read --expires-in-days 90
    """
    screen = Screen(json=as_json)
    scopes = scope or ["run", "read"]
    if stack is not None:
        _in_account(world_of(ctx), screen, stack, name, tenant or FIRST_TENANT, scopes, expires_in_days)
        return
    if tenant is not None:
        raise WrongUse("--tenant goes with --stack; a key that a key makes is of the same tenant")
    with world_of(ctx).client() as client, screen.progress("making the key"):
        made = client.keys.create(name, scopes, expires_in_days=expires_in_days)
    screen.answer(made.wire, made.key or "")
    screen.note(f"Key {made.key_id} with {', '.join(made.scopes)}. Keep it now: it cannot be shown again.")


def _in_account(
    world: World,
    screen: Screen,
    stack: str,
    name: str,
    tenant: str,
    scopes: list[str],
    expires_in_days: int | None,
) -> None:
    """Without the HTTP API: whoever may write to the stack's table needs no key to make one."""
    account = world.account({})
    with screen.progress("making the key"):
        outputs = account.outputs(stack)
        if not {"AgentsTable", "ApiUrl"} <= set(outputs):
            raise WrongUse(
                f"the stack {stack!r} has no outputs AgentsTable and ApiUrl: it is none of Freehold"
            )
        text = account.make_key(
            outputs["AgentsTable"],
            name,
            tenant=tenant,
            scopes=scopes,
            expires_in_days=expires_in_days,
            by=account.caller(),
        )
    screen.answer({"key": text, "tenant": tenant, "scopes": scopes, "url": outputs["ApiUrl"]}, text)
    screen.note(f"For {outputs['ApiUrl']}. Keep it now: it cannot be shown again.")


def list_keys(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List the keys, without their texts.

    Example: freehold keys list
    """
    screen = Screen(json=as_json)
    with world_of(ctx).client() as client, screen.progress("reading the keys"):
        found = list(client.keys.list())
    screen.answer({"keys": [key.wire for key in found]}, tables.keys(found))


def revoke(
    ctx: typer.Context,
    key: Annotated[
        str, typer.Argument(metavar="KEY", help="The key's id, as `freehold keys list` shows it.")
    ],
    as_json: AsJson = False,
) -> None:
    """Refuse a key from now on; what was cached for it lasts up to a minute.

    Example: freehold keys revoke 01JZK3V9F0Q4T8
    """
    screen = Screen(json=as_json)
    with world_of(ctx).client() as client, screen.progress("revoking the key"):
        client.keys.revoke(key)
    screen.answer({"keyId": key, "revoked": True}, f"Revoked {key}.")
