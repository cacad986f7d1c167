"""The executor `http`: operations of an OpenAPI document, asked of the API itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, cast

from pydantic import Field

from freehold import web_address
from freehold.configuration.bodies import FORM, is_json
from freehold.configuration.part import Part
from freehold.configuration.paths import at, show
from freehold.configuration.server_auth import AuthDocument, Place, Url, auth_problems, server
from freehold.errors import Invalid, Problem
from freehold.http_request import NEVER_ARGUMENTS
from freehold.value import replace
from freehold.values.agent import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freehold.configuration.document import ActionGroup
    from freehold.configuration.references import Schema
    from freehold.configuration.selection import Operation


class HttpExecutor(Part):
    base_url: Url
    auth: AuthDocument | None = None
    allowed_hosts: Annotated[list[Place], Field(max_length=20)] = []


def http_server(executor: HttpExecutor | None) -> Server | None:
    """What the tools of the group are asked of."""
    return executor and server(executor.base_url, executor.auth, executor.allowed_hosts)


def http_problems(executor: HttpExecutor, group: ActionGroup, path: str) -> Iterator[Problem]:
    """What no field of the executor shows by itself; `path` is the group's."""
    if group.function_schema is not None:
        yield Problem(at(path, "functionSchema"), "says nothing of HTTP; an http executor needs an apiSchema")
    if executor.auth is not None:
        where = at(path, "actionGroupExecutor", "http", "auth")
        yield from auth_problems(executor.auth, executor.base_url, executor.allowed_hosts, where)


def can_be_sent(media_type: str) -> bool:
    """Whether a body of this bare media type can be made of a model's arguments."""
    return is_json(media_type) or media_type in (FORM, "text/plain")


def kept_from_the_model(asked: Server) -> set[tuple[str, str]]:
    """Parameters, by place and lower-case name, that are the executor's own."""
    own = {("header", name) for name in NEVER_ARGUMENTS}
    key = asked.auth if asked.auth and asked.auth.type == "apiKey" else None
    return own | ({(key.place, key.name.lower())} if key else set())


def server_of(operation: Operation, group: Server) -> Server:
    """The group's or, where the operation names one of its own, that: at a host that the group allows.

    Raises `Invalid`.
    """
    for node, path in ((operation.node, operation.path), (operation.item, operation.item_path)):
        if node.get("servers"):
            return _own_server(node["servers"], group, at(path, "servers"))
    return group


def _own_server(given: Any, group: Server, path: str) -> Server:
    first = cast("list[Any]", given)[0] if isinstance(given, list) else None
    described = cast("Schema", first) if isinstance(first, dict) else {}
    url = described.get("url")
    if not isinstance(url, str):
        raise Invalid("must be a list of servers, each with a url", path=path)
    for name, variable in _variables(described):
        url = url.replace(f"{{{name}}}", variable)
    where = at(path, 0, "url")
    try:
        address = web_address.read(url)
    except ValueError as error:
        raise Invalid(f"is {show(url)}, which {error}", path=where) from None
    base = web_address.read(group.url)
    same_server = (address.scheme, address.place) == (base.scheme, base.place)
    if not same_server and (address.scheme != "https" or address.place not in group.hosts):
        message = f"names {address.place}, which is neither in baseUrl nor in allowedHosts"
        raise Invalid(message, path=where)
    auth = group.auth
    if auth and auth.type == "sigv4" and web_address.signed_for(url) != (auth.service, auth.region):
        raise Invalid(f"names {address.place}, for which nothing is signed", path=where)
    bare = url.partition("#")[0].partition("?")[0]
    return replace(group, url=bare, hosts=tuple(dict.fromkeys((base.place, *group.hosts))))


def _variables(described: Schema) -> Iterator[tuple[str, str]]:
    given = described.get("variables")
    for name, variable in cast("Schema", given).items() if isinstance(given, dict) else ():
        default = cast("Schema", variable).get("default") if isinstance(variable, dict) else None
        if isinstance(default, str):
            yield name, default
