"""What a request shows to be let in."""

from __future__ import annotations

from collections.abc import Callable


class Credential:
    """A key or a token, or a function that gives one.

    The function is asked before the first request, and again where the stack does not accept what it gave before:
    tokens end.
    """

    def __init__(self, key: str | Callable[[], str]) -> None:
        self._give = key if callable(key) else None
        self._text = None if callable(key) else key

    def header(self) -> str:
        """The value of `Authorization`."""
        if self._text is None:
            self._text = self._give() if self._give is not None else ""
        return f"Bearer {self._text}"

    def forget(self) -> bool:
        """Whether there may be another one next time."""
        if self._give is None:
            return False
        self._text = None
        return True
