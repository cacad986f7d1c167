"""A reply's text while it arrives, told in the form that it has in the end."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..ports import Tell
from ..value import replace
from ..values.model import ModelReply

_SURROGATE = re.compile("[\ud800-\udfff]")
_FIRST_HALF = re.compile("[\ud800-\udbff]\\Z")


class Spoken:
    """What was told so far. Parts of a reply, such as its content blocks, are set apart by an empty line."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._told: list[str] = []
        self._part: object = None
        self._half = ""

    @property
    def begun(self) -> bool:
        return bool(self._told)

    def say(self, text: str, part: object = 0) -> None:
        """More of that part. Half of a surrogate pair waits for the other one, which JSON lets come by itself.

        Without a text: the reply has come further, and what was told may be due by now.
        """
        if not text:
            self._tell("")
            return
        if part != self._part:
            self._out(self._half + ("\n\n" if self._told or self._half else ""))
            self._part, self._half = part, ""
        text = whole((self._half, text))
        self._half = text[-1] if _FIRST_HALF.search(text) else ""
        self._out(text[:-1] if self._half else text)

    def settled(self, reply: ModelReply) -> ModelReply:
        """The reply, when it is there. Its text is what was told, even where the server's last word differs."""
        self._out(self._half)
        told, self._half = "".join(self._told), ""
        if reply.text.startswith(told):
            self._out(reply.text[len(told) :])
            return reply
        return replace(reply, text=told)

    def _out(self, text: str) -> None:
        if text:
            self._told.append(text)
            self._tell(text)


def whole(pieces: Iterable[str]) -> str:
    """The pieces as one text, in which surrogates that were cut apart are one character again."""
    text = "".join(pieces)
    if not _SURROGATE.search(text):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
