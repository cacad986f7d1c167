"""Tokens of an OIDC issuer, with real keys over real HTTPS: which open what, and when its keys are asked for."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from freehold.adapters import egress
from freehold.adapters.http_exchange import Exchange
from freehold.adapters.issuer_keys import (
    BETWEEN_SECONDS,
    FRESH_SECONDS,
    KEPT_SECONDS,
    READ_SECONDS,
    IssuerKeys,
    fetched,
)
from freehold.adapters.oidc import Issuer, OidcTokens
from freehold.errors import IssuerUnavailable
from freehold.values.access import Identity
from freehold.values.run import Principal
from http_world import Net
from https_server import HttpsServer, raw, reply, trusted
from oidc_issuer import (
    AUDIENCE,
    DISCOVERY,
    ISSUER,
    KEYS,
    OTHER_RSA,
    P256,
    P384,
    RSA,
    SHORT_RSA,
    OidcIssuer,
    claims,
    encoded,
    jwk,
    pem,
    token,
)

BOTH = [DISCOVERY, KEYS]


@dataclass
class Door:
    """What the authorizer has, with a clock that tests move."""

    issuer: OidcIssuer
    net: Net
    now: float = 1_800_000_000.0
    given: Issuer = field(
        default_factory=lambda: Issuer(ISSUER, frozenset((AUDIENCE,)), "", "tenant", "sub", "scope", "")
    )

    def __post_init__(self) -> None:
        pinned = partial(egress.pinned, lookup=self.net.lookup)
        get = partial(fetched, pinned=pinned, exchange=Exchange(self.net.dial, trusted))
        self.keys = IssuerKeys(self.given.url, get, lambda: self.now)

    def verify(self, text: str, **settings: Any) -> Identity | None:
        given = {name: getattr(self.given, name) for name in Issuer.__slots__} | settings
        return OidcTokens(Issuer(**given), self.keys).verify(text)


@pytest.fixture
def door() -> Iterator[Door]:
    with HttpsServer() as server:
        net = Net()
        net.leads("login.example.com", server)
        yield Door(OidcIssuer(server), net)


# -- what opens


@pytest.mark.parametrize(
    ("key", "algorithm", "kid"), [(RSA, "RS256", "rsa"), (RSA, "PS256", "rsa"), (P256, "ES256", "ec")]
)
def test_a_token_of_the_issuer_stands_for_its_subject(door: Door, key: Any, algorithm: str, kid: str):
    found = door.verify(token(key, algorithm, kid))

    assert found == Identity("acme", Principal("oidc", "user-42"), ("run", "read"))


@pytest.mark.parametrize("kind", ["JWT", "at+jwt", "application/at+jwt"])
def test_it_may_say_that_it_gives_access(door: Door, kind: str):
    assert door.verify(token(header={"typ": kind}))


@pytest.mark.parametrize(
    ("scope", "prefix", "scopes"),
    [
        ("run read", "", ("run", "read")),
        (["approve", "nonsense", 7], "", ("approve",)),
        ("freehold/run run email", "freehold/", ("run",)),
        ("admin admin", "", ("admin",)),
    ],
)
def test_of_the_scopes_that_a_claim_names_ours_count(door: Door, scope: Any, prefix: str, scopes: Any):
    found = door.verify(token(scope=scope), scope_prefix=prefix)

    assert found is not None
    assert found.scopes == scopes


def test_the_tenant_is_everybodys_or_a_claims(door: Door):
    text = token(tenant="acme", **{"custom:org": "globex"})

    found = [
        door.verify(text),
        door.verify(text, tenant_claim="custom:org"),
        door.verify(text, tenant="fixed"),
    ]

    assert [each and each.tenant for each in found] == ["acme", "globex", "fixed"]


def test_the_subject_may_be_another_claim(door: Door):
    found = door.verify(token(email="ann@example.com"), subject_claim="email")

    assert found is not None
    assert found.principal.name == "oidc:ann@example.com"


@pytest.mark.parametrize("aud", [AUDIENCE, ["other", AUDIENCE]])
def test_one_audience_of_ours_suffices(door: Door, aud: Any):
    assert door.verify(token(aud=aud))


def test_without_any_audience_the_client_is_it(door: Door):
    assert door.verify(token(aud=None, client_id=AUDIENCE))
    assert door.verify(token(aud=None, client_id="another")) is None
    assert door.verify(token(aud="another", client_id=AUDIENCE)) is None


# -- what does not

NOW = int(time.time())
REFUSED = {
    "expired": token(exp=NOW - 60),
    "not yet valid": token(nbf=NOW + 3600),
    "made in the future": token(iat=NOW + 3600),
    "without an end": token(exp=None),
    "an end that is no time": token(exp="soon"),
    "an end without end": token(exp=float("inf")),
    "another audience": token(aud="another"),
    "no audience": token(aud=None),
    "an audience that is no text": token(aud={"freehold": True}),
    "another issuer": token(iss="https://login.example.com/globex"),
    "the issuer with a slash more": token(iss=f"{ISSUER}/"),
    "no issuer": token(iss=None),
    "issuers": token(iss=[ISSUER]),
    "no tenant": token(tenant=None),
    "a tenant that is none": token(tenant="ac#me"),
    "a tenant with a line more": token(tenant="acme\n"),
    "no text as a tenant": token(tenant=["acme"]),
    "no subject": token(sub=None),
    "a blank subject": token(sub=""),
    "a subject with a blank": token(sub="a b"),
    "a subject beyond ASCII": token(sub="ключ"),
    "a subject that is too long": token(sub="a" * 257),
    "no scope": token(scope=None),
    "no scope of ours": token(scope="openid email"),
    "scopes that are no list": token(scope={"run": True}),
    "a scope within another": token(scope="rerun running"),
    "an unknown key": token(RSA, "RS256", "elsewhere"),
    "no key named": token(RSA, "RS256", None),
    "a key of somebody else": token(OTHER_RSA, "RS256", "rsa"),
    "the curve's key with the other's name": token(P256, "ES256", "rsa"),
    "another hash": token(RSA, "RS512", "rsa"),
    "a logout token": token(header={"typ": "logout+jwt"}),
    "what it does not say it needs": token(header={"crit": ["exp"], "exp": 1}),
    "an extension that nobody knows": token(header={"crit": ["x"], "x": 1}),
    "a key of its own": token(OTHER_RSA, "RS256", "mine", header={"jwk": jwk(OTHER_RSA, "mine")}),
    "a place for its key": token(
        OTHER_RSA, "RS256", "mine", header={"jku": "https://api.example.com/keys", "x5u": "https://x.example"}
    ),
    "huge": token(filler="a" * 10_000),
    "nested": f"{encoded({'alg': 'RS256', 'kid': 'rsa'})}.{encoded('[' * 5_000)}.{encoded('x')}",
    "no JSON": f"{encoded('nonsense')}.{encoded('nonsense')}.{encoded('x')}",
    "no object": f"{encoded({'alg': 'RS256', 'kid': 'rsa'})}.{encoded('[]')}.{encoded('x')}",
    "three dots of nothing": "..",
    "beyond ASCII": "ключ.ключ.ключ",
    "no signature": f"{token().rpartition('.')[0]}.",
    "another payload": ".".join(
        (token().split(".")[0], encoded(claims(tenant="globex")), token().split(".")[2])
    ),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_what_is_not_the_issuers_word_for_us_opens_nothing(door: Door, fault: str):
    assert door.verify(REFUSED[fault]) is None
    assert set(door.issuer.asked_for) <= {*BOTH}
    assert door.verify(token()) is not None


@pytest.mark.parametrize("name", ["none", "None", "NONE", ""])
def test_a_token_without_a_signature_opens_nothing(door: Door, name: str):
    unsigned = f"{encoded({'alg': name, 'typ': 'JWT', 'kid': 'rsa'})}.{encoded(claims())}."

    assert door.verify(unsigned) is None


@pytest.mark.parametrize("secret", [pem(RSA), json.dumps(jwk(RSA, "rsa")).encode(), b""])
@pytest.mark.parametrize("name", ["HS256", "HS384", "HS512"])
def test_a_public_key_is_nobodys_secret(door: Door, secret: bytes, name: str):
    import hashlib
    import hmac

    signed = f"{encoded({'alg': name, 'typ': 'JWT', 'kid': 'rsa'})}.{encoded(claims())}"
    mac = hmac.new(secret, signed.encode(), getattr(hashlib, f"sha{name[2:]}")).digest()

    assert door.verify(f"{signed}.{encoded(mac)}") is None


@pytest.mark.parametrize(
    ("listed", "text"),
    [
        ({"kty": "oct", "kid": "k", "k": encoded("secret" * 8)}, token("secret" * 8, "HS256", "k")),
        (jwk(SHORT_RSA, "k"), token(SHORT_RSA, "RS256", "k")),
        (jwk(P384, "k"), token(P384, "ES384", "k")),
        (jwk(RSA, "k", use="enc"), token(RSA, "RS256", "k")),
        (jwk(RSA, "k", key_ops=["encrypt"]), token(RSA, "RS256", "k")),
        (jwk(RSA, "k", alg="PS256"), token(RSA, "RS256", "k")),
        (jwk(RSA, "k", alg="RS512"), token(RSA, "RS512", "k")),
        ({"kty": "RSA", "kid": "k", "n": "!", "e": "AQAB"}, token(RSA, "RS256", "k")),
        ({"kty": "RSA", "kid": "k"}, token(RSA, "RS256", "k")),
        ({"kty": 7, "kid": ["k"]}, token(RSA, "RS256", "k")),
        (jwk(RSA, "k") | {"kid": ["k"]}, token(RSA, "RS256", "k")),
        (jwk(RSA, "k", key_ops=None), token(RSA, "RS256", "k")),
        (jwk(RSA, "k", key_ops=7), token(RSA, "RS256", "k")),
        (jwk(RSA, "k", n=7), token(RSA, "RS256", "k")),
        ("no key", token(RSA, "RS256", "k")),
    ],
)
def test_a_key_that_we_do_not_take_spoils_no_other(door: Door, listed: Any, text: str):
    door.issuer.keys.insert(0, listed)

    assert door.verify(text) is None
    assert door.verify(token()) is not None


def test_without_an_audience_of_ours_nobody_comes_in(door: Door):
    assert door.verify(token(), audiences=frozenset()) is None
    assert door.verify(token(aud=""), audiences=frozenset()) is None


def test_without_a_claim_for_the_tenant_nobody_comes_in(door: Door):
    assert door.verify(token(), tenant_claim="") is None


# -- the issuer's keys


def test_keys_are_asked_for_once_and_kept(door: Door):
    for _ in range(5):
        assert door.verify(token())

    assert door.issuer.asked_for == BOTH


def test_what_is_plainly_not_the_issuers_asks_it_for_nothing(door: Door):
    for fault in ("another issuer", "no key named", "huge", "nested", "no JSON", "a logout token"):
        assert door.verify(REFUSED[fault]) is None

    assert door.issuer.asked_for == []


def test_unknown_keys_ask_the_issuer_at_most_once_in_a_while(door: Door):
    assert door.verify(token())
    door.now += BETWEEN_SECONDS

    for number in range(100):
        assert door.verify(token(RSA, "RS256", f"unknown-{number}")) is None
    assert door.issuer.asked_for == BOTH * 2

    door.now += BETWEEN_SECONDS
    door.verify(token(RSA, "RS256", "unknown"))
    assert door.issuer.asked_for == BOTH * 3


def test_a_new_key_of_the_issuer_is_found_when_it_is_first_used(door: Door):
    assert door.verify(token())
    door.now += BETWEEN_SECONDS
    door.issuer.keys.append(jwk(OTHER_RSA, "next"))

    assert door.verify(token(OTHER_RSA, "RS256", "next"))
    assert door.verify(token())


def test_a_key_that_left_the_issuers_set_opens_nothing_after_a_while(door: Door):
    assert door.verify(token())
    door.issuer.keys = [jwk(OTHER_RSA, "next")]
    door.now += FRESH_SECONDS - 1
    assert door.verify(token())

    door.now += 1

    assert door.verify(token()) is None
    assert door.verify(token(OTHER_RSA, "RS256", "next"))


def test_a_key_that_was_replaced_under_its_name_opens_nothing_after_a_while(door: Door):
    assert door.verify(token())
    door.issuer.keys = [jwk(OTHER_RSA, "rsa")]

    door.now += FRESH_SECONDS

    assert door.verify(token()) is None
    assert door.verify(token(OTHER_RSA, "RS256", "rsa"))


def test_while_the_issuer_is_away_its_keys_hold_for_an_hour(door: Door):
    assert door.verify(token())
    door.issuer.trouble = reply(503)

    door.now += KEPT_SECONDS - 1
    assert door.verify(token())
    door.now += 1
    with pytest.raises(IssuerUnavailable):
        door.verify(token())


def test_an_issuer_that_is_away_from_the_beginning_is_not_asked_by_every_call(door: Door):
    door.issuer.trouble = reply(503)

    for _ in range(10):
        with pytest.raises(IssuerUnavailable):
            door.verify(token())
    assert door.issuer.asked_for == [DISCOVERY]

    door.issuer.trouble = None
    door.now += BETWEEN_SECONDS
    assert door.verify(token())


def test_while_the_issuer_is_away_a_key_that_may_be_new_is_not_called_unknown(door: Door):
    assert door.verify(token())
    door.now += BETWEEN_SECONDS
    door.issuer.trouble = reply(503)
    text = token(OTHER_RSA, "RS256", "next")

    for _ in range(2):
        with pytest.raises(IssuerUnavailable):
            door.verify(text)
    assert door.verify(token())

    door.issuer.trouble = None
    door.now += BETWEEN_SECONDS
    assert door.verify(text) is None


def test_what_goes_wrong_with_the_keys_is_no_fault_of_the_token():
    def breaks(*_: Any) -> bytes:
        raise TypeError("a defect of ours")

    given = Issuer(ISSUER, frozenset((AUDIENCE,)), "", "tenant", "sub", "scope", "")

    with pytest.raises(TypeError):
        OidcTokens(given, IssuerKeys(ISSUER, breaks)).verify(token())


def test_both_documents_have_one_time_to_come_in():
    now = 0.0
    asked: list[float] = []

    def slow(url: str, seconds: float) -> bytes:
        nonlocal now
        asked.append(seconds)
        now += 3
        return json.dumps(WHOLE).encode()

    IssuerKeys(ISSUER, slow, lambda: now).find("rsa")

    assert asked == [READ_SECONDS, READ_SECONDS - 3]


def test_what_the_look_up_takes_is_no_more_there_for_the_answer():
    now = 0.0

    def slow(host: str, port: int) -> list[str]:
        nonlocal now
        now += 3
        return ["8.8.8.8"]

    left: list[float] = []

    def dial(address: str, port: int, seconds: float) -> Any:
        left.append(seconds)
        raise OSError

    with pytest.raises(IssuerUnavailable):
        fetched(ISSUER, 5.0, partial(egress.pinned, lookup=slow), Exchange(dial, clock=lambda: now))
    assert left == [2.0]


# Discovery document and keys in one.
WHOLE = {"issuer": ISSUER, "jwks_uri": f"https://login.example.com{KEYS}", "keys": [jwk(RSA, "rsa")]}


@pytest.mark.parametrize(
    "trouble",
    [
        reply(404, json.dumps(WHOLE).encode()),
        reply(302, Location="https://api.example.com/"),
        reply(200, b"no JSON"),
        reply(200, b"[]"),
        reply(200, b"[" * 10_000),
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"),
    ],
)
def test_an_answer_that_is_none_is_an_issuer_that_is_away(door: Door, trouble: Any):
    door.issuer.trouble = trouble
    door.issuer.server.closing.set()

    with pytest.raises(IssuerUnavailable):
        door.verify(token())


@pytest.mark.parametrize(
    "discovery",
    [
        {"issuer": "https://login.example.com/globex"},
        {"issuer": None},
        {"jwks_uri": None},
        {"jwks_uri": f"http://login.example.com{KEYS}"},
        {"jwks_uri": "https://169.254.169.254/keys"},
        {"jwks_uri": "https://localhost/keys"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": "https://login.example.com/acme/nothing"},
    ],
)
def test_a_discovery_document_is_believed_for_its_own_issuer_and_over_https(door: Door, discovery: Any):
    door.issuer.discovery |= discovery

    with pytest.raises(IssuerUnavailable):
        door.verify(token())


def test_a_certificate_that_nobody_vouches_for_is_not_believed(door: Door):
    exchange = Exchange(door.net.dial)
    get = partial(fetched, pinned=partial(egress.pinned, lookup=door.net.lookup), exchange=exchange)

    with pytest.raises(IssuerUnavailable, match="certificate"):
        IssuerKeys(ISSUER, get).find("rsa")


def test_an_issuer_of_this_machine_is_asked_only_where_that_is_allowed():
    with HttpsServer(tls=False) as server:
        url = f"http://127.0.0.1:{server.port}/acme"
        issuer = OidcIssuer(server, discovery={"issuer": url, "jwks_uri": f"{url}/keys"})
        exchange = Exchange()

        def keys(*, loopback: bool) -> IssuerKeys:
            pinned = partial(egress.pinned, loopback=loopback)
            return IssuerKeys(url, partial(fetched, pinned=pinned, exchange=exchange))

        with pytest.raises(IssuerUnavailable):
            keys(loopback=False).find("rsa")
        assert issuer.asked_for == []
        assert keys(loopback=True).find("rsa") is not None
