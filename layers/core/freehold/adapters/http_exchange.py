"""One HTTP request over one connection to an address that was checked, within one deadline and one size."""

from __future__ import annotations

import io
import socket
import ssl
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import cache
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import TYPE_CHECKING

from ..errors import OutcomeUnknown, ToolFailed, ToolUnavailable
from ..value import Value
from .egress import Target

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

# As much as a Lambda answers.
LONGEST_ANSWER = 6 * 1024 * 1024
CONNECT_SECONDS = 5.0
_CHUNK = 65_536
# zlib's way to say: gzip or deflate, whichever it is.
_ANY_WRAPPER = 47
_COMPRESSED = ("gzip", "x-gzip", "deflate")

Dial = Callable[[str, int, float], socket.socket]


class Outgoing(Value):
    """A request as it goes over the wire; `place` is path and query, encoded."""

    method: str
    place: str
    headers: Sequence[tuple[str, str]]
    body: bytes | None = None


class Incoming(Value):
    """A whole answer, whatever its status. `headers` are in lower case; `body` is no longer compressed."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def dial(address: str, port: int, timeout_seconds: float) -> socket.socket:
    """A connection to an address, which is a number: nothing is looked up. Raises `OSError`."""
    return socket.create_connection((address, port), timeout_seconds)


@cache
def public_certificates() -> ssl.SSLContext:
    """Verifies names against the certificates that the system trusts, or those of SSL_CERT_FILE."""
    return ssl.create_default_context()


class Exchange(Value):
    """Sends requests. Each has a connection of its own: whether a used one still stands is known too late.

    `tls` gives what verifies certificates, once it is needed.
    """

    dial: Dial = dial
    tls: Callable[[], ssl.SSLContext] = public_certificates
    clock: Callable[[], float] = time.monotonic

    def send(self, target: Target, outgoing: Outgoing, *, deadline: float) -> Incoming:
        """The answer, if it came whole before `deadline` (by `clock`).

        Raises `ToolUnavailable` where nothing was sent, `OutcomeUnknown` where the answer was lost, and `ToolFailed`
        where it is too long to be read.
        """
        with closing(self._connected(target, deadline)) as connection:
            wire = _Wire(connection, lambda: deadline - self.clock())
            return _talk(wire, target, outgoing)

    def _connected(self, target: Target, deadline: float) -> socket.socket:
        """To the first of the addresses that answers."""
        latest = min(deadline, self.clock() + CONNECT_SECONDS)
        reason: OSError | None = None
        for address in target.addresses:
            left = latest - self.clock()
            if left <= 0:
                break
            try:
                return self._secured(self.dial(address, target.port, left), target, latest)
            except OSError as error:
                reason = error
        told = f"{type(reason).__name__}: {reason}" if reason else "no time was left"
        raise ToolUnavailable(f"{target.host} could not be connected to ({told})") from reason

    def _secured(self, plain: socket.socket, target: Target, latest: float) -> socket.socket:
        if target.scheme != "https":
            return plain
        try:
            plain.settimeout(max(0.001, latest - self.clock()))
            return self.tls().wrap_socket(plain, server_hostname=target.host)
        except BaseException:
            plain.close()
            raise


class _Wire:
    """A connection whose every wait ends with the deadline, also where the other side sends a byte a second.

    `ended`: the other side was found to have said all.
    """

    def __init__(self, connection: socket.socket, left: Callable[[], float]) -> None:
        self._connection, self._left = connection, left
        self.ended = False

    def sendall(self, data: ReadableBuffer) -> None:
        waiting = memoryview(data).cast("B")
        while waiting:
            self._arm()
            waiting = waiting[self._connection.send(waiting) :]

    def receive(self, buffer: WriteableBuffer) -> int:
        self._arm()
        count = self._connection.recv_into(buffer)
        self.ended = count == 0
        return count

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self))

    def close(self) -> None:
        """An answer is read to its end after the request is done: whoever connected closes."""

    def _arm(self) -> None:
        left = self._left()
        if left <= 0:
            raise TimeoutError("the time is up")
        self._connection.settimeout(left)


class _Reader(io.RawIOBase):
    def __init__(self, wire: _Wire) -> None:
        self._wire = wire

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        return self._wire.receive(buffer)


def _talk(wire: _Wire, target: Target, outgoing: Outgoing) -> Incoming:
    connection = HTTPConnection(target.host, target.port)
    # The socket is there, and no other is ever to be opened.
    connection.auto_open = 0
    connection.sock = wire
    _write(connection, outgoing)
    try:
        response = _begun(connection, wire)
        headers = {name.lower(): value for name, value in response.getheaders()}
        body = _body(response)
    except (OSError, HTTPException) as error:
        raise OutcomeUnknown(f"the answer of {target.host} was lost ({type(error).__name__})") from error
    return Incoming(response.status, headers, _decoded(body, headers.get("content-encoding", "")))


def _write(connection: HTTPConnection, outgoing: Outgoing) -> None:
    try:
        connection.putrequest(outgoing.method, outgoing.place, skip_host=True, skip_accept_encoding=True)
        for name, value in outgoing.headers:
            connection.putheader(name, value.encode())
    except (ValueError, HTTPException):
        # Nothing has left so far. What it was is not told, nor chained: a header may be a credential.
        raise ToolFailed("the request has a header or a path that HTTP does not allow") from None
    try:
        connection.endheaders(outgoing.body)
    except TimeoutError as error:
        raise OutcomeUnknown(f"{connection.host} did not take the request in time") from error
    except OSError:
        # A server may answer and close before it has read all; then that answer counts, if there is one.
        return


def _begun(connection: HTTPConnection, wire: _Wire) -> HTTPResponse:
    """The answer up to its body. Python takes headers that break off for whole ones."""
    response = connection.getresponse()
    if wire.ended:
        raise HTTPException("the headers ended before their end")
    return response


def _body(response: HTTPResponse) -> bytes:
    parts: list[bytes] = []
    size = 0
    while part := response.read1(_CHUNK):
        parts.append(part)
        size += len(part)
        if size > LONGEST_ANSWER:
            raise _too_long()
    if response.length:
        raise HTTPException("the answer ended before its end")
    return b"".join(parts)


def _decoded(body: bytes, encoding: str) -> bytes:
    """Nobody asked for a compressed answer, but some servers always give one."""
    coding = encoding.strip().lower()
    if coding in ("", "identity") or not body:
        return body
    if coding not in _COMPRESSED:
        raise ToolFailed(f"the answer is encoded as {coding[:20]!r}, which was not asked for")
    reader = zlib.decompressobj(_ANY_WRAPPER)
    try:
        plain = reader.decompress(body, LONGEST_ANSWER + 1)
    except zlib.error as error:
        raise ToolFailed(f"the answer is not the {coding} that it says it is") from error
    if len(plain) > LONGEST_ANSWER:
        raise _too_long()
    return plain


def _too_long() -> ToolFailed:
    return ToolFailed(f"the answer is longer than {LONGEST_ANSWER:,} bytes, and was not read")
