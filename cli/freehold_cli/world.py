"""What commands touch beyond their arguments. Tests hand in a world of their own and patch nothing."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import typer

from .settings import Home, Target, WrongUse, home, target

if TYPE_CHECKING:
    import httpx

    from freehold.adapters.access import AccessEntries
    from freehold.adapters.dead_letters import SqsDeadLetters
    from freehold.values.run import Principal
    from freehold_client import Freehold, Token


class StackInfo(Protocol):
    """A running local stack: its front door, its AWS endpoint, its template's outputs, what tools may do."""

    @property
    def url(self) -> str: ...
    @property
    def aws_endpoint(self) -> str: ...
    @property
    def outputs(self) -> Mapping[str, str]: ...
    @property
    def tools_on_loopback(self) -> bool: ...


class AwsSettings(Protocol):
    """How to find an AWS and no other."""

    def environment(self) -> dict[str, str]: ...


class Stack(Protocol):
    """The local stack, as `freehold_cli.local` makes it."""

    @property
    def aws(self) -> AwsSettings: ...
    def running(self) -> StackInfo | None: ...
    def silent(self) -> list[str]: ...
    def start(
        self,
        *,
        parameters: Mapping[str, str],
        progress: Callable[[str], None],
        port: int | None = None,
        detached: bool = False,
        bedrock_region: str | None = None,
        tools_on_loopback: bool = False,
    ) -> StackInfo: ...
    def stop(self, progress: Callable[[str], None]) -> bool: ...
    def deploy(
        self, directory: Path, stack_name: str, parameters: Mapping[str, str] | None = None
    ) -> dict[str, str]: ...


class Account(Protocol):
    """An AWS account, real or local: what cannot go through the HTTP API."""

    def outputs(self, stack_name: str) -> dict[str, str]: ...
    def make_key(
        self,
        table: str,
        name: str,
        *,
        tenant: str = ...,
        scopes: Sequence[str] = ...,
        expires_in_days: int | None = ...,
        by: Principal | None = ...,
    ) -> str: ...
    def caller(self) -> Principal | None: ...
    def access(self, table: str) -> AccessEntries: ...
    def sign(self, url: str, body: bytes) -> dict[str, str]: ...
    def dead_letters(self, queue_urls: Sequence[str]) -> SqsDeadLetters: ...
    def put_secret(self, secret: str, text: str) -> None: ...
    def read(self, bucket: str, key: str) -> str: ...


def _local_stack(place: Home) -> Stack:
    from .local.stack import LocalStack

    return LocalStack(place.path, place.root)


def _account(environment: Mapping[str, str]) -> Account:
    from .account import AwsAccount

    return AwsAccount(environment)


def _region_with_access() -> str | None:
    from .local.aws_access import HOW_TO_GET, AwsAccess, NoAccess

    access = AwsAccess(os.environ)
    try:
        access.check()
        return access.region()
    except NoAccess as error:
        raise WrongUse(f"no models on AWS: {error}", HOW_TO_GET) from error


def _interactive() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _read_line(prompt: str) -> str:
    with suppress(ImportError):
        import readline  # noqa: F401 # pyright: ignore[reportUnusedImport] - gives `input` its line editing
    return input(prompt)


@dataclass(frozen=True, kw_only=True)
class World:
    """The surroundings of one command.

    `account` is given AWS_* settings; none means the user's own. `region_with_access` is the user's own Region, if
    one is set; WrongUse without credentials that can be used.
    """

    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    folder: Path = field(default_factory=Path.cwd)
    package: Path = Path(__file__)
    transport: httpx.BaseTransport | None = None
    stack_at: Callable[[Home], Stack] = _local_stack
    account: Callable[[Mapping[str, str]], Account] = _account
    region_with_access: Callable[[], str | None] = _region_with_access
    interactive: Callable[[], bool] = _interactive
    read_line: Callable[[str], str] = _read_line
    sleep: Callable[[float], None] = time.sleep

    def home(self) -> Home:
        return home(self.environ, self.folder, self.package)

    def target(self, *, by_aws: bool = False) -> Target:
        """With `by_aws`, as if FREEHOLD_AUTH said so."""
        environ = {**self.environ, "FREEHOLD_KEY": "", "FREEHOLD_AUTH": "aws"} if by_aws else self.environ
        return target(environ, self.folder, self.package)

    def local_stack(self) -> Stack:
        return self.stack_at(self.home())

    def client(self, where: Target | None = None) -> Freehold:
        from freehold_client import Freehold

        where = where or self.target()
        key = where.key or (lambda: self.aws_token(where).token)
        return Freehold(where.url, key, self.transport, sleep=self.sleep)

    def aws_token(self, where: Target, scopes: Sequence[str] | None = None) -> Token:
        """For the AWS credentials of the user or, where the stack is local, of its account."""
        from freehold_client import aws_token

        account = self.account(self.local_stack().aws.environment() if where.local else {})
        return aws_token(where.url, account.sign, scopes, self.transport)


def world_of(ctx: typer.Context) -> World:
    """The surroundings that the program, or a test, was started with."""
    if not isinstance(ctx.obj, World):
        raise TypeError("the context carries no World")
    return ctx.obj
