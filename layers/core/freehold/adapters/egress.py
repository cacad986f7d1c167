"""The way out to servers that agents name: which one, and at which addresses, may be connected to.

A tenant chooses the server, so its name is not to be trusted: it may be one of this machine, of a private network or
of a cloud's metadata service, today or at the next look. Whoever connects takes the addresses of a `Target` and never
looks the name up again; TLS still verifies the name.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Collection, Sequence
from ipaddress import ip_address
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Protocol

from .. import web_address
from ..errors import ToolFailed, ToolUnavailable
from ..value import Value
from ..values.agent import Server
from ..web_address import WebAddress

LOOKUP_SECONDS = 5.0
ON_LOOPBACK = "which tools may ask only on a local stack started with `freehold up --tools-on-loopback`"


class Target(Value):
    """Where to connect. `addresses` were all checked, and are to be tried in that order; `host` is for TLS."""

    scheme: str
    host: str
    port: int
    addresses: tuple[str, ...]

    @property
    def address(self) -> str:
        return self.addresses[0]


Lookup = Callable[[str, int], Sequence[str]]


class Pinned(Protocol):
    """`pinned` with its settings filled in."""

    def __call__(self, url: str, allowed: Collection[str], *, timeout_seconds: float) -> Target: ...


def addresses_of(host: str, port: int) -> Sequence[str]:
    """What the name stands for now. Raises `OSError`."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(place[0]) for *_, place in found))


def places(server: Server) -> frozenset[str]:
    """The servers, as `host:port`, that a tool may be sent to: its own and those that it lists."""
    try:
        return frozenset(
            (web_address.read(server.url).place, *(web_address.place(host) for host in server.hosts))
        )
    except ValueError as error:
        raise ToolFailed(f"the address of the tool's server {error}") from None


def pinned(
    url: str,
    allowed: Collection[str],
    *,
    loopback: bool = False,
    lookup: Lookup = addresses_of,
    timeout_seconds: float = LOOKUP_SECONDS,
) -> Target:
    """Where `url` may be asked for; `allowed` are `places`.

    With `loopback` this machine may be asked as well, and that over http, too. Raises `ToolFailed` where it must not
    be connected to, and `ToolUnavailable` where its name has no address now.
    """
    try:
        address = web_address.read(url)
    except ValueError as error:
        raise ToolFailed(f"the address of the tool's server {error}") from None
    if address.place not in allowed:
        raise ToolFailed(f"{address.place} is not among the servers that the agent names for this tool")
    here = web_address.is_loopback(address.host)
    if here and not loopback:
        raise ToolFailed(f"{address.place} is this machine, {ON_LOOPBACK}")
    if address.scheme != "https" and not here:
        raise ToolFailed(f"{address.place} must be asked over https")
    if web_address.is_local_name(address.host) and not here:
        raise ToolFailed(f"{address.host} is no name of the public Internet")
    return _checked(address, _looked_up(address, lookup, timeout_seconds), loopback=loopback)


def _checked(address: WebAddress, found: Sequence[str], *, loopback: bool) -> Target:
    """One address that is refused refuses them all: a name that mixes them is up to no good."""
    if not found:
        raise ToolUnavailable(f"{address.host} has no address")
    for each in found:
        try:
            number = ip_address(each)
        except ValueError:
            raise ToolFailed(f"{address.host} stands for something that is no address") from None
        if not web_address.is_public(number) and not (loopback and web_address.is_this_machine(number)):
            raise ToolFailed(f"{address.host} leads to an address that is not of the public Internet")
        if address.scheme != "https" and not web_address.is_this_machine(number):
            raise ToolFailed(f"{address.host} must be asked over https")
    return Target(address.scheme, address.host, address.port, tuple(found))


def _looked_up(address: WebAddress, lookup: Lookup, timeout_seconds: float) -> Sequence[str]:
    """The operating system's own look-up knows no time limit, so it is waited for beside it."""
    if web_address.is_number(address.host):
        return [address.host]
    answer: SimpleQueue[Sequence[str] | OSError] = SimpleQueue()

    def look_up() -> None:
        try:
            answer.put(lookup(address.host, address.port))
        except (OSError, UnicodeError) as error:
            answer.put(OSError(str(error)))

    Thread(target=look_up, daemon=True).start()
    try:
        found = answer.get(timeout=max(0.0, timeout_seconds))
    except Empty:
        raise ToolUnavailable(f"{address.host} could not be looked up in time") from None
    if isinstance(found, OSError):
        raise ToolUnavailable(f"{address.host} could not be looked up ({found})")
    return found
