"""Tokens for AWS credentials."""

from __future__ import annotations

from typing import Annotated

import typer

from .screen import AsJson, Screen
from .world import world_of

auth = typer.Typer(help="Come in with your AWS credentials, without a key.", no_args_is_help=True)


def token(
    ctx: typer.Context,
    scope: Annotated[
        list[str] | None,
        typer.Option(metavar="SCOPE", help="May be given again. Default: all that you were granted."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print a token that holds for an hour, for the AWS credentials that you have now.

    An administrator of the stack's account lets your role in, once: `freehold access grant iam`. FREEHOLD_URL names the
    stack; with FREEHOLD_AUTH=aws every other command gets such a token by itself.

    Example: freehold auth token
    """
    world, screen = world_of(ctx), Screen(json=as_json)
    with screen.progress("signing in"):
        made = world.aws_token(world.target(by_aws=True), scope)
    screen.answer(made.wire, made.token)
