"""API keys: create, list, revoke."""

from __future__ import annotations

from typing import Annotated

import typer

from . import tables
from .screen import AsJson, Screen
from .world import world_of

keys = typer.Typer(
    help="API keys: make, list and revoke them. Needs a key with scope `admin`.", no_args_is_help=True
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
    as_json: AsJson = False,
) -> None:
    """Make a key. Its text is printed once, here, and kept nowhere.

    Example: freehold keys create nightly-report --scope run --scope read --expires-in-days 90
    """
    screen = Screen(json=as_json)
    with world_of(ctx).client() as client, screen.progress("making the key"):
        made = client.keys.create(name, scope or ["run", "read"], expires_in_days=expires_in_days)
    screen.answer(made.wire, made.key or "")
    screen.note(f"Key {made.key_id} with {', '.join(made.scopes)}. Keep it now: it cannot be shown again.")


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
