"""What a header of a request can hold."""

from __future__ import annotations

from collections.abc import Mapping

from .errors import InvalidRequest


def sendable(headers: Mapping[str, str]) -> dict[str, str]:
    """All of them. Raises `InvalidRequest` for one that cannot be sent, and quotes none: it may hold a secret."""
    for name, value in headers.items():
        if not (value.isascii() and value.isprintable() and value == value.strip()):
            raise InvalidRequest.unsent(
                name.title(),
                "is no valid header: one or more visible ASCII characters are allowed",
            )
    return dict(headers)
