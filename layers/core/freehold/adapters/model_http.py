"""HTTP with a model's server: one attempt, bounded in time and size, and the server's own words for a refusal."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

import urllib3

from freehold.errors import ModelUnavailable
from freehold.values.text import without_arns

LONGEST_ANSWER = 32 * 1024 * 1024
_CHUNK = 65_536
_CONNECT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Answer:
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
) -> Answer:
    """Raises `ModelUnavailable` where no whole answer came in time. An error's answer never shows the `secrets`."""
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
        content = _read(response, deadline)
    except (urllib3.exceptions.HTTPError, OSError) as error:
        reason = _masked(f"{type(error).__name__}: {error}".encode(), secrets).decode()
        host = urlsplit(url).hostname
        raise ModelUnavailable(f"no answer from {host} within {timeout_seconds:g} s ({reason})") from error
    # Servers quote what they refuse: AWS the whole signed request, its session token included.
    shown = content if response.status == 200 else _masked(content, secrets)
    return Answer(response.status, response.headers, shown)


def _read(response: urllib3.BaseHTTPResponse, deadline: float) -> bytes:
    """The body. A read timeout starts anew with each byte, so that a trickle is judged by the clock."""
    chunks: list[bytes] = []
    size = 0
    while chunk := response.read1(_CHUNK):
        chunks.append(chunk)
        size += len(chunk)
        if size > LONGEST_ANSWER:
            response.close()
            raise urllib3.exceptions.ResponseError(f"the answer is longer than {LONGEST_ANSWER:,} bytes")
        if time.monotonic() > deadline:
            response.close()
            raise urllib3.exceptions.TimeoutError("the answer was still arriving")
    response.release_conn()
    return b"".join(chunks)


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
