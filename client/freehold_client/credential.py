"""What a request shows to be let in."""

from __future__ import annotations

from collections.abc import Callable

from .headers import sendable

# A token for AWS credentials, and the signature that such a one is asked for with.
BY_AWS = ("Bearer fht_", "AWS4-HMAC-SHA256 ")


class Credential:
    """A key or a token, or a function that gives one; white space around it, such as a file's last, does not count.

    The function is asked before the first request, and again where the stack does not accept what it gave before:
    tokens end.
    """

    def __init__(self, key: str | Callable[[], str]) -> None:
        self._give = key if callable(key) else lambda: key
        self._ends = callable(key)
        self._header: dict[str, str] | None = None

    def header(self) -> dict[str, str]:
        """`authorization`. Raises `InvalidRequest` for what cannot be one."""
        if self._header is None:
            self._header = sendable({"authorization": f"Bearer {self._give().strip()}"})
        return self._header

    def forget(self) -> bool:
        """Whether there may be another one next time."""
        if self._ends:
            self._header = None
        return self._ends
