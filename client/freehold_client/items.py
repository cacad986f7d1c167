"""The items of a session: what the user said, what the model replied, what the tools answered.

Each keeps the JSON it was read from in `wire`. A missing field gets its default and an unknown one
is only in `wire`, so that a client and a stack of different ages still understand each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from .reading import mapping, mappings, number, text, text_or_none, texts, whole, whole_or_none
from .waits import DecisionItem, MessageItem, RefusalItem, Wire


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the provider counted them.

    `cached_tokens` were read from its cache, `cache_written_tokens` written to it: both are part of `input_tokens`.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cache_written_tokens: int = 0

    @classmethod
    def read(cls, wire: Mapping[str, Any]) -> Usage:
        names = ("inputTokens", "outputTokens", "cachedTokens", "cacheWrittenTokens")
        return cls(*(whole(wire, name) for name in names))


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asked: `id` is unique within `type`."""

    type: str
    id: str

    @classmethod
    def read(cls, wire: Mapping[str, Any]) -> Principal | None:
        return cls(text(wire, "type"), text(wire, "id")) if wire else None


@dataclass(frozen=True, slots=True)
class Fallback:
    """The `error` (a class name) that the model `after` met, so that another one was asked."""

    after: str
    error: str

    @classmethod
    def read(cls, wire: Mapping[str, Any]) -> Fallback | None:
        return cls(text(wire, "after"), text(wire, "error")) if wire else None


@dataclass(frozen=True, slots=True)
class AskedCall:
    """A tool call as the model wrote it. `arguments` may be no JSON; `refused` says why it is not made."""

    call: int
    name: str
    arguments: str
    refused: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UserItem:
    """What the user said. `images` are the formats of those that came with it."""

    run_id: str
    turn: int
    at: str
    text: str
    principal: Principal | None = None
    images: tuple[str, ...] = ()
    wire: Wire = field(default_factory=Wire, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LapItem:
    """One reply of the model. `fallback` says why it is not the agent's first model that answered."""

    run_id: str
    turn: int
    at: str
    lap: int
    model: str
    text: str
    calls: tuple[AskedCall, ...] = ()
    usage: Usage = Usage()
    cost_usd: float | None = None
    duration_ms: int | None = None
    attempt: int = 0
    stop: str = ""
    fallback: Fallback | None = None
    wire: Wire = field(default_factory=Wire, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallItem:
    """One tool call: `started` while it is being made, then what came of it.

    `decided_by` is whoever said so, where no tool did.
    """

    run_id: str
    turn: int
    at: str
    lap: int
    call: int
    tool: str
    outcome: str
    result: str | None = None
    duration_ms: int | None = None
    attempt: int = 0
    decided_by: str | None = None
    wire: Wire = field(default_factory=Wire, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscardedItem:
    """A reply that lost the race for its lap; it was paid for all the same."""

    run_id: str
    turn: int
    at: str
    lap: int
    model: str
    usage: Usage = Usage()
    cost_usd: float | None = None
    wire: Wire = field(default_factory=Wire, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LateItem:
    """What a tool answered after its outcome was written down as unknown. The model never saw it."""

    run_id: str
    turn: int
    at: str
    lap: int
    call: int
    result: str
    wire: Wire = field(default_factory=Wire, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Begins:
    """In turn `turn`, after its first `laps` laps."""

    turn: int
    laps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactionItem:
    """Stands, for the model, in the place of all that came before `begins`; that stays readable.

    It was made after lap `lap` of turn `turn`.
    """

    run_id: str
    turn: int
    at: str
    lap: int
    model: str
    text: str
    begins: Begins
    usage: Usage = Usage()
    cost_usd: float | None = None
    duration_ms: int | None = None
    attempt: int = 0
    wire: Wire = field(default_factory=Wire, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherItem:
    """An item of a kind that this client is too old to know."""

    run_id: str
    turn: int
    at: str
    kind: str
    wire: Wire = field(default_factory=Wire, repr=False, compare=False)


Waited = DecisionItem | RefusalItem | MessageItem
Item = UserItem | LapItem | CallItem | DiscardedItem | LateItem | CompactionItem | Waited | OtherItem


def read_item(wire: Mapping[str, Any]) -> Item:
    """The item of the kind that `wire` says it is."""
    place = {"run_id": text(wire, "runId"), "turn": whole(wire, "turn"), "at": text(wire, "at")}
    kept = cast("dict[str, Any]", {**place, "wire": dict(wire)})
    match text(wire, "kind"):
        case "user":
            return UserItem(
                **kept,
                text=text(wire, "text"),
                principal=Principal.read(mapping(wire, "principal")),
                images=texts(wire, "images"),
            )
        case "lap":
            return LapItem(**kept, **_reply(wire), **_paid(wire))
        case "call":
            return CallItem(**kept, **_call(wire))
        case "discarded":
            return DiscardedItem(**kept, lap=whole(wire, "lap"), model=text(wire, "model"), **_paid(wire))
        case "late":
            lap, call = whole(wire, "lap"), whole(wire, "call")
            return LateItem(**kept, lap=lap, call=call, result=text(wire, "result"))
        case "compaction":
            return CompactionItem(**kept, **_compaction(wire), **_paid(wire))
        case "decision":
            return DecisionItem.read(wire, kept)
        case "refusal":
            return RefusalItem.read(wire, kept)
        case "message":
            return MessageItem.read(wire, kept)
        case kind:
            return OtherItem(**kept, kind=kind)


def _reply(wire: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "lap": whole(wire, "lap"),
        "model": text(wire, "model"),
        "text": text(wire, "text"),
        "calls": tuple(_asked(mappings(wire, "calls"))),
        "duration_ms": whole_or_none(wire, "durationMs"),
        "attempt": whole(wire, "attempt"),
        "stop": text(wire, "stop"),
        "fallback": Fallback.read(mapping(wire, "fallback")),
    }


def _asked(calls: Iterable[Mapping[str, Any]]) -> Iterable[AskedCall]:
    for position, wire in enumerate(calls):
        yield AskedCall(
            call=whole(wire, "call") if "call" in wire else position,
            name=text(wire, "name"),
            arguments=text(wire, "arguments"),
            refused=text_or_none(wire, "refused"),
        )


def _call(wire: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "lap": whole(wire, "lap"),
        "call": whole(wire, "call"),
        "tool": text(wire, "tool"),
        "outcome": text(wire, "outcome"),
        "result": text_or_none(wire, "result"),
        "duration_ms": whole_or_none(wire, "durationMs"),
        "attempt": whole(wire, "attempt"),
        "decided_by": text_or_none(wire, "decidedBy"),
    }


def _compaction(wire: Mapping[str, Any]) -> dict[str, Any]:
    begins = mapping(wire, "begins")
    return {
        "lap": whole(wire, "lap"),
        "model": text(wire, "model"),
        "text": text(wire, "text"),
        "begins": Begins(whole(begins, "turn"), whole(begins, "laps")),
        "duration_ms": whole_or_none(wire, "durationMs"),
        "attempt": whole(wire, "attempt"),
    }


def _paid(wire: Mapping[str, Any]) -> dict[str, Any]:
    return {"usage": Usage.read(wire), "cost_usd": number(wire, "costUsd")}
