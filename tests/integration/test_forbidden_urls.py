"""Server-side request forgery: whatever an agent, a document, a name service or a server says, no connection is made.

Every URL below is the agent's own base URL, so that nothing but the way out itself can refuse it. Connections are
counted where they are made; where a server answers or a name changes, real listeners count as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event

import pytest

from freehold.adapters import egress
from freehold.errors import FreeholdError, ToolFailed, ToolUnavailable
from http_world import PUBLIC, HttpWorld
from https_server import HttpsServer, reply

METADATA = (
    "http://169.254.169.254/latest/meta-data/iam/security-credentials/",
    "https://169.254.169.254/latest/meta-data/",
    "https://169.254.170.2/v2/credentials",
    "https://169.254.170.23/v1/credentials",
    "https://169.254.100.1/",
    "https://[fd00:ec2::254]/latest/meta-data/",
    "https://metadata.google.internal/computeMetadata/v1/",
    "https://metadata/computeMetadata/v1/",
    "https://instance-data.ec2.internal/",
    "https://100.100.100.200/latest/meta-data/",
    "https://192.0.0.192/opc/v2/",
    "https://168.63.129.16/machine",
)
PRIVATE = (
    "https://127.0.0.1/",
    "https://127.0.0.1:9001/2018-06-01/runtime/invocation/next",
    "https://127.8.9.10/",
    "https://0.0.0.0/",
    "https://0.1.2.3/",
    "https://10.0.0.1/",
    "https://172.16.0.1/",
    "https://172.31.255.255/",
    "https://192.168.1.1/",
    "https://100.64.0.1/",
    "https://198.18.0.1/",
    "https://192.0.2.1/",
    "https://198.51.100.7/",
    "https://203.0.113.7/",
    "https://192.88.99.1/",
    "https://224.0.0.1/",
    "https://239.255.255.250/",
    "https://240.0.0.1/",
    "https://255.255.255.255/",
)
OTHER_NOTATIONS = (
    "https://127.1/",
    "https://127.0.1/",
    "https://0177.0.0.1/",
    "https://0x7f.1/",
    "https://0x7f.0x0.0x0.0x1/",
    "https://0x7f000001/",
    "https://2130706433/",
    "https://017700000001/",
    "https://2852039166/latest/meta-data/",
    "https://0xa9fea9fe/",
    "https://0251.0376.0251.0376/",
    "https://169.254.43518/",
    "https://127.0.0.01/",
    "https://127.0.0.1./",
    "https://127.0.0.1.:443/",
    "https://１２７.0.0.1/",
    "https://①②⑦.⓪.⓪.①/",
    "https://127。0。0。1/",
    "https://%31%32%37.0.0.1/",
    "https://0x/",
    "https://1e1.0x7f/",
)
IPV6 = (
    "https://[::1]/",
    "https://[::]/",
    "https://[0:0:0:0:0:0:0:1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[::ffff:169.254.169.254]/",
    "https://[::ffff:93.184.216.34]/",
    "https://[::ffff:0:127.0.0.1]/",
    "https://[::127.0.0.1]/",
    "https://[64:ff9b::169.254.169.254]/",
    "https://[64:ff9b:1::a9fe:a9fe]/",
    "https://[2002:7f00:1::]/",
    "https://[2002:a9fe:a9fe::1]/",
    "https://[2001:0:7f00:1::]/",
    "https://[2001:db8::1]/",
    "https://[3fff::1]/",
    "https://[100::1]/",
    "https://[fc00::1]/",
    "https://[fdff::1]/",
    "https://[fe80::1]/",
    "https://[fe80::1%25eth0]/",
    "https://[fe80::1%eth0]/",
    "https://[fec0::1]/",
    "https://[ff02::1]/",
    "https://[5f00::1]/",
    "https://::1/",
    "https://[::1/",
)
NAMES = (
    "https://localhost/",
    "https://LOCALHOST/",
    "https://localhost./",
    "https://api.localhost/",
    "https://localhost.localdomain/",
    "https://printer.local/",
    "https://db.internal/",
    "https://ip-10-0-0-1.ec2.internal/",
    "https://router.lan/",
    "https://nas.home.arpa/",
    "https://intranet/",
    "https://api.example.com./",
)
SCHEMES = (
    "http://api.example.com/",
    "file:///etc/passwd",
    "file://api.example.com/etc/passwd",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "ftp://api.example.com/",
    "dict://127.0.0.1:11211/stats",
    "ldap://127.0.0.1/",
    "jar:https://api.example.com!/",
    "data:text/plain,hello",
    "unix:///var/run/docker.sock",
    "wss://api.example.com/",
    "//api.example.com/",
    "api.example.com",
    "",
)
TRICKS = (
    "https://api.example.com@127.0.0.1/",
    "https://user:pw@api.example.com/",
    "https://127.0.0.1\\@api.example.com/",
    "https://api.example.com\\.evil.example/",
    "https://api.example.com%00.evil.example/",
    "https://api.example.com\t/",
    "https://api.example.com /",
    "https://api.example.com\r\nHost: evil/",
    "https:/api.example.com/",
    "https:///api.example.com/",
    "https:\\\\api.example.com/",
    "https://api.example.com:0/",
    "https://api.example.com:65536/",
    "https://api.example.com:443:80/",
    "https://api.example.com:/",
    "https://api..example.com/",
    "https://-api.example.com/",
    "https://ⓐpi.example.com/",
    "https://bücher.example.com/",
    "https://api.example.com/a\\..\\b",
    "https://api.example.com/ä",
    "https://api.example.com/a b",
    "https://api.example.com/x\r\nHost: evil",
)
FORBIDDEN = (*METADATA, *PRIVATE, *OTHER_NOTATIONS, *IPV6, *NAMES, *SCHEMES, *TRICKS)
# What a name may not stand for.
ADDRESSES = (
    *(
        "127.0.0.1",
        "10.1.2.3",
        "169.254.169.254",
        "100.64.1.1",
        "192.168.0.1",
        "0.0.0.0",
        "240.0.0.1",
        "224.0.0.1",
    ),
    *("::1", "::", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "::ffff:127.0.0.1", "::ffff:93.184.216.34"),
    *("64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2001:0:1::", "2001:db8::1", "ff02::1", "no address"),
)


@pytest.fixture
def server() -> Iterator[HttpsServer]:
    with HttpsServer() as made:
        yield made


@pytest.fixture
def inside() -> Iterator[HttpsServer]:
    """What must never hear of anything."""
    with HttpsServer(tls=False) as made:
        yield made


@pytest.fixture
def world(server: HttpsServer, inside: HttpsServer) -> HttpWorld:
    made = HttpWorld()
    made.net.leads("api.example.com", server)
    for address in ADDRESSES:
        for port in (80, 443, 9001):
            made.net.routes[address, port] = inside.port
    for name in ("localhost", "metadata.google.internal", "db.internal", "evil.example"):
        made.net.names[name] = [["127.0.0.1"]]
    return made


def test_there_are_enough_of_them():
    assert len(set(FORBIDDEN)) == len(FORBIDDEN) >= 60


@pytest.mark.parametrize("url", FORBIDDEN)
def test_a_forbidden_server_is_never_connected_to(world: HttpWorld, server: HttpsServer, url: str):
    with pytest.raises(ToolFailed):
        world.call(url=url)

    assert world.net.dialled == []
    assert server.connections == 0


@pytest.mark.parametrize(
    "url", [each for each in FORBIDDEN if each.isascii() and each.isprintable() and each]
)
def test_a_redirect_to_a_forbidden_server_is_never_followed(
    world: HttpWorld, server: HttpsServer, inside: HttpsServer, url: str
):
    server.script([reply(307, Location=url), reply(404)])

    # Some of them are paths of the same server to whoever reads them strictly.
    answer = world.call(idempotent=True)

    assert {address for address, _ in world.net.dialled} == {PUBLIC}
    assert {came.headers["host"] for came in server.received} == {"api.example.com"}
    assert answer.status in (307, 404)
    assert inside.connections == 0


@pytest.mark.parametrize("others", [[], [PUBLIC]], ids=["alone", "beside a public one"])
@pytest.mark.parametrize("address", ADDRESSES)
def test_a_name_that_stands_for_a_forbidden_address_is_never_connected_to(
    world: HttpWorld, inside: HttpsServer, address: str, others: list[str]
):
    world.net.names["api.example.com"] = [[*others, address]]

    with pytest.raises(ToolFailed, match=r"api\.example\.com (leads to|stands for)"):
        world.call()

    assert world.net.dialled == []
    assert inside.connections == 0


def test_a_name_that_changes_after_it_was_checked_is_not_looked_up_again(
    world: HttpWorld, server: HttpsServer, inside: HttpsServer
):
    world.net.names["api.example.com"] = [[PUBLIC], ["127.0.0.1"]]

    assert world.call().status == 200

    assert world.net.looked_up == ["api.example.com"]
    assert world.net.dialled == [(PUBLIC, 443)]
    with pytest.raises(ToolFailed, match="leads to an address that is not of the public Internet"):
        world.call()
    assert inside.connections == 0
    assert server.connections == 1


def test_a_name_that_changes_during_a_redirect_is_checked_anew(
    world: HttpWorld, server: HttpsServer, inside: HttpsServer
):
    world.net.names["api.example.com"] = [[PUBLIC], ["169.254.169.254"]]
    server.script([reply(307, Location="/latest/meta-data/")])

    with pytest.raises(ToolFailed, match="leads to an address"):
        world.call()

    assert world.net.dialled == [(PUBLIC, 443)]
    assert inside.connections == 0


def test_a_name_without_an_address_is_not_there(world: HttpWorld):
    world.net.names["api.example.com"] = [[]]

    with pytest.raises(ToolUnavailable, match="has no address"):
        world.call()


# -- what is allowed, so that the above is not for want of anything that is


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://api.example.com/v2", PUBLIC),
        ("https://API.Example.COM:443/v2", PUBLIC),
        (f"https://{PUBLIC}/", PUBLIC),
        ("https://[2606:2800:220:1:248:1893:25c8:1946]/", "2606:2800:220:1:248:1893:25c8:1946"),
        ("https://[2606:2800:220:1:248:1893:25C8:1946]:8443/", "2606:2800:220:1:248:1893:25c8:1946"),
        ("https://xn--bcher-kva.example.com/", PUBLIC),
        ("https://172.32.0.1/", "172.32.0.1"),
        ("https://100.128.0.1/", "100.128.0.1"),
    ],
)
def test_a_public_server_is_connected_to(world: HttpWorld, url: str, address: str):
    world.net.names["xn--bcher-kva.example.com"] = [[PUBLIC]]
    world.net.routes.clear()

    with pytest.raises(ToolUnavailable, match="refused"):
        world.call(url=url)

    assert [each for each, _ in world.net.dialled] == [address]


# -- the switch of a local run


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "api.localhost"])
def test_a_local_run_may_ask_this_machine_and_that_without_tls(host: str):
    with HttpsServer(tls=False) as here:
        world = HttpWorld(loopback=True)
        world.net.names |= {"localhost": [["127.0.0.1"]], "api.localhost": [["::1", "127.0.0.1"]]}
        world.net.routes["127.0.0.1", here.port] = world.net.routes["::1", here.port] = here.port

        assert world.call(url=f"http://{host}:{here.port}/api").status == 200

        assert here.received[0].headers["host"] == f"{host}:{here.port}"


@pytest.mark.parametrize(
    "url",
    [
        url
        for url in (*METADATA, *PRIVATE, *IPV6, *SCHEMES)
        if not any(here in url for here in ("//127.", "[::1]", "0:0:1]"))
    ],
)
def test_a_local_run_opens_nothing_but_this_machine(url: str):
    world = HttpWorld(loopback=True)

    with pytest.raises(FreeholdError):
        world.call(url=url)

    assert world.net.dialled == []


@pytest.mark.parametrize("address", ["10.0.0.1", "169.254.169.254", "::ffff:127.0.0.1", "93.184.216.34"])
def test_a_name_of_this_machine_must_lead_to_it_where_there_is_no_tls(address: str):
    world = HttpWorld(loopback=True)
    world.net.names["localhost"] = [["127.0.0.1", address]]

    with pytest.raises(ToolFailed):
        world.call(url="http://localhost:8000")

    assert world.net.dialled == []


# -- the name service


def test_the_systems_own_name_service_is_asked_where_no_other_is_given():
    assert set(egress.addresses_of("localhost", 80)) <= {"127.0.0.1", "::1"}


def test_a_name_service_that_never_answers_is_not_waited_for():
    never = Event()

    def lookup(_host: str, _port: int) -> list[str]:
        never.wait(10)
        return [PUBLIC]

    try:
        with pytest.raises(ToolUnavailable, match="could not be looked up in time"):
            egress.pinned(
                "https://api.example.com", {"api.example.com:443"}, lookup=lookup, timeout_seconds=0.05
            )
    finally:
        never.set()
