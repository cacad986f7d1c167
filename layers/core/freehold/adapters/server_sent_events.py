"""Server-sent events as they arrive. https://html.spec.whatwg.org/multipage/server-sent-events.html has the format."""

from __future__ import annotations

import re
from collections.abc import Callable

# `error` is no field of the format, but some servers end in such a line.
_FIELD = re.compile(rb"(data|error|event|id|retry)?:")


class ServerSentEvents:
    """Gives the data of each event to `take`. `plain`: what arrives is something else, of which nothing is taken."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take
        self._line: list[bytes] = []
        self._data: list[bytes] = []
        self._known = False
        self.plain = False

    def feed(self, chunk: bytes) -> None:
        if self.plain:
            return
        first, *rest = chunk.split(b"\n")
        self._line.append(first)
        for begun in rest:
            self._end_line()
            self._line.append(begun)

    def end(self) -> None:
        """Also what no empty line follows."""
        self._end_line()
        self._dispatch()

    def _end_line(self) -> None:
        line = b"".join(self._line).rstrip(b"\r")
        self._line.clear()
        if not self._known and line.strip():
            self._known, self.plain = True, not _FIELD.match(line.removeprefix(b"\xef\xbb\xbf"))
        if self.plain:
            return
        if not line:
            self._dispatch()
            return
        name, _, value = line.partition(b":")
        if name.removeprefix(b"\xef\xbb\xbf") in (b"data", b"error"):
            self._data.append(value.removeprefix(b" "))

    def _dispatch(self) -> None:
        data = b"\n".join(self._data)
        self._data.clear()
        if data.strip():
            self._take(data)
