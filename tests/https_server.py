"""An HTTP server for tests of tools, on 127.0.0.1, with a certificate for names of the public Internet.

    with HttpsServer() as server:
        server.script([reply(200, b"{}"), lost])

Each answer of the script is a function that has the request and may do what it likes with the connection. Whoever
connects has to trust `trusted()`, and to be led here: nothing looks such a name up.
"""

from __future__ import annotations

import datetime as dt
import json
import ssl
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NAMES = (
    "api.example.com",
    "login.example.com",
    "abc123.execute-api.us-east-1.amazonaws.com",
    "abc.def.vpc-lattice-svcs.us-east-1.on.aws",
)


@dataclass(frozen=True, slots=True)
class Received:
    """One request, as it arrived. `headers` are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


Answer = Callable[["Asked"], None]


class HttpsServer:
    """Listens while its `with` block runs. `connections` counts all that were made, with or without a request."""

    def __init__(self, *, tls: bool = True, names: Iterable[str] = NAMES) -> None:
        self.received: list[Received] = []
        self.connections = 0
        self.closing = threading.Event()
        self._script: list[Answer] = []
        self._http = _Server(self)
        if tls:
            self._http.tls = _server_context(tuple(names))
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    @property
    def port(self) -> int:
        return self._http.server_address[1]

    def script(self, answers: Iterable[Answer]) -> None:
        self._script = list(answers)

    def next_answer(self) -> Answer:
        return self._script.pop(0) if self._script else reply(200, b'{"ok": true}')


class Asked(BaseHTTPRequestHandler):
    """One connection. `request` is what it came with."""

    protocol_version = "HTTP/1.1"
    server: _Server
    request_received: Received

    def handle_one_request(self) -> None:
        # Connections that end in the middle are what is tested.
        with suppress(OSError):
            super().handle_one_request()
        self.close_connection = True

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def _answer(self) -> None:
        length = int(self.headers.get("content-length", "0"))
        test = self.server.test
        answer = test.next_answer()
        body = self.rfile.read(length)
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.request_received = Received(self.command, self.path, headers, body)
        test.received.append(self.request_received)
        answer(self)

    def log_message(self, *_: Any) -> None:
        """Nothing: what arrived is in `received`."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    tls: ssl.SSLContext | None = None

    def __init__(self, test: HttpsServer) -> None:
        super().__init__(("127.0.0.1", 0), Asked)
        self.test = test

    def get_request(self) -> Any:
        connection, address = super().get_request()
        self.test.connections += 1
        return connection, address

    def finish_request(self, request: Any, client_address: Any) -> None:
        """In the connection's own thread, so that a slow handshake keeps nobody waiting."""
        with suppress(OSError):
            if self.tls is not None:
                request = self.tls.wrap_socket(request, server_side=True)
            super().finish_request(request, client_address)
            request.close()

    def handle_error(self, *_: Any) -> None:
        """What a client makes of it is what is tested."""


# -- answers


def reply(status: int, body: bytes = b"", **headers: str) -> Answer:
    """`headers` with `_` in place of `-`."""

    def answer(asked: Asked) -> None:
        asked.send_response_only(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            asked.send_header(name.replace("_", "-"), value)
        asked.send_header("Content-Length", str(len(body)))
        asked.end_headers()
        if asked.command != "HEAD":
            asked.wfile.write(body)

    return answer


def raw(*parts: bytes, every: float = 0.0) -> Answer:
    """These bytes, with so many seconds between them, until the server closes."""

    def answer(asked: Asked) -> None:
        for part in parts:
            asked.wfile.write(part)
            asked.wfile.flush()
            if asked.server.test.closing.wait(every):
                return

    return answer


def silent(asked: Asked) -> None:
    """Nothing, for as long as the server is there."""
    asked.server.test.closing.wait(30)


def echo(asked: Asked) -> None:
    """All that came, as some servers quote what they are sent."""
    came = asked.request_received
    told = {"path": came.path, "headers": dict(came.headers), "body": came.body.decode()}
    reply(200, json.dumps(told).encode())(asked)


# -- certificates


@dataclass(frozen=True)
class _Authority:
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate


@cache
def _folder() -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix="freehold-certificates-")


@cache
def _authority() -> _Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])
    use = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only"),
        False,
    )
    made = (
        _certificate(name, name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True, key_cert_sign=True, crl_sign=True, decipher_only=False, **use
            ),
            critical=True,
        )
    )
    return _Authority(key, made.sign(key, hashes.SHA256()))


def _certificate(subject: x509.Name, issuer: x509.Name, key: Any) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
    )


@cache
def trusted() -> ssl.SSLContext:
    """Trusts the certificates of these servers, and no others."""
    pem = _authority().certificate.public_bytes(serialization.Encoding.PEM).decode()
    return ssl.create_default_context(cadata=pem)


@cache
def _server_context(names: tuple[str, ...]) -> ssl.SSLContext:
    authority, key = _authority(), ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "server")])
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    certificate = (
        _certificate(subject, authority.certificate.subject, key.public_key())
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .add_extension(identifier, critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = Path(_folder().name) / f"{abs(hash(names))}.pem"
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context
