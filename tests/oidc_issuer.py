"""An OpenID Connect issuer for tests: real keys, served over real HTTPS."""

from __future__ import annotations

import base64
import json
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from https_server import Answer, Asked, HttpsServer, reply

ISSUER = "https://login.example.com/acme"
AUDIENCE = "freehold"
DISCOVERY, KEYS = "/acme/.well-known/openid-configuration", "/acme/keys"

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
SHORT_RSA = rsa.generate_private_key(public_exponent=65537, key_size=1024)
P256 = ec.generate_private_key(ec.SECP256R1())
P384 = ec.generate_private_key(ec.SECP384R1())


def jwk(key: Any, kid: str, **more: Any) -> dict[str, Any]:
    """The public half, as an issuer lists it."""
    algorithm = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
    return algorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": kid, "use": "sig"} | more


def pem(key: Any) -> bytes:
    public = key.public_key()
    return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def claims(**changes: Any) -> dict[str, Any]:
    """Good ones. A change to None leaves a claim out."""
    now = int(time.time())
    plain = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "user-42",
        "tenant": "acme",
        "scope": "openid run read",
        "iat": now,
        "exp": now + 300,
    }
    return {name: value for name, value in (plain | changes).items() if value is not None}


def token(
    key: Any = RSA, algorithm: str = "RS256", kid: str | None = "rsa", /, header: Any = None, **changes: Any
) -> str:
    named = {"kid": kid} if kid is not None else {}
    payload = json.dumps(claims(**changes)).encode()
    with warnings.catch_warnings():
        # A key that is too short is what one test is about.
        warnings.simplefilter("ignore", jwt.InsecureKeyLengthWarning)
        return jwt.PyJWS().encode(payload, key, algorithm, headers=named | (header or {}))


def encoded(part: Mapping[str, Any] | str | bytes) -> str:
    """One part of a token that no library would make."""
    raw = json.dumps(part) if isinstance(part, Mapping) else part
    data = raw.encode() if isinstance(raw, str) else raw
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass
class OidcIssuer:
    """Answers what it holds. With a `trouble` it answers that instead."""

    server: HttpsServer
    keys: list[dict[str, Any]] = field(default_factory=lambda: [jwk(RSA, "rsa"), jwk(P256, "ec")])
    discovery: dict[str, Any] = field(
        default_factory=lambda: {"issuer": ISSUER, "jwks_uri": f"https://login.example.com{KEYS}"}
    )
    trouble: Answer | None = None

    def __post_init__(self) -> None:
        self.server.next_answer = lambda: self.answer  # pyright: ignore[reportAttributeAccessIssue]

    def answer(self, asked: Asked) -> None:
        documents: dict[str, Callable[[], object]] = {
            DISCOVERY: lambda: self.discovery,
            KEYS: lambda: {"keys": self.keys},
        }
        path = asked.request_received.path
        if self.trouble is not None:
            self.trouble(asked)
        elif path in documents:
            reply(200, json.dumps(documents[path]()).encode())(asked)
        else:
            reply(404)(asked)

    @property
    def asked_for(self) -> list[str]:
        return [received.path for received in self.server.received]
