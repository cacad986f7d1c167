"""How an agent's configuration names a server and says who asks there: the same for HTTP and MCP."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field

from freehold import web_address
from freehold.configuration.part import Part, refused
from freehold.configuration.paths import at, choices, show
from freehold.errors import Problem
from freehold.http_request import NEVER_ARGUMENTS
from freehold.values.agent import Auth, Server

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# RFC 9110: a token.
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_SECRET = re.compile(r"[A-Za-z0-9_+=.@-]{1,100}")
_SCOPE = re.compile(r"[!#-\[\]-~]{1,200}")
# What each type needs, and what it may have beside that.
_FIELDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "apiKey": (("secret", "name"), ("in",)),
    "basic": (("secret",), ()),
    "bearer": (("secret",), ()),
    "oauth2": (("secret", "tokenUrl"), ("scopes",)),
    "sigv4": ((), ("service", "region")),
}
_SIGNED = (
    "an API of API Gateway, a Lambda function URL or a service of VPC Lattice, at the name that AWS gave it"
)


def _address(value: str) -> str:
    try:
        address = web_address.read(value)
    except ValueError as error:
        raise refused(str(error)) from None
    if "?" in value or "#" in value:
        raise refused("must have no query and no fragment")
    here = web_address.is_loopback(address.host)
    if address.scheme != "https" and not here:
        raise refused("must begin with https:// (http:// for this machine only)")
    if not here and not _may_be_public(address.host):
        raise refused("must name a server of the public Internet")
    if {".", ".."} & set(address.path.split("/")):
        raise refused("must have no . or .. in its path")
    return value


def _may_be_public(host: str) -> bool:
    """What a name leads to is seen when it is asked."""
    if web_address.is_number(host):
        return web_address.is_public(ip_address(host))
    return not web_address.is_local_name(host)


def _place(value: str) -> str:
    try:
        return web_address.place(value)
    except ValueError as error:
        raise refused(str(error)) from None


def _secret(value: str) -> str:
    if not _SECRET.fullmatch(value):
        raise refused(
            "must be the name of a secret: 1 to 100 of letters, digits and _+=.@-, without the tenant"
        )
    return value


def _scope(value: str) -> str:
    if not _SCOPE.fullmatch(value):
        raise refused("must be one scope, without blanks")
    return value


Url = Annotated[str, Field(max_length=2_000), AfterValidator(_address)]
Place = Annotated[str, AfterValidator(_place)]


class AuthDocument(Part):
    """`auth` of an executor. Which fields go together, its type decides."""

    type: Literal["apiKey", "basic", "bearer", "oauth2", "sigv4"]
    secret: Annotated[str, AfterValidator(_secret)] | None = None
    name: str | None = None
    placed: Annotated[Literal["header", "query"] | None, Field(alias="in")] = None
    token_url: Url | None = None
    scopes: Annotated[list[Annotated[str, AfterValidator(_scope)]], Field(max_length=50)] | None = None
    service: str | None = None
    region: str | None = None


def server(url: str, auth: AuthDocument | None, hosts: Sequence[str]) -> Server:
    """As the loop sees it; what it is signed for follows from its name."""
    if auth is None:
        return Server(url, None, tuple(hosts))
    service, region = (web_address.signed_for(url) or ("", "")) if auth.type == "sigv4" else ("", "")
    made = Auth(
        type=auth.type,
        secret=auth.secret or "",
        name=auth.name or "",
        place=auth.placed or "header",
        token_url=auth.token_url or "",
        scopes=tuple(auth.scopes or ()),
        service=service,
        region=region,
    )
    return Server(url, made, tuple(hosts))


def auth_problems(auth: AuthDocument, url: str, hosts: Sequence[str], path: str) -> Iterator[Problem]:
    """What no field of `auth` shows by itself. `path` is where it stands."""
    given = auth.model_dump(by_alias=True, exclude_none=True)
    needed, allowed = _FIELDS[auth.type]
    for name in needed:
        if name not in given:
            yield Problem(at(path, name), f"is required with {auth.type}")
    for name in given.keys() - {"type", *needed, *allowed}:
        fields = choices((*needed, *allowed)) if needed or allowed else "nothing else"
        yield Problem(at(path, name), f"has no meaning with {auth.type}; it takes {fields}")
    if auth.type == "apiKey" and auth.name is not None:
        yield from _key_problems(auth.name, auth.placed or "header", at(path, "name"))
    if auth.type == "oauth2" and auth.token_url is not None:
        there = web_address.read(auth.token_url).place
        if there not in (web_address.read(url).place, *hosts):
            message = f"names {there}, which is not the server's own; list it in allowedHosts"
            yield Problem(at(path, "tokenUrl"), message)
    if auth.type == "sigv4":
        yield from _signing_problems(auth, url, path)


def _key_problems(name: str, place: str, path: str) -> Iterator[Problem]:
    if place == "header" and not _HEADER.fullmatch(name):
        yield Problem(path, f"is {show(name)}; must be the name of a header, such as X-Api-Key")
    elif place == "header" and name.lower() in NEVER_ARGUMENTS - {"authorization"}:
        yield Problem(path, f"is {show(name)}, a header that says something else; must be another one")
    elif not name:
        yield Problem(path, "must not be empty")


def _signing_problems(auth: AuthDocument, url: str, path: str) -> Iterator[Problem]:
    found = web_address.signed_for(url)
    if found is None:
        yield Problem(at(path, "type"), f"is sigv4, and the server is not {_SIGNED}")
        return
    for name, value, expected in zip(("service", "region"), (auth.service, auth.region), found, strict=True):
        if value not in (None, expected):
            yield Problem(at(path, name), f"is {show(value)}; the server's name says {expected}")
