"""HTTP tools as a function would have them: with a name service, a dialler and secrets that tests write."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from botocore.credentials import Credentials

from freehold.adapters import egress
from freehold.adapters.http_exchange import Exchange
from freehold.adapters.http_tools import PinnedHttpTools
from freehold.adapters.oauth_tokens import OAuthTokens
from freehold.adapters.tool_auth import ToolAuth
from freehold.errors import ToolFailed
from freehold.values.agent import Auth, Server
from freehold.values.tool import HttpAnswer, HttpRequest
from https_server import HttpsServer, trusted

TENANT = "acme"
PUBLIC = "93.184.216.34"
URL = "https://api.example.com/v2"
KEYS = Credentials("AKIDEXAMPLE", "the/secret+access key", "the-session-token")


@dataclass
class Net:
    """Names, and where connections to addresses lead. What is not in `routes` is not there."""

    names: dict[str, list[Sequence[str]]] = field(default_factory=dict)
    routes: dict[tuple[str, int], int] = field(default_factory=dict)
    looked_up: list[str] = field(default_factory=list)
    dialled: list[tuple[str, int]] = field(default_factory=list)

    def leads(self, host: str, server: HttpsServer, *, address: str = PUBLIC, port: int = 443) -> None:
        """The name stands for the address, and there the server listens."""
        self.names[host] = [[address]]
        self.routes[address, port] = server.port

    def lookup(self, host: str, port: int) -> Sequence[str]:
        """The next answer of the name service; the last one stays."""
        self.looked_up.append(host)
        if host not in self.names:
            raise socket.gaierror("Name or service not known")
        answers = self.names[host]
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def dial(self, address: str, port: int, timeout_seconds: float) -> socket.socket:
        self.dialled.append((address, port))
        if (address, port) not in self.routes:
            raise ConnectionRefusedError("Connection refused")
        return socket.create_connection(("127.0.0.1", self.routes[address, port]), timeout_seconds)


@dataclass
class HttpWorld:
    """`call` makes one attempt; `waited` are the waits that a server asked for."""

    net: Net = field(default_factory=Net)
    secrets: dict[tuple[str, str], str] = field(default_factory=dict)
    keys: Credentials | None = KEYS
    loopback: bool = False
    now: float = 1_800_000_000.0
    passed: float = 0.0
    waited: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        exchange = Exchange(self.net.dial, trusted, lambda: self.passed + time.monotonic())
        pinned = partial(egress.pinned, loopback=self.loopback, lookup=self.net.lookup)
        self.tokens = OAuthTokens(pinned, exchange)
        self.auth = ToolAuth(self._secret, self.tokens, lambda: self.keys)
        self.tools = PinnedHttpTools(
            pinned, self.auth, exchange, wait=self.waited.append, now=lambda: self.now
        )

    def call(
        self,
        *,
        url: str = URL,
        auth: Auth | None = None,
        hosts: tuple[str, ...] = (),
        idempotent: bool = False,
        timeout_seconds: float = 30,
        tenant: str = TENANT,
        **request: Any,
    ) -> HttpAnswer:
        return self.tools.call(
            Server(url, auth, hosts),
            HttpRequest(**({"method": "GET", "path": "/orders/7"} | request)),
            tenant=tenant,
            idempotency_key="run-1-1-0",
            idempotent=idempotent,
            timeout_seconds=timeout_seconds,
        )

    def _secret(self, tenant: str, name: str) -> str:
        if (tenant, name) not in self.secrets:
            raise ToolFailed(f"the secret freehold/tools/{tenant}/{name} does not exist")
        return self.secrets[tenant, name]
