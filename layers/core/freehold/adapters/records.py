"""The protocol's values as table items and back.

Each item carries `schema`, so that the next release can read what this one wrote, and its content (what users,
models and tools said) apart from its counters, so that content can lie in S3 and lists never carry it.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from decimal import Decimal
from functools import cache
from typing import Any, TypeVar

import msgspec
from msgspec.structs import fields

from ..value import replace
from ..values.content import Image
from ..values.conversation import Compaction, Lease, Link
from ..values.decision import Decision, Message, Parked, Refusal
from ..values.memory import Summary
from ..values.run import Discarded, Lap, LateResult, Marker, Result, Run, RunKey, Session
from . import keys
from .contents import Contents
from .table import Item

SCHEMA = 1
# What lies under a run.
OfRun = Lap | Discarded | Marker | Result | LateResult
Wait = Decision | Refusal | Parked | Message
Record = Session | Run | OfRun | Compaction | Lease | Link | Summary | Wait
T = TypeVar("T", bound=Record)

KINDS: dict[type, str] = {
    Session: "session",
    Run: "run",
    Lap: "lap",
    Discarded: "discarded",
    Marker: "marker",
    Result: "result",
    LateResult: "late",
    Compaction: "compaction",
    Lease: "lease",
    Link: "link",
    Summary: "summary",
    Decision: "decision",
    Refusal: "refusal",
    Parked: "parked",
    Message: "message",
}
REQUIRED = object()
# Conditions are on them, so they are always there.
ALWAYS = frozenset(("rev", "through_turn"))
TYPES: dict[str, type[Record]] = {kind: record for record, kind in KINDS.items()}

CONTENT: dict[str, tuple[str, ...]] = {
    "session": ("session_attributes", "escalation"),
    "run": ("input", "model_words", "session_attributes", "prompt_session_attributes"),
    "lap": ("text", "calls", "reasoning", "session_attributes", "prompt_session_attributes"),
    "result": ("content", "session_attributes", "prompt_session_attributes"),
    "late": ("content",),
    "compaction": ("text",),
    "summary": ("notes",),
    "decision": ("comment",),
    "message": ("text",),
}
# They say themselves until when they are kept; a lease is kept until it is taken off.
OWN_EXPIRY = (Session, Summary, Link)
NO_EXPIRY = (*OWN_EXPIRY, Lease)
# What the table adds to a record and the record does not know.
TABLE_ONLY = frozenset(
    ("pk", "sk", "schema", "kind", "body", "body_ref", "expires_at", "open_shard", "runs_of", "listed_at")
)


class Records:
    """Encodes for one table and one bucket. `retention_seconds` is how long content outlives its writing."""

    def __init__(self, contents: Contents, retention_seconds: int) -> None:
        self._contents, self._retention = contents, retention_seconds

    def encode(self, record: Record, key: keys.Key, *, folder: str | None, at: int) -> Item:
        """Without a `folder` its content lies in the item, however large it is."""
        kind = KINDS[type(record)]
        data = msgspec.to_builtins(record, builtin_types=(Decimal,))
        carried, defaults = data.pop("carried", {}), _defaults(type(record))
        content = {name: data.pop(name) for name in CONTENT.get(kind, ())}
        told = {name: value for name, value in content.items() if value and value != defaults.get(name)}
        # What a field has anyway is not stored: a lap is written once and billed by its bytes.
        plain = {name: value for name, value in data.items() if value != defaults.get(name, REQUIRED)}
        item: Item = {**carried, **key, "schema": SCHEMA, "kind": kind, **plain}
        if told and folder is None:
            item["body"] = told
        elif told and folder is not None:
            item |= self._contents.put(folder, msgspec.json.encode(told).decode(), inline=told)
        if not isinstance(record, NO_EXPIRY):
            item["expires_at"] = at // 1000 + self._retention
        return item

    def decode(self, item: Item, expected: type[T]) -> T:
        return msgspec.convert(self._plain(item, expected), expected)

    def outline(self, item: Item, expected: type[T]) -> T:
        """The record without its content, which may lie in the bucket."""
        bare = {name: value for name, value in item.items() if name not in ("body", "body_ref")}
        return self.decode(bare, expected)

    def read(self, item: Item) -> Record:
        """The record of any kind."""
        return self.decode(item, TYPES[item["kind"]])

    def stored(self, images: tuple[Image, ...], *, folder: str) -> tuple[Image, ...]:
        """The images by reference, their bytes in the bucket: a run is written often, and read by every step."""
        return tuple(
            replace(image, data="", reference=self._contents.put_bytes(folder, self._bytes(image)))
            for image in images
        )

    def _bytes(self, image: Image) -> bytes:
        """Also of one that another conversation has stored: each has its own, which is erased with it."""
        return b64decode(image.data) if image.data else self._contents.get_bytes(image.reference)

    def loaded(self, image: Image) -> Image:
        """The image with its bytes."""
        return replace(image, data=b64encode(self._contents.get_bytes(image.reference)).decode())

    def discard(self, folder: str) -> None:
        """Delete all that lies there."""
        self._contents.delete_all(folder)

    def _plain(self, item: Item, expected: type[Record]) -> dict[str, Any]:
        own = {name: value for name, value in item.items() if name not in TABLE_ONLY}
        if expected in OWN_EXPIRY and "expires_at" in item:
            own["expires_at"] = item["expires_at"]
        told: dict[str, Any] = item.get("body", {})
        if "body_ref" in item:
            told = msgspec.json.decode(self._contents.get(item))
        empty = {"input": "", "text": "", "calls": (), "content": ""}
        kind_content = CONTENT.get(KINDS[expected], ())
        found = {**{k: v for k, v in empty.items() if k in kind_content}, **own, **told}
        names = expected.__struct_fields__
        if "carried" in names:
            found["carried"] = {name: found.pop(name) for name in found.keys() - {*names}}
        return found


@cache
def _defaults(record: type[Record]) -> dict[str, Any]:
    """What its fields have anyway, as an item has it."""
    return {
        each.name: msgspec.to_builtins(each.default, builtin_types=(Decimal,))
        for each in fields(record)
        if each.default is not msgspec.NODEFAULT and each.name not in ALWAYS
    }


def folder(key: RunKey) -> str:
    """Where a conversation's large content lies."""
    return f"conversations/{keys.quoted(key.tenant)}/{keys.quoted(key.conversation)}"
