"""HTTP with a model's server: one attempt, bounded in time and size, and the server's own words for a refusal."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, cast
from urllib.parse import urlsplit

import urllib3

from freehold.errors import ModelUnavailable
from freehold.values.text import without_arns

from ..value import Value

LONGEST_ANSWER = 32 * 1024 * 1024
# In words about streaming, which are not those of gateways about what stands behind them.
STREAMS = re.compile("(?<!up)(?<!down)stream", re.IGNORECASE)
_CHUNK = 65_536
_CONNECT_SECONDS = 10.0
_LATE_SECONDS = 0.05


class Answer(Value):
    """Any HTTP answer, whatever its status. `headers` are found in upper and lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes


def keep_alive_pool() -> urllib3.PoolManager:
    """TCP keep-alive, or a NAT gateway forgets a connection while the model still thinks."""
    options = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1), (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    for name, seconds in (("TCP_KEEPIDLE", 45), ("TCP_KEEPINTVL", 45), ("TCP_KEEPCNT", 4)):
        if hasattr(socket, name):
            options.append((socket.IPPROTO_TCP, getattr(socket, name), seconds))
    return urllib3.PoolManager(retries=False, socket_options=options)


def post(
    pool: urllib3.PoolManager,
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    timeout_seconds: float,
    *,
    secrets: Sequence[str] = (),
    hear: Callable[[bytes], None] | None = None,
) -> Answer:
    """Raises `ModelUnavailable` where no whole answer came in time. An error's answer never shows the `secrets`.

    `hear` gets the body of a 200 piece by piece, as it comes.
    """
    deadline = time.monotonic() + timeout_seconds
    connect = min(_CONNECT_SECONDS, timeout_seconds)
    try:
        response = pool.request(
            "POST",
            url,
            body=body,
            headers=headers,
            timeout=urllib3.Timeout(total=timeout_seconds, connect=connect, read=timeout_seconds),
            retries=False,
            redirect=False,
            preload_content=False,
        )
        content = _read(response, deadline, hear if response.status == 200 else None)
    except (urllib3.exceptions.HTTPError, OSError) as error:
        reason = _masked(f"{type(error).__name__}: {error}".encode(), secrets).decode()
        host = urlsplit(url).hostname
        raise ModelUnavailable(f"no answer from {host} within {timeout_seconds:g} s ({reason})") from error
    # Servers quote what they refuse: AWS the whole signed request, its session token included.
    shown = content if response.status == 200 else _masked(content, secrets)
    return Answer(response.status, response.headers, shown)


def _read(response: urllib3.BaseHTTPResponse, deadline: float, hear: Callable[[bytes], None] | None) -> bytes:
    chunks: list[bytes] = []
    try:
        with ended_at(deadline, response):
            for chunk in _chunks(response, deadline):
                chunks.append(chunk)
                if hear:
                    hear(chunk)
    except BaseException:
        # Nobody reads what is still to come, so the server need not write it.
        response.close()
        raise
    response.release_conn()
    return b"".join(chunks)


def _chunks(response: urllib3.BaseHTTPResponse, deadline: float) -> Generator[bytes]:
    """The body. A read timeout starts anew with each byte, so that a trickle is judged by the clock."""
    size = 0
    while chunk := response.read1(_CHUNK):
        size += len(chunk)
        if size > LONGEST_ANSWER:
            raise urllib3.exceptions.ResponseError(f"the answer is longer than {LONGEST_ANSWER:,} bytes")
        yield chunk
        in_time(deadline)
    in_time(deadline)


def in_time(deadline: float) -> None:
    if time.monotonic() > deadline:
        raise urllib3.exceptions.TimeoutError("the answer was still arriving")


@contextmanager
def ended_at(deadline: float, response: object) -> Generator[None]:
    """Wake whoever still waits for more of the response by then, as if nothing more came."""
    shutdown = getattr(response, "shutdown", None)
    if shutdown is None:
        yield
        return
    timer = threading.Timer(max(0.0, deadline - time.monotonic()) + _LATE_SECONDS, _ended, (shutdown,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _ended(shutdown: Callable[[], None]) -> None:
    # Whatever is wrong with it, it has ended.
    with suppress(OSError, ValueError, RuntimeError):
        shutdown()


def _masked(content: bytes, secrets: Sequence[str]) -> bytes:
    for secret in secrets:
        content = content.replace(secret.encode(), b"***")
    return content


def parsed(content: bytes, host: str) -> dict[str, Any]:
    """The fields of a JSON object. Raises `ModelUnavailable` for what is no JSON; other JSON has no fields."""
    try:
        return fields(json.loads(content))
    except (ValueError, RecursionError) as error:
        told = f"{host} answered with something that is no JSON"
        raise ModelUnavailable(told, words=excerpt(content)) from error


def server_message(content: bytes) -> str:
    """The server's own words: `error.message`, or what others call it, or the start of the body."""
    try:
        found = fields(json.loads(content))
    except (ValueError, RecursionError):
        return excerpt(content)
    error = found.get("error")
    named = (found.get(name) for name in ("message", "Message", "detail"))
    for words in (fields(error).get("message"), error, *named):
        if isinstance(words, str) and words:
            return without_arns(words[:1000])
    return excerpt(content)


def excerpt(content: bytes) -> str:
    text = " ".join(content[:1000].decode("utf-8", "replace").split())
    return f"{text[:300]}…" if len(text) > 300 else text or "(an empty body)"


def fields(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def objects(value: object) -> list[dict[str, Any]]:
    """The objects of a list; nothing where it is none."""
    found = cast("list[object]", value) if isinstance(value, list) else []
    return [cast("dict[str, Any]", one) for one in found if isinstance(one, dict)]


def count(value: object) -> int:
    """Zero where nothing was counted, for nothing is made up."""
    return value if type(value) is int and value > 0 else 0
