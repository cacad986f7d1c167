"""Erasing for good, with a report of what went."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from .connection import Connection
from .items import Wire
from .reading import mapping, texts, whole

# The longest that one request works.
WORK_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Erased:
    """How much was erased."""

    sessions: int = 0
    runs: int = 0
    items: int = 0
    objects: int = 0
    summaries: int = 0

    @classmethod
    def read(cls, wire: Mapping[str, Any]) -> Erased:
        return cls(*(whole(wire, each.name) for each in fields(cls)))

    def __add__(self, other: Erased) -> Erased:
        return Erased(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))


@dataclass(frozen=True, slots=True)
class Erasure:
    """`busy` are runs at work, whose sessions were left. `complete` is False where anything is."""

    erased: Erased
    busy: tuple[str, ...] = ()
    complete: bool = True
    wire: Wire = field(default_factory=Wire, repr=False, compare=False)

    @classmethod
    def read(cls, wire: Mapping[str, Any]) -> Erasure:
        erased = Erased.read(mapping(wire, "erased"))
        return cls(erased, texts(wire, "busy"), wire.get("complete") is not False, dict(wire))


class Erasures:
    """Erases whole sessions with what is remembered of them. Needs a key with scope `admin`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def memory(self, agent: str, memory_id: str) -> Erasure:
        """Everything of a memory: what is remembered and the sessions themselves."""
        return self._all({"agent": agent, "memoryId": memory_id})

    def principal(self, principal: str) -> Erasure:
        """Every session that `principal` (`type:id`, as runs show it) wrote to."""
        return self._all({"principal": principal})

    def _all(self, body: Mapping[str, str]) -> Erasure:
        return until_complete(
            lambda: self._connection.request(
                "POST", "/erasures", body, repeatable=True, extra_seconds=WORK_SECONDS
            )[1]
        )


def until_complete(ask: Callable[[], Mapping[str, Any]]) -> Erasure:
    """Asks again as long as there is more, unless runs at work are all that is left."""
    erased = Erased()
    while True:
        wire = ask()
        report = Erasure.read(wire)
        erased += report.erased
        if report.complete or report.erased == Erased():
            told = {**wire, "erased": asdict(erased)}
            return Erasure(erased, report.busy, report.complete, told)
