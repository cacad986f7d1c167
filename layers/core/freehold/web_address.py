"""Addresses on the web: which texts are one, written plainly, and which networks anybody may be sent to."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from .value import Value

Address = IPv4Address | IPv6Address

# RFC 3986: what a URL may hold. Programs differ in how they read a backslash, a blank or a letter beyond ASCII.
_CHARACTERS = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")
_URL = re.compile(r"(?P<scheme>[^:/?#]+)://(?P<place>[^/?#]*)(?P<path>[^?#]*)(\?(?P<query>[^#]*))?(#.*)?")
_PLACE = re.compile(r"(?P<host>\[[^\[\]]*\]|[^:\[\]]*)(:(?P<port>[0-9]{1,5}))?")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
# The last label of what programs read as a number: 127.1, 0x7f.1 and 2130706433 alike.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PORTS = {"https": 443, "http": 80}
# What a request may be signed for: services that run what users put there, at the names that AWS gives them.
_SIGNED = {
    "execute-api": re.compile(r"[a-z0-9-]+\.execute-api\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?"),
    "lambda": re.compile(r"[a-z0-9]+\.lambda-url\.(?P<region>[a-z0-9-]+)\.on\.aws"),
    "vpc-lattice-svcs": re.compile(
        r"[a-z0-9-]+\.[a-z0-9]+\.vpc-lattice-svcs\.(?P<region>[a-z0-9-]+)\.on\.aws"
    ),
}
# Names that each network answers for itself.
_LOCAL_ENDINGS = ("localhost", "local", "localdomain", "internal", "intranet", "lan", "home.arpa")

# https://www.iana.org/assignments/iana-ipv4-special-registry, with multicast, and Azure's wire server at the end.
_SPECIAL_IPV4 = tuple(
    IPv4Network(network)
    for network in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24"),
        *("192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"),
        *("224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32"),
    )
)
_LOOPBACK, _LOOPBACK_IPV6 = IPv4Network("127.0.0.0/8"), IPv6Network("::1/128")
# All that is routed lies in here. What maps or translates IPv4 (::ffff:0:0/96, 64:ff9b::/96, 64:ff9b:1::/48) does not,
# nor do loopback, unique local, link-local and multicast addresses.
_GLOBAL_IPV6 = IPv6Network("2000::/3")
# https://www.iana.org/assignments/iana-ipv6-special-registry: Teredo and others, documentation, 6to4, AS112.
_SPECIAL_IPV6 = tuple(
    IPv6Network(network)
    for network in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
)


class WebAddress(Value):
    """A URL, read. `host` is in lower case, an IPv6 address without its brackets; `path` and `query` as they stand."""

    scheme: str
    host: str
    port: int
    path: str
    query: str

    @property
    def place(self) -> str:
        """Host and port, always both: two addresses lead to the same server where scheme and place are the same."""
        return f"{self._written}:{self.port}"

    @property
    def authority(self) -> str:
        """As a request names it: without the port that goes without saying."""
        return self._written if self.port == _PORTS[self.scheme] else self.place

    @property
    def _written(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host


def read(url: str) -> WebAddress:
    """Raises `ValueError` with what is wrong, for anything that two programs could read differently."""
    found = _URL.fullmatch(url)
    if found is None or not _CHARACTERS.fullmatch(url):
        raise ValueError("is no address of the form https://HOST/PATH in plain letters")
    scheme = found["scheme"].lower()
    if scheme not in _PORTS:
        raise ValueError(f"begins with {found['scheme'][:20]}:, and must with https:")
    if "@" in found["place"]:
        raise ValueError("names a user; credentials belong into a secret")
    host, port = _host_and_port(found["place"])
    return WebAddress(scheme, host, port or _PORTS[scheme], found["path"], found["query"] or "")


def place(text: str) -> str:
    """`HOST` or `HOST:PORT` as a `WebAddress` has it; without a port, that of https. Raises `ValueError`."""
    if not _CHARACTERS.fullmatch(text) or set(text) & set("/?#@"):
        raise ValueError("is no HOST or HOST:PORT in plain letters")
    host, port = _host_and_port(text)
    return WebAddress("https", host, port or _PORTS["https"], "", "").place


def signed_for(url: str) -> tuple[str, str] | None:
    """Service and Region that a request to `url` is signed for; None where AWS keys must not be shown there.

    Of AWS's own APIs none is among them: whoever writes an agent would act with the role of its function.
    """
    try:
        address = read(url)
    except ValueError:
        return None
    if (address.scheme, address.port) != ("https", _PORTS["https"]):
        return None
    for service, pattern in _SIGNED.items():
        if found := pattern.fullmatch(address.host):
            return service, found["region"]
    return None


def is_local_name(host: str) -> bool:
    """Whether a name has a meaning in some network alone; addresses are no names."""
    if is_number(host):
        return False
    return "." not in host or host.endswith(tuple(f".{ending}" for ending in _LOCAL_ENDINGS))


def is_number(host: str) -> bool:
    """Whether a plain host is an IP address."""
    return ":" in host or bool(_NUMBER.fullmatch(host.rpartition(".")[2]))


def is_public(address: Address) -> bool:
    """Whether it is an ordinary one of the Internet: no private, local, shared, reserved or translated one."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _SPECIAL_IPV4)
    return address in _GLOBAL_IPV6 and not any(address in network for network in _SPECIAL_IPV6)


def is_loopback(host: str) -> bool:
    """Whether it is this machine, by name or by address."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    return is_number(host) and is_this_machine(ip_address(host))


def is_this_machine(address: Address) -> bool:
    """Whether it is a loopback address, written as itself."""
    return address in (_LOOPBACK if isinstance(address, IPv4Address) else _LOOPBACK_IPV6)


def _host_and_port(text: str) -> tuple[str, int | None]:
    found = _PLACE.fullmatch(text)
    if found is None:
        raise ValueError("has no plain HOST or HOST:PORT")
    port = int(found["port"]) if found["port"] else None
    if port is not None and not 0 < port < 65_536:
        raise ValueError("has a port that is not between 1 and 65535")
    return _plain_host(found["host"].lower()), port


def _plain_host(host: str) -> str:
    if host.startswith("["):
        return _ipv6(host[1:-1])
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return _ipv4(host)
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError(
            "has a host that is no plain name, such as api.example.com, without a dot at its end"
        )
    return host


def _ipv4(host: str) -> str:
    try:
        return str(IPv4Address(host))
    except ValueError:
        raise ValueError("has an IPv4 address in an unusual notation; only 192.0.2.1 is read") from None


def _ipv6(text: str) -> str:
    try:
        address = IPv6Address(text)
    except ValueError:
        raise ValueError("has no IPv6 address between its brackets") from None
    if address.scope_id is not None:
        raise ValueError("has an IPv6 address with a zone")
    return str(address)
